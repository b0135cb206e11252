// The state of one relay thread: its views on shared memory, its kernel, its pools. One object, made once, handed to every
// step of a session. What belongs to a session is not here but in the session's row.

import { type Candidates, collectCandidates, noCandidates } from "../balance/candidates.ts";
import type { BalanceState } from "../balance/pick.ts";
import { READ_BYTES } from "../base/limits.ts";
import { TimerWheel } from "../base/timer-wheel.ts";
import { W_CONNECTIONS, WT_ORDERS } from "../memory/control-words.ts";
import { CT_PIPES_FREE, CT_PIPES_USED } from "../memory/counters.ts";
import type { Order } from "../memory/order.ts";
import { P_EPOCH, PROXY_WORDS } from "../memory/proxy-row.ts";
import { ADDRESS_WORDS } from "../memory/record-row.ts";
import { SESSION_WORDS } from "../memory/session-row.ts";
import { type SharedMemory, threadCounters, threadWords } from "../memory/shared-memory.ts";
import type { Kernel } from "../sys/kernel.ts";
import { BufferPool } from "./buffer-pool.ts";
import { PipePool } from "./pipe-pool.ts";
import { ReadyList } from "./ready-list.ts";

/** A listening socket as one relay thread sees it. */
export interface RelayListener {
  readonly index: number;
  readonly fd: number;
  /** A reload may give the socket to another one. */
  frontend: number;
  /** False while the frontend or the process is full, or descriptors ran out. */
  watched: boolean;
}

/** How the relay reaches the control thread. */
export interface RelayPorts {
  /** The next order, or undefined when there is none. */
  takeOrder(): Order | undefined;
  /** Tells that an order was carried out. */
  acknowledge(sequence: number, ended: number, discardedBytes: number): void;
  /** Tells that records wait in the ring. */
  announceRecords(): void;
  /** Tells that nothing holds the server any more, as V_EMPTY_WANTED asked. */
  announceEmptied(server: number): void;
}

export interface Relay {
  readonly kernel: Kernel;
  readonly ports: RelayPorts;
  readonly memory: SharedMemory;
  readonly thread: number;
  readonly poll: number;
  readonly wakeFd: number;
  readonly words: Int32Array;
  readonly sessions: Int32Array;
  readonly sessionsF64: Float64Array;
  readonly servers: Int32Array;
  readonly proxies: Int32Array;
  readonly listenerRows: Int32Array;
  readonly counters: Float64Array;
  /** Addresses of the tables, for the kernel. */
  readonly sessionsAddress: number;
  readonly serversAddress: number;
  /** Room for one sockaddr_in6, for servers whose port follows the client's. */
  readonly sockaddrScratch: Int32Array;
  readonly sockaddrScratchAddress: number;
  /** The addresses of a session for its record (R_FRONT_ADDR), and where the kernel writes each of them. */
  readonly notedAddresses: Int32Array;
  readonly notedAddressesAt: readonly [number, number, number];
  /** First word of this thread's counters and of its control words. */
  readonly ownCounters: number;
  readonly ownWords: number;
  readonly orderWord: number;
  readonly connectionsWord: number;
  /** This thread's rows. */
  readonly firstRow: number;
  readonly rowLimit: number;
  readonly freeRows: Int32Array;
  freeRowCount: number;
  rowsUsed: number;
  /** Head of this thread's list of each server's sessions, -1 if none. */
  readonly serverSessions: Int32Array;
  readonly wheel: TimerWheel;
  readonly ready: ReadyList;
  readonly buffers: BufferPool;
  readonly pipes: PipePool;
  /** The buffer that the next read goes into, -1 if none is free; handed to a session whose peer does not take it all. */
  readBuffer: number;
  /** Its address; undefined at first, so that V8 keeps the number's box and no read allocates one (see linux-kernel.ts). */
  readAddress: number | undefined;
  /** Room for one read whose bytes are kept nowhere: they are discarded, or stay in the kernel. The address as readAddress. */
  readonly scratch: Uint8Array;
  scratchAddress: number | undefined;
  readonly candidates: (Candidates | undefined)[];
  readonly balance: BalanceState;
  readonly listeners: (RelayListener | undefined)[];
  /** Clock of this turn, ms; and what turns it into wall-clock time. */
  now: number;
  wallOffset: number;
  seenOrders: number;
  /** Bytes that were on their way in sessions ended by the order that is being carried out. */
  discardedBytes: number;
  /** What `admit` counted last: connections of the process, sessions of the frontend. */
  admittedConnections: number;
  admittedSessions: number;
  /** Some listener is not watched and might be again. */
  listenersWaiting: boolean;
  /** Accepting is off until then because the kernel refused a descriptor or memory; 0: it is on. */
  acceptPausedUntil: number;
  /** Members of the wheel that came due, reused by each turn. */
  readonly onTimer: (member: number) => void;
}

export interface RelayOptions {
  readonly thread: number;
  readonly seed: number;
  readonly onTimer: (relay: Relay, row: number) => void;
  /** Buffers at most, for tests that run out of them. */
  readonly buffersMax?: number;
}

