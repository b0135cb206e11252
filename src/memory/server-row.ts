// The layout of one server's row. The control thread writes what is desired (state, weight, address, cut generation);
// the words marked atomic are counted by relay threads.

/** Int32 words of a row (384 bytes). */
export const SERVER_WORDS = 96;

/** 0: free, 1: in its backend's list. */
export const V_IN_USE = 0;
export const V_BACKEND = 1;
/** Number within the backend, as shown. */
export const V_ID = 2;
/** VF_ bits. */
export const V_FLAGS = 3;
/** AdminState bits, as in `show servers state`. */
export const V_ADMIN = 4;
/** OperState. */
export const V_OPER = 5;
/** Weight as set by the operator or an agent, and as configured, 0..256. */
export const V_WEIGHT = 6;
export const V_INITIAL_WEIGHT = 7;
/** Limit as set, 0: none; what holds is V_LIMIT. */
export const V_MAXCONN = 8;
/** Sessions that chose this server under an older generation must not exist. Only grows. */
export const V_CUT_GENERATION = 9;
/** Atomic: sessions that hold one of its slots (connecting, established, granted from a queue). */
export const V_SERVED = 10;
/** Atomic: sessions whose row names this server, turn-around included. */
export const V_ATTACHED = 11;
/** Its own queue; head and tail are row numbers. Written under the backend's lock; the length is read without. */
export const V_QUEUE_LENGTH = 12;
export const V_QUEUE_HEAD = 13;
export const V_QUEUE_TAIL = 14;
/** Next server of the backend in order of declaration, -1 at the end; which of the two is in force, the head says (server-chain.ts). */
export const V_NEXT = 16;
export const V_NEXT_OTHER = 60;
/** Current score of smooth weighted round robin. Written under the backend's lock. */
export const V_SCORE = 17;
/** 1: may be given new sessions (admin, oper and proxy state allow it). */
export const V_USABLE = 18;
/** Atomic maxima. */
export const V_SERVED_MAX = 19;
export const V_QUEUE_MAX = 20;
/** What load balancing goes by: the weight in 16ths, less while the server starts slowly. Above 0 if and only if the weight is. */
export const V_LOAD_WEIGHT = 23;
/** Sessions it may have now; 0: no limit. V_MAXCONN, less while the server starts slowly. */
export const V_LIMIT = 24;
/** `observe`: failed connections in a row that are an alarm; 0: nobody observes. */
export const V_ERROR_LIMIT = 25;
/** Atomic: failed connections in a row, and alarms that the control thread has not taken yet. */
export const V_ERRORS = 26;
export const V_ERROR_ALARMS = 27;
/** `max-session-age`: ms since acceptance, and by how many percent it may be less; `max-session-idle`: ms. 0: no limit. */
export const V_MAX_AGE = 28;
export const V_AGE_JITTER = 29;
export const V_MAX_IDLE = 30;
/** Atomic: 1 while the control thread wants to be told that no session is left (V_SERVED and V_ATTACHED are 0). */
export const V_EMPTY_WANTED = 31;
/** For portKind "client": added to the client's destination port. */
export const V_PORT_OFFSET = 21;
/** CutReason of the sessions that the last cut ends. */
export const V_CUT_REASON = 22;
/** Atomic: where in the row the sockaddr in force starts (one of V_ADDR_PLACES) in the low half, its bytes in the high. */
export const V_ADDR = 15;
/** The two places for a sockaddr (up to sockaddr_un, 110 bytes): a new address is written to the idle one. */
export const V_ADDR_PLACES = [32, 64] as const;
export const V_ADDR_PLACE_BYTES = 112;

/** V_LOAD_WEIGHT of weight 1 at full load: HAProxy's scale. */
export const LOAD_WEIGHT_SCALE = 16;

export const VF_BACKUP = 1;
/** The port is the client's destination port plus V_PORT_OFFSET. */
export const VF_CLIENT_PORT = 2;
/** Added by `add server`. */
export const VF_DYNAMIC = 4;
export const VF_ID_FORCED = 8;
/** A reload removed it: it gets no new session, whatever its state says, and its row is given back with the last one. */
export const VF_LEAVING = 16;

/** Bits of the admin state, HAProxy's numbers. */
export const AdminState = {
  FORCED_MAINT: 0x01,
  INHERITED_MAINT: 0x02,
  CONFIG_MAINT: 0x04,
  FORCED_DRAIN: 0x08,
  INHERITED_DRAIN: 0x10,
  RESOLUTION_MAINT: 0x20,
  /** The name was changed since the start; says nothing about use. */
  FQDN_CHANGED: 0x40,
} as const;
export const ADMIN_MAINT = AdminState.FORCED_MAINT | AdminState.INHERITED_MAINT | AdminState.RESOLUTION_MAINT;
export const ADMIN_DRAIN = AdminState.FORCED_DRAIN | AdminState.INHERITED_DRAIN;

/** HAProxy's numbers. */
export const OperState = { STOPPED: 0, STARTING: 1, RUNNING: 2, STOPPING: 3 } as const;
