// The memory that control and relay threads share: one set of SharedArrayBuffers, allocated once at start by the control
// thread and attached by each relay. Pages cost nothing until touched, so tables are sized for their limits.

import { HANDED_MAX, LISTENERS_MAX, PROXIES_MAX, RECORDS_MAX, SERVERS_MAX } from "../base/limits.ts";
import { CONTROL_THREAD_WORDS, PROCESS_WORDS, W_SLOTS_USED, W_THREADS } from "./control-words.ts";
import { PROXY_COUNTERS, SERVER_COUNTERS, THREAD_COUNTERS } from "./counters.ts";
import { HANDED_WORDS } from "./handed-ring.ts";
import { LISTENER_WORDS } from "./listener-row.ts";
import { PROXY_WORDS } from "./proxy-row.ts";
import { RECORD_WORDS } from "./record-row.ts";
import { SERVER_WORDS } from "./server-row.ts";
import { SESSION_WORDS } from "./session-row.ts";

/** What is handed to a relay thread: plain buffers and sizes, cloneable. */
export interface SharedBuffers {
  /** Slots for relay threads; a thread is named by its slot. How many are in use stands in the process words. */
  readonly slots: number;
  /** Session rows of each slot; thread t owns rows t * rowsPerThread .. (t + 1) * rowsPerThread - 1. */
  readonly rowsPerThread: number;
  readonly proxies: number;
  readonly servers: number;
  readonly records: number;
  readonly control: SharedArrayBuffer;
  readonly sessionRows: SharedArrayBuffer;
  readonly serverRows: SharedArrayBuffer;
  readonly proxyRows: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly recordRings: SharedArrayBuffer;
  readonly handedRings: SharedArrayBuffer;
  readonly listenerRows: SharedArrayBuffer;
}

export interface SharedMemory extends SharedBuffers {
  /** Process words, then each thread's. */
  readonly words: Int32Array;
  readonly sessions: Int32Array;
  readonly sessionsF64: Float64Array;
  readonly serversI32: Int32Array;
  readonly proxiesI32: Int32Array;
  readonly countersF64: Float64Array;
  readonly ringsI32: Int32Array;
  readonly handedI32: Int32Array;
  readonly listenersI32: Int32Array;
  /** Float64 words of one thread's counter block. */
  readonly counterStride: number;
}

export interface MemorySizes {
  /** Relay threads in service to begin with. */
  readonly threads: number;
  /** As many as there can ever be; default: no more. */
  readonly slots?: number;
  readonly rowsPerThread: number;
  readonly proxies?: number;
  readonly servers?: number;
  /** A power of two. */
  readonly records?: number;
}

const counterWords = (proxies: number, servers: number): number =>
  THREAD_COUNTERS + proxies * PROXY_COUNTERS + servers * SERVER_COUNTERS;

/** Makes the tables, all zero. Control thread, once. */
export function allocateSharedMemory(sizes: MemorySizes): SharedMemory {
  const { threads, slots = threads, rowsPerThread } = sizes;
  const { proxies = PROXIES_MAX, servers = SERVERS_MAX, records = RECORDS_MAX } = sizes;
  const memory = attachSharedMemory({
    slots,
    rowsPerThread,
    proxies,
    servers,
    records,
    control: new SharedArrayBuffer((PROCESS_WORDS + slots * CONTROL_THREAD_WORDS) * 4),
    sessionRows: new SharedArrayBuffer(slots * rowsPerThread * SESSION_WORDS * 4),
    serverRows: new SharedArrayBuffer(servers * SERVER_WORDS * 4),
    proxyRows: new SharedArrayBuffer(proxies * PROXY_WORDS * 4),
    counters: new SharedArrayBuffer(slots * counterWords(proxies, servers) * 8),
    recordRings: new SharedArrayBuffer(slots * records * RECORD_WORDS * 4),
    handedRings: new SharedArrayBuffer(slots * HANDED_MAX * HANDED_WORDS * 4),
    listenerRows: new SharedArrayBuffer(LISTENERS_MAX * LISTENER_WORDS * 4),
  });
  memory.words[W_THREADS] = threads;
  memory.words[W_SLOTS_USED] = threads;
  return memory;
}

/** Views on tables that another thread made. */
export function attachSharedMemory(buffers: SharedBuffers): SharedMemory {
  return {
    ...buffers,
    words: new Int32Array(buffers.control),
    sessions: new Int32Array(buffers.sessionRows),
    sessionsF64: new Float64Array(buffers.sessionRows),
    serversI32: new Int32Array(buffers.serverRows),
    proxiesI32: new Int32Array(buffers.proxyRows),
    countersF64: new Float64Array(buffers.counters),
    ringsI32: new Int32Array(buffers.recordRings),
    handedI32: new Int32Array(buffers.handedRings),
    listenersI32: new Int32Array(buffers.listenerRows),
    counterStride: counterWords(buffers.proxies, buffers.servers),
  };
}

/** The part of `memory` that can be posted to a worker. */
export function shareableBuffers(memory: SharedMemory): SharedBuffers {
  const { slots, rowsPerThread, proxies, servers, records } = memory;
  const { control, sessionRows, serverRows, proxyRows, counters, recordRings, handedRings, listenerRows } = memory;
  return {
    slots,
    rowsPerThread,
    proxies,
    servers,
    records,
    control,
    sessionRows,
    serverRows,
    proxyRows,
    counters,
    recordRings,
    handedRings,
    listenerRows,
  };
}

/** Relay threads that take new sessions: slots 0 to here - 1. */
export const threadsInService = (memory: SharedMemory): number => Atomics.load(memory.words, W_THREADS);
/** Slots whose rows and counters anybody ever used: as far as tables are read. */
export const slotsUsed = (memory: SharedMemory): number => Atomics.load(memory.words, W_SLOTS_USED);

/** First word of a thread's control words. */
export const threadWords = (thread: number): number => PROCESS_WORDS + thread * CONTROL_THREAD_WORDS;
/** First Float64 word of a thread's counters, of a proxy's and of a server's within them. */
export const threadCounters = (memory: SharedMemory, thread: number): number => thread * memory.counterStride;
export const proxyCounters = (memory: SharedMemory, thread: number, proxy: number): number =>
  thread * memory.counterStride + THREAD_COUNTERS + proxy * PROXY_COUNTERS;
export const serverCounters = (memory: SharedMemory, thread: number, server: number): number =>
  thread * memory.counterStride + THREAD_COUNTERS + memory.proxies * PROXY_COUNTERS + server * SERVER_COUNTERS;
/** First word of a thread's record ring. */
export const recordRing = (memory: SharedMemory, thread: number): number => thread * memory.records * RECORD_WORDS;
