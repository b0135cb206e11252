// The layout of one listener's row: what the relay threads count together for `bind ... maxconn`.

/** Int32 words of a row. */
export const LISTENER_WORDS = 4;
/** Atomic: sessions that came in through it. */
export const L_SESSIONS = 0;
/** Its own limit, 0: none. */
export const L_MAXCONN = 1;
/** Atomic masks of the threads that stopped accepting because it is full. */
export const L_WAITING_LOW = 2;
export const L_WAITING_HIGH = 3;
