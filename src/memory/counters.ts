// Counters: each relay thread owns a block and is its only writer, so nothing is atomic; readers add the blocks up.
// Float64 words, so that byte counts stay exact up to 2^53. A block has a part for the thread, one for each proxy, one for
// each server. Averages, maxima and the time of the last session are no sums.

/** Words of a proxy's block. Front side first, back side from CB_. */
export const PROXY_COUNTERS = 64;
export const CF_CONNECTIONS = 0;
export const CF_SESSIONS = 1;
export const CF_BYTES_IN = 2;
export const CF_BYTES_OUT = 3;
export const CB_SESSIONS = 4;
export const CB_BYTES_IN = 5;
export const CB_BYTES_OUT = 6;
/** Connections that failed after all attempts, or found no server. */
export const CB_CONNECT_FAILED = 7;
export const CB_RETRIES = 8;
export const CB_REDISPATCHES = 9;
/** Sessions that a side ended before its time: by a reset, by leaving before it was served, or by a timeout. */
export const CB_CLIENT_ABORTS = 10;
export const CB_SERVER_ABORTS = 11;
export const CB_ASSIGNED = 12;
export const CB_CONNECT_ATTEMPTS = 13;
/** ms of the relay's wall clock when a session was last assigned, 0: never. */
export const CB_LAST_SESSION_WALL = 14;
/** Sliding averages and maxima in ms, over established sessions; CB_TIMED counts them. */
export const CB_QUEUE_MS_AVG = 15;
export const CB_CONNECT_MS_AVG = 16;
export const CB_TOTAL_MS_AVG = 17;
export const CB_QUEUE_MS_MAX = 18;
export const CB_CONNECT_MS_MAX = 19;
export const CB_TOTAL_MS_MAX = 20;
export const CB_TIMED = 21;
/** Established sessions whose server reset them. */
export const CB_RESPONSE_ERRORS = 24;
/** Sessions that did not end by themselves, of a frontend and of a backend: one word for each CutReason, whose number is added. */
export const CF_CUTS = 32;
export const CB_CUTS = 48;

/** Words of a server's block: each means what the CB_ word of that name does. */
export const SERVER_COUNTERS = 40;
export const CS_SESSIONS = 0;
export const CS_BYTES_IN = 1;
export const CS_BYTES_OUT = 2;
export const CS_CONNECT_FAILED = 3;
export const CS_RETRIES = 4;
export const CS_REDISPATCHES = 5;
export const CS_CLIENT_ABORTS = 6;
export const CS_SERVER_ABORTS = 7;
export const CS_ASSIGNED = 8;
export const CS_CONNECT_ATTEMPTS = 9;
export const CS_LAST_SESSION_WALL = 10;
export const CS_QUEUE_MS_AVG = 11;
export const CS_CONNECT_MS_AVG = 12;
export const CS_TOTAL_MS_AVG = 13;
export const CS_QUEUE_MS_MAX = 14;
export const CS_CONNECT_MS_MAX = 15;
export const CS_TOTAL_MS_MAX = 16;
export const CS_TIMED = 17;
/** Sessions ended by an order or a policy. */
export const CS_CUT = 18;
export const CS_RESPONSE_ERRORS = 19;
/** As CB_CUTS. */
export const CS_CUTS = 24;

/** Words of a thread's own part. */
export const THREAD_COUNTERS = 32;
/** Connections accepted, bytes sent to clients and servers, bytes of those that went through splice. */
export const CT_CONNECTIONS = 0;
export const CT_BYTES_OUT = 1;
export const CT_BYTES_SPLICED = 2;
export const CT_PIPES_USED = 3;
export const CT_PIPES_FREE = 4;
/** Times the kernel refused a descriptor or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM), and the last errno. */
export const CT_RESOURCE_ERRORS = 5;
export const CT_RESOURCE_ERRNO = 6;
/** Records that found the event ring full. */
export const CT_RECORDS_DROPPED = 7;
/** Events that named a session that had ended. */
export const CT_STALE_EVENTS = 10;
/** Times a full frontend or process made the thread stop accepting. */
export const CT_MAXCONN_REACHED = 11;
/** Reads that found no buffer free: peers that do not read hold them all. */
export const CT_BUFFERS_EXHAUSTED = 12;
/** ms spent waiting for events and handling them, for Idle_pct. */
export const CT_IDLE_MS = 13;
export const CT_BUSY_MS = 14;
/** Sessions of this thread right now. */
export const CT_SESSIONS = 15;
/** Rows ever used: the scan limit for readers. */
export const CT_ROWS_USED = 16;
/** ms of the longest turn: from the look at the clock after waiting to the next wait. Whoever watches sets it to 0. */
export const CT_TURN_MS_MAX = 17;
