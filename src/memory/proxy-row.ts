// The layout of one proxy's row (frontend, backend or both). The control thread writes settings; the words marked atomic
// are counted by relay threads. Times in ms, 0 for none.

/** Int32 words of a row (256 bytes). */
export const PROXY_WORDS = 64;

/** PF_ bits. */
export const P_FLAGS = 0;
/** Atomic: sessions of the frontend. */
export const P_FRONT_SESSIONS = 1;
export const P_FRONT_MAXCONN = 2;
/** Atomic: sessions of the backend, queued ones included. */
export const P_BACK_SESSIONS = 3;
/** The backend's queue, written under P_LOCK; the length is read without. */
export const P_QUEUE_LENGTH = 4;
export const P_QUEUE_HEAD = 5;
export const P_QUEUE_TAIL = 6;
/** Spin lock of the backend's queues and of its round robin scores. */
export const P_LOCK = 7;
/** A BalanceCode. */
export const P_BALANCE = 8;
export const P_DRAWS = 9;
/** Incremented whenever the set of usable servers, or a weight, changed. */
export const P_EPOCH = 10;
export const P_RETRIES = 11;
/** HAProxy's redispatch interval; 0: no redispatch. */
export const P_REDISPATCH = 12;
export const P_TIMEOUT_CLIENT = 13;
export const P_TIMEOUT_SERVER = 14;
export const P_TIMEOUT_CONNECT = 15;
export const P_TIMEOUT_QUEUE = 16;
export const P_TIMEOUT_CLIENT_FIN = 17;
export const P_TIMEOUT_SERVER_FIN = 18;
/** Proxy index of the default backend, its own for `listen`; -1: none. */
export const P_DEFAULT_BACKEND = 19;
/** Atomic masks of the threads that stopped accepting because the frontend is full. */
export const P_WAITING_LOW = 20;
export const P_WAITING_HIGH = 21;
/** Head of the chain of servers in order of declaration, -1 if none (server-chain.ts). */
export const P_FIRST_SERVER = 22;
/** Queue ticket counter, under P_LOCK. */
export const P_TICKET = 23;
/** Atomic maxima. */
export const P_FRONT_SESSIONS_MAX = 24;
export const P_BACK_SESSIONS_MAX = 25;
export const P_QUEUE_MAX = 26;
/** `option fence`: the only server that may be given sessions, -1 while there was none yet. Control decides when it changes. */
export const P_LEADER = 29;
/** Of a backend; once connected, in place of the client's and the server's timeouts. 0: those hold. */
export const P_TIMEOUT_TUNNEL = 30;

export const PF_FRONTEND = 1;
export const PF_BACKEND = 2;
/** The frontend wants a record of each ended session. */
export const PF_RECORD = 4;
export const PF_DONTLOGNULL = 8;
export const PF_SPLICE = 16;
export const PF_CLIENT_KEEPALIVE = 32;
export const PF_SERVER_KEEPALIVE = 64;
/** Records are wanted at accept time too (a log without `option tcplog`). */
export const PF_RECORD_ACCEPT = 128;
/** `option fence`: one server at a time, and none before the last session of the one before is closed. */
export const PF_FENCE = 256;
/** `option allbackups`. */
export const PF_ALL_BACKUPS = 512;
/** Records hold the addresses of both connections. */
export const PF_RECORD_ADDRESSES = 1024;

export const BalanceCode = { roundrobin: 0, leastconn: 1, source: 2, first: 3, random: 4 } as const;