/** Opens what a relay thread needs before its first turn. Throws if the system has no descriptors for it. */
export function createRelay(kernel: Kernel, memory: SharedMemory, ports: RelayPorts, options: RelayOptions): Relay {
  const { thread } = options;
  const poll = kernel.openPoll();
  const wakeFd = kernel.openWake();
  if (poll < 0 || wakeFd < 0) {
    for (const fd of [poll, wakeFd]) if (fd >= 0) kernel.close(fd);
    throw new Error(`relay ${thread}: no descriptors to start with (${poll}, ${wakeFd})`);
  }
  kernel.readClock();
  const now = kernel.clock[0];
  const sockaddrScratch = new Int32Array(new SharedArrayBuffer(28));
  const notedAddresses = new Int32Array(new SharedArrayBuffer(3 * ADDRESS_WORDS * 4));
  const notedAddressesFrom = kernel.addressOf(notedAddresses);
  const scratch = new Uint8Array(new SharedArrayBuffer(READ_BYTES));
  const firstRow = thread * memory.rowsPerThread;
  const ownWords = threadWords(thread);
  const relay: Relay = {
    kernel,
    ports,
    memory,
    thread,
    poll,
    wakeFd,
    words: memory.words,
    sessions: memory.sessions,
    sessionsF64: memory.sessionsF64,
    servers: memory.serversI32,
    proxies: memory.proxiesI32,
    listenerRows: memory.listenersI32,
    counters: memory.countersF64,
    sessionsAddress: kernel.addressOf(memory.sessions),
    serversAddress: kernel.addressOf(memory.serversI32),
    sockaddrScratch,
    sockaddrScratchAddress: kernel.addressOf(sockaddrScratch),
    notedAddresses,
    notedAddressesAt: [
      notedAddressesFrom,
      notedAddressesFrom + ADDRESS_WORDS * 4,
      notedAddressesFrom + 2 * ADDRESS_WORDS * 4,
    ],
    ownCounters: threadCounters(memory, thread),
    ownWords,
    orderWord: ownWords + WT_ORDERS,
    connectionsWord: W_CONNECTIONS,
    firstRow,
    rowLimit: firstRow + memory.rowsPerThread,
    freeRows: new Int32Array(memory.rowsPerThread),
    freeRowCount: 0,
    rowsUsed: 0,
    serverSessions: new Int32Array(memory.servers).fill(-1),
    wheel: new TimerWheel(memory.rowsPerThread, kernel.clock),
    ready: new ReadyList(),
    buffers: new BufferPool(kernel, options.buffersMax),
    pipes: new PipePool(kernel),
    readBuffer: -1,
    readAddress: undefined,
    scratch,
    scratchAddress: undefined,
    candidates: [],
    balance: { turn: thread, random: options.seed | 1 },
    listeners: [],
    now,
    wallOffset: kernel.wallMs() - now,
    seenOrders: 0,
    discardedBytes: 0,
    admittedConnections: 0,
    admittedSessions: 0,
    listenersWaiting: false,
    acceptPausedUntil: 0,
    onTimer: (member) => options.onTimer(relay, firstRow + member),
  };
  relay.scratchAddress = kernel.addressOf(scratch);
  kernel.watchReadable(poll, wakeFd, WAKE_TAG, 0, false);
  return relay;
}

/** Gives back what a thread without sessions has opened. Its wake-up descriptor is the control thread's, which may be about to use it. */
export function closeRelay(relay: Relay): void {
  relay.pipes.closeSpare();
  relay.counters[relay.ownCounters + CT_PIPES_USED] = 0;
  relay.counters[relay.ownCounters + CT_PIPES_FREE] = 0;
  relay.kernel.close(relay.poll);
}

/** Tag (low word) of the wake-up descriptor's events; listeners carry their index. The high word is 0 for both. */
export const WAKE_TAG = 0x7fffffff;

/** First word of a session's row. */
export const rowBase = (row: number): number => row * SESSION_WORDS;
/** First Float64 word of a session's row. */
export const rowBaseF64 = (row: number): number => row * (SESSION_WORDS / 2);

/** The servers of a backend that may be given a session now. */
export function candidatesOf(relay: Relay, backend: number): Candidates {
  const candidates = relay.candidates[backend] ?? noCandidates();
  relay.candidates[backend] = candidates;
  const row = backend * PROXY_WORDS;
  const epoch = Atomics.load(relay.proxies, row + P_EPOCH);
  if (candidates.epoch !== epoch) {
    collectCandidates(relay.servers, relay.proxies, backend, epoch, candidates);
  }
  return candidates;
}

/** Makes sure that the session is looked at by `deadline`. An earlier look is kept: it will set the next one. */
export function lookAt(relay: Relay, row: number, deadline: number): void {
  const member = row - relay.firstRow;
  const set = relay.wheel.deadlineOf(member);
  if (set === 0 || set > deadline) relay.wheel.set(member, deadline);
}
