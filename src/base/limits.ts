// Every fixed limit of the program in one place, with the reason for its size. No limit is implicit.

/** Relay threads at most: a thread's bit must fit the waiting masks of the proxy table (two 32-bit words). */
export const THREADS_MAX = 64;

/** Relay threads that a reload can go up to, or one for each core; fewer where `maxconn` takes the rows. Virtual memory until used. */
export const THREAD_SLOTS_LEAST = 8;

/** Session rows at most; each relay thread has one for every session of the process. 21 bits of a session's id name the row. */
export const SESSIONS_MAX = 1 << 21;

/** Frontends, backends and listen sections at most. Rows are virtual memory until used. */
export const PROXIES_MAX = 8192;

/** Draws of `balance random` at most: they are made one after the other under the backend's lock. */
export const RANDOM_DRAWS_MAX = 256;

/** Servers at most, over all backends, those added at runtime included. */
export const SERVERS_MAX = 32768;

/** Listening sockets at most. */
export const LISTENERS_MAX = 8192;

/** Bytes that one event may move before other events, and orders, get their turn (guarantee G7). */
export const TURN_BYTES_MAX = 262144;

/** Bytes read at once. A read that fills it marks its direction as a stream, which may move to splice. */
export const READ_BYTES = 65536;

/** Buffers a relay thread keeps for bytes that a peer does not take, READ_BYTES each, mapped when first used. */
export const RELAY_BUFFERS_MAX = 4096;

/** Size asked for a splice pipe; the kernel may grant less. */
export const PIPE_BYTES = 1 << 20;

/** Empty pipes kept for reuse by a relay thread. */
export const SPARE_PIPES_MAX = 256;

/** Connections taken from a listener before other events get their turn. */
export const ACCEPT_BATCH = 16;

/** Connections that may wait for one thread to take them over from others (a power of two). */
export const HANDED_MAX = 1024;

/** Events taken from the kernel at once. */
export const EVENTS_MAX = 512;

/** Ended-session records a relay thread can be ahead of the control thread (a power of two). */
export const RECORDS_MAX = 8192;

/** After EMFILE and the like a relay stops accepting for this long, then tries again. */
export const RESOURCE_PAUSE_MS = 100;

/** Longest wait before a failed connection is tried again on the same server (HAProxy's turn-around). */
export const TURN_AROUND_MAX_MS = 1000;

/** Bytes of one configuration file. */
export const CONFIG_FILE_BYTES_MAX = 64 << 20;

/** Characters of one configuration line; HAProxy's own limit is the memory, and no real line comes near this. */
export const CONFIG_LINE_CHARACTERS_MAX = 65_536;

/** Words on one configuration line (HAProxy's limit). */
export const CONFIG_WORDS_MAX = 64;

/** File descriptors kept for everything that is not a session: epoll, eventfds, logs, sockets of the Runtime API, Node's own. */
export const SPARE_FDS = 100;

/** Bytes of log lines that may wait for a slow stdout or stderr; what comes on top is dropped and counted. */
export const LOG_QUEUE_BYTES_MAX = 1 << 22;

/** Bytes of log lines written to a descriptor at once. */
export const LOG_WRITE_BYTES = 65536;

/** Least time between two reports of dropped messages of one log target. */
export const LOG_DROP_REPORT_MS = 10_000;

/** Longest wait at the end for a log descriptor that does not take its last lines. */
export const LOG_CLOSE_MS = 500;

/** Longest command line of the Runtime API in bytes (HAProxy's tune.bufsize). */
export const COMMAND_LINE_BYTES_MAX = 16384;

/** Words of one command of the Runtime API. */
export const COMMAND_WORDS_MAX = 64;

/** Bytes of a command's payload (HAProxy's tune.cli.max-payload-size). */
export const COMMAND_PAYLOAD_BYTES_MAX = 131072;

/** Longest wait of a showing command for a change under way, so that it still answers when a relay thread does not. */
export const SHOW_WAIT_MS = 1000;

/** Connections to the stats sockets served at once, over all of them, without `stats maxconn` (HAProxy's default). */
export const CONTROL_CONNECTIONS_DEFAULT = 10;

/** The most that `stats maxconn` can ask for. */
export const CONTROL_CONNECTIONS_MAX = 10_000;

/** Bytes of commands that may wait while one runs; beyond them the client is not read. */
export const CONTROL_INPUT_BYTES_MAX = 65_536;

/** Connections to a stats socket that may wait for one of the served ones to end; more are closed. */
export const CONTROL_BACKLOG_MAX = 128;

/** Questions that are kept for each nameserver, in case their answers are cut off and have to be asked for over TCP. */
export const DNS_QUESTIONS_KEPT_MAX = 4096;
