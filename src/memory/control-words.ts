// The few words by which threads steer each other: order and stop words, wake-ups, process-wide limits.

/** Int32 words of the process part, then CONTROL_THREAD_WORDS for each relay thread. */
export const PROCESS_WORDS = 32;
/** Atomic: client connections of the process. */
export const W_CONNECTIONS = 0;
export const W_MAXCONN = 1;
/** Atomic masks of threads that stopped accepting because the process is full. */
export const W_WAITING_LOW = 2;
export const W_WAITING_HIGH = 3;
/** Atomic maximum. */
export const W_CONNECTIONS_MAX = 4;
/** Relay threads in service: those of the slots 0 to here - 1. The others that run are leaving. Written by the control thread. */
export const W_THREADS = 5;
/** Slots that ever had a thread: what is above them was never written. Only grows. Written by the control thread. */
export const W_SLOTS_USED = 6;

export const CONTROL_THREAD_WORDS = 32;
/** Atomic: number of orders sent; a relay compares it between events. */
export const WT_ORDERS = 0;
/** Atomic: 1 asks the thread to leave its loop. */
export const WT_STOP = 1;
/** Atomic: top of the stack of granted sessions (row + 1; 0 empty), linked by S_QUEUE_NEXT. */
export const WT_GRANTS = 2;
/** Atomic: 1 while the control thread wants to be told of the next record. */
export const WT_RECORDS_WANTED = 3;
/** Atomic: records written, and records read (they wrap). */
export const WT_RECORDS_HEAD = 4;
export const WT_RECORDS_TAIL = 5;
/** eventfd that wakes the thread; -1 where none runs any more. */
export const WT_WAKE_FD = 6;
/** Atomic: sessions of the thread, those handed to it included; by this the threads share new connections. */
export const WT_LOAD = 7;
/** Connections handed to the thread: written and taken (they wrap), and the writers' lock. */
export const WT_HANDED_HEAD = 8;
export const WT_HANDED_TAIL = 9;
export const WT_HANDED_LOCK = 10;
