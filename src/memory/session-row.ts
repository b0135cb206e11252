// The layout of one session's row: its whole state. A row belongs to the relay thread that serves the session; the
// control thread only reads it. Offsets are Int32 words, or Float64 words where the name ends in _F64.

import { SESSIONS_MAX } from "../base/limits.ts";

/** Int32 words of a row (320 bytes, five cache lines). */
export const SESSION_WORDS = 80;

/** Incremented when the row is taken and when it is freed: odd while in use. Half of the identity that events carry. */
export const S_GENERATION = 0;
/** A SessionState. */
export const S_STATE = 1;
/** SF_ bits. */
export const S_FLAGS = 2;
export const S_LISTENER = 3;
/** Proxy indexes; the backend is -1 until known. */
export const S_FRONTEND = 4;
export const S_BACKEND = 5;
/** Server index, -1 while none is chosen. A session with a server is on that server's list. */
export const S_SERVER = 6;
/** The server's cut generation when it was chosen: older than the server's own means that the session must not exist. */
export const S_CUT_GENERATION = 7;
export const S_CLIENT_FD = 8;
export const S_SERVER_FD = 9;
/** The client's sockaddr as the kernel wrote it (up to sockaddr_in6, 28 bytes), and its length in bytes. */
export const S_CLIENT_ADDR = 10;
export const S_CLIENT_ADDR_LEN = 17;
/** Connection attempts beyond the first. */
export const S_RETRIES = 18;
/** Links of the server's list of this thread (row numbers, -1 at the ends). */
export const S_SERVER_NEXT = 19;
export const S_SERVER_PREV = 20;
/** Links of a queue, shared by all threads: written under the backend's lock only. */
export const S_QUEUE_NEXT = 21;
export const S_QUEUE_PREV = 22;
/** A QueueState. */
export const S_QUEUE_STATE = 23;
/** The server whose queue it waits in; -1: the backend's. */
export const S_QUEUE_SERVER = 24;
/** Sessions ahead of it when it was queued. */
export const S_QUEUE_AHEAD_SERVER = 25;
export const S_QUEUE_AHEAD_BACKEND = 26;
/** Arrival number within the backend's queues, for the order between a server's queue and the backend's. */
export const S_QUEUE_TICKET = 27;
/** How it ended: an EndCause and an EndPhase, as character codes of the log's termination state. */
export const S_END_CAUSE = 28;
export const S_END_PHASE = 29;
/** Why it was ended before its time: a CutReason. */
export const S_END_REASON = 31;
/** Client's and server's direction: see D_ offsets. */
export const S_UP = 32;
export const S_DOWN = 40;

/** Offsets within a direction (S_UP: client to server, S_DOWN: server to client). */
export const D_FLAGS = 0;
/** Buffer that holds bytes read and not yet taken by the other side, -1 if none; where they start and how many. */
export const D_BUFFER = 1;
export const D_OFFSET = 2;
export const D_LENGTH = 3;
/** Splice pipe, -1 if none, and the bytes in it. */
export const D_PIPE_READ = 4;
export const D_PIPE_WRITE = 5;
export const D_PIPE_LENGTH = 6;

/** Float64 words of the row. Times are milliseconds of the relay's monotonic clock unless named wall. */
export const S_ACCEPT_WALL_F64 = 24;
export const S_ACCEPT_F64 = 25;
/** Start of the phase that runs: queueing, connecting, turn-around. */
export const S_PHASE_F64 = 26;
/** Total ms spent in queues; -1 if it never left them. */
export const S_QUEUE_MS_F64 = 27;
/** ms from the end of the queue to the established connection; -1 if never established. */
export const S_CONNECT_MS_F64 = 28;
/** Last activity on the client's and on the server's socket. */
export const S_CLIENT_ACTIVE_F64 = 29;
export const S_SERVER_ACTIVE_F64 = 30;
/** Since when bytes wait to be taken by the server (UP) or the client (DOWN), moved on with each byte taken. */
export const S_UP_STALLED_F64 = 31;
export const S_DOWN_STALLED_F64 = 32;
/** Bytes taken by the server, and by the client. */
export const S_BYTES_UP_F64 = 33;
export const S_BYTES_DOWN_F64 = 34;
/** Bytes read from the client (for dontlognull and show sess). */
export const S_BYTES_READ_UP_F64 = 35;
/** End of the session, monotonic; 0 while it lives. */
export const S_END_F64 = 36;
/** Events handled for this session. */
export const S_CALLS_F64 = 37;

/** States of a session, with what holds in each. */
export const SessionState = {
  /** The row belongs to nobody. */
  FREE: 0,
  /** Client fd open, no server; in a queue, or granted a server whose turn its thread has not seen yet. */
  QUEUED: 1,
  /** Client fd and server fd open; connect() is under way. */
  CONNECTING: 2,
  /** Client fd open, server chosen, no server fd: waits before the next attempt. */
  TURN_AROUND: 3,
  /** Both fds open and connected. */
  ESTABLISHED: 4,
  /** Fds closed; the row waits for a grant that is still on its way to be handed back. */
  ABANDONED: 5,
} as const;
export type SessionState = (typeof SessionState)[keyof typeof SessionState];

export const QueueState = { NONE: 0, WAITING: 1, GRANTED: 2 } as const;

/** The session was given to another server than its first. */
export const SF_REDISPATCHED = 1;
/** Counted as a session of its server (served). */
export const SF_SERVED = 2;
/** Counted as a session of its backend. */
export const SF_IN_BACKEND = 4;
/** The server's socket has TCP_NODELAY: from the second send on, because the first waits for nothing in any case. */
export const SF_NO_DELAY = 8;

/** Direction flags. */
/** The source sent FIN. */
export const DF_EOF = 1;
/** FIN was passed on to the destination. */
export const DF_SHUT = 2;
/** Reads fill the buffer: a stream, worth a splice. */
export const DF_STREAM = 4;
/** The destination does not take more; waits for it to be writable. What waits is in a buffer, a pipe or still in the source. */
export const DF_BLOCKED = 8;
/** The source may have bytes that were not read yet. */
export const DF_READABLE = 16;
/** On the thread's ready list. */
export const DF_READY = 32;
/** This direction may splice. */
export const DF_MAY_SPLICE = 128;
/** The kernel announced the source's FIN: reading goes on until it is read. */
export const DF_FIN_SEEN = 256;

/** A session's public identity: unique over the life of the process, so a stale one never names another session. */
export const sessionIdOf = (row: number, generation: number): number => (generation >>> 0) * SESSIONS_MAX + row;
export const rowOfSessionId = (id: number): number => id % SESSIONS_MAX;
export const generationOfSessionId = (id: number): number => Math.floor(id / SESSIONS_MAX) | 0;
