// The relay threads of a simulated Headgate and the scheduler between them: decides by chance which thread turns next, and what the network
// and other threads do in between. Who gives the orders is its owner's.

import type { Commit } from "../../src/control/change.ts";
import { createCommit } from "../../src/control/commit.ts";
import type { CommitEvents, MutableRegistry } from "../../src/control/commit-context.ts";
import type { Evictions } from "../../src/control/reconcile/eviction.ts";
import type { Acknowledgement, OrderSink } from "../../src/control/workers.ts";
import { runTurn } from "../../src/dataplane/loop.ts";
import { closeRelay, createRelay, type Relay } from "../../src/dataplane/relay.ts";
import { onTimer } from "../../src/dataplane/session/timeouts.ts";
import { WT_HANDED_HEAD, WT_HANDED_TAIL, WT_ORDERS, WT_WAKE_FD } from "../../src/memory/control-words.ts";
import type { Order, OrderBody } from "../../src/memory/order.ts";
import { drainRecords } from "../../src/memory/record-ring.ts";
import { R_KIND, RecordKind } from "../../src/memory/record-row.ts";
import { type SharedMemory, threadsInService, threadWords } from "../../src/memory/shared-memory.ts";
import { ASLEEP, SimKernel } from "./sim-kernel.ts";
import { SimWorld } from "./sim-world.ts";

export interface RigRelay {
  readonly relay: Relay;
  readonly kernel: SimKernel;
  readonly orders: Order[];
  isTurning: boolean;
}

interface Pending {
  left: number;
  ended: number;
}

/** No burst of work takes more turns than this; one that does is a loop without end. */
export const TURNS_MAX = 20_000;

const NOBODY_LISTENS: CommitEvents = {
  onServerState() {},
  onFrontendStopped() {},
  onFrontendPaused() {},
  onFrontendResumed() {},
  onBackendDown() {},
  onCheckLog() {},
  onHealthChange() {},
  onServerAdded() {},
  onServerDeleted() {},
  onServerReloaded() {},
  onPolicy() {},
  onReconcileAt() {},
  onAddressChange() {},
  onResolvedAgain() {},
  onFqdnChange() {},
  onProgress() {},
};

export class SimThreads {
  readonly world: SimWorld;
  readonly memory: SharedMemory;
  /** Those that run, by slot. */
  readonly relays: RigRelay[] = [];
  /** Set by whoever judges the run: sees each record of an ended session (first word in `memory.ringsI32`). */
  onRecord: (word: number, thread: number) => void = () => {};
  /** What the control thread does in the middle of a turn, once, at a system call that chance picks. */
  interrupt: (() => void) | undefined;
  /** False: nobody reads the records. */
  readsRecords = true;
  private readonly setup: { readonly seed: number; readonly buffersMax?: number };
  private readonly pending = new Map<number, Pending>();
  private sequence = 0;
  private depth = 0;
  /** Threads that are about to connect. */
  private connecting = 0;

  constructor(memory: SharedMemory, setup: { readonly seed: number; readonly buffersMax?: number }) {
    this.world = new SimWorld(setup.seed);
    this.memory = memory;
    this.setup = setup;
    for (let thread = 0; thread < threadsInService(memory); thread++) this.startRelay(thread);
    this.world.betweenCalls = (thread, call) => this.interleave(thread, call);
  }

  /** The real door for changes in front of these threads. `events`: those that somebody listens to. */
  protected commitTo(registry: MutableRegistry, evictions: Evictions, events: Partial<CommitEvents>): Commit {
    return createCommit({
      memory: this.memory,
      registry,
      orders: this.orderSink,
      events: { ...NOBODY_LISTENS, ...events },
      listeners: { close() {}, pause() {}, resume: () => true },
      nowMs: () => this.world.now,
      random: () => this.world.random.below(1000) / 1000,
      evictions,
      askKernel: async () => undefined,
    });
  }

  /** The relay of a slot, which runs. */
  relayOf(thread: number): RigRelay {
    return this.relays.find(({ relay }) => relay.thread === thread)!;
  }

  protected startRelay(thread: number): void {
    const { setup } = this;
    const kernel = new SimKernel(this.world, thread);
    const orders: Order[] = [];
    const relay = createRelay(
      kernel,
      this.memory,
      {
        takeOrder: () => orders.shift(),
        acknowledge: (sequence, ended) => this.acknowledge(sequence, ended),
        announceRecords: () => {},
        announceEmptied: () => this.onEmptied(),
      },
      { thread, seed: setup.seed, onTimer, buffersMax: setup.buffersMax },
    );
    this.memory.words[threadWords(thread) + WT_WAKE_FD] = relay.wakeFd;
    this.relays.push({ relay, kernel, orders, isTurning: false });
    this.relays.sort((a, b) => a.relay.thread - b.relay.thread);
    runOnce(relay);
  }

  /** As `RelayThreads.release`: whoever names its wake-up descriptor after the others have answered, wakes nobody, and the kernel says so. */
  protected releaseRelay(thread: number): void {
    const { relay, orders } = this.relayOf(thread);
    this.relays.splice(this.relays.indexOf(this.relayOf(thread)), 1);
    this.memory.words[threadWords(thread) + WT_WAKE_FD] = -1;
    this.order({ kind: "gather" });
    if (orders.length > 0) throw new Error(`thread ${thread} ends with orders that it has not carried out`);
    closeRelay(relay);
    this.world.close(relay.wakeFd, "orderly");
  }

  /** Control hears that a server that is being emptied has lost its last session. */
  protected onEmptied(): void {}

  /** For `commit`. */
  get orderSink(): OrderSink {
    return { order: (body, thread) => Promise.resolve(this.order(body, thread)) };
  }

  /** Connections that wait in the thread's ring to be taken over. */
  handedConnections(thread: number): number {
    const own = threadWords(thread);
    return (this.memory.words[own + WT_HANDED_HEAD] - this.memory.words[own + WT_HANDED_TAIL]) | 0;
  }

  // Control's side.

  /** Gives an order without waiting: its sequence. */
  post(body: OrderBody, thread?: number): number {
    const sequence = ++this.sequence;
    const threads = thread === undefined ? this.relays.map(({ relay }) => relay.thread) : [thread];
    this.pending.set(sequence, { left: threads.length, ended: 0 });
    for (const to of threads) {
      const { relay, kernel, orders } = this.relayOf(to);
      orders.push({ ...body, sequence });
      Atomics.add(this.memory.words, threadWords(to) + WT_ORDERS, 1);
      kernel.wake(relay.wakeFd);
    }
    return sequence;
  }

  isAcknowledged(sequence: number): boolean {
    return (this.pending.get(sequence)?.left ?? 0) === 0;
  }

  /** Gives an order and lets the threads carry it out. */
  order(body: OrderBody, thread?: number): Acknowledgement {
    return this.runUntilAcknowledged(this.post(body, thread));
  }

  /** Lets the threads run until all have carried out an order. */
  runUntilAcknowledged(sequence: number): Acknowledgement {
    for (let turns = 0; !this.isAcknowledged(sequence); turns++) {
      if (turns > TURNS_MAX) throw new Error(`order ${sequence} is never acknowledged`);
      if (!this.turnAny()) throw new Error(`every thread sleeps, but order ${sequence} is not acknowledged`);
      if (this.world.random.chance(20)) this.world.network(false);
    }
    const { ended } = this.pending.get(sequence)!;
    this.pending.delete(sequence);
    return { ended, discardedBytes: 0 };
  }

  private acknowledge(sequence: number, ended: number): void {
    const pending = this.pending.get(sequence);
    if (pending === undefined || pending.left === 0)
      throw new Error(`order ${sequence} is acknowledged once too often`);
    pending.left--;
    pending.ended += ended;
  }

  // The scheduler.

  /** One turn of a thread; false if it sleeps. */
  turn(thread: number): boolean {
    const own = this.relayOf(thread);
    if (own.isTurning || !own.kernel.isAwake(own.relay.poll)) return false;
    own.isTurning = true;
    const turned = runOnce(own.relay);
    // It goes back to waiting at once: how long it means to wait is settled now.
    if (turned) runOnce(own.relay);
    own.isTurning = false;
    this.readRecords(thread);
    return turned;
  }

  /** One turn of some thread that is awake; false if all sleep. */
  turnAny(): boolean {
    const first = this.world.random.below(this.relays.length);
    const threads = this.relays.map(({ relay }) => relay.thread);
    return threads.some((_, i) => this.turn(threads[(first + i) % threads.length]!));
  }

  /** Runs all threads until they sleep; the network stands still. */
  runUntilIdle(): void {
    for (let turns = 0; this.turnAny(); turns++)
      if (turns > TURNS_MAX) throw new Error("the threads never go to sleep");
  }

  /** Runs threads and network until neither has anything to do at this time. */
  settle(): void {
    for (let rounds = 0; ; rounds++) {
      this.runUntilIdle();
      if (!this.world.network(true)) return;
      if (rounds > TURNS_MAX) throw new Error("threads and network never come to rest");
    }
  }

  /** Lets time pass, stopping whenever something is due. */
  advance(ms: number): void {
    const end = this.world.now + ms;
    for (let steps = 0; ; steps++) {
      this.settle();
      const next = Math.min(this.world.nextAnswerAt(), ...this.relays.map(({ kernel }) => kernel.wakesAt()));
      if (next > end) break;
      if (steps > TURNS_MAX) throw new Error("time does not get on");
      this.world.now = Math.max(this.world.now, next);
    }
    this.world.now = end;
    this.settle();
  }

  /** Between two system calls of a thread, others act: the network, and other threads. */
  private interleave(thread: number, call: string): void {
    if (this.depth >= 2) return;
    const { random } = this.world;
    this.depth++;
    // A thread that has begun to connect has looked at the cut generation already, and may not look again, whoever turns meanwhile.
    const isConnecting = call === "socket" || call === "connect";
    if (isConnecting) this.connecting++;
    if (this.interrupt !== undefined && this.connecting === 0 && random.chance(25)) {
      const act = this.interrupt;
      this.interrupt = undefined;
      act();
    }
    if (random.chance(3)) this.world.network(false);
    if (this.relays.length > 1 && random.chance(3)) this.turn(this.threadAfter(thread));
    if (isConnecting) this.connecting--;
    this.depth--;
  }

  private threadAfter(thread: number): number {
    const { relays } = this;
    return (relays.find(({ relay }) => relay.thread > thread) ?? relays[0]!).relay.thread;
  }

  private readRecords(thread: number): void {
    if (!this.readsRecords) return;
    drainRecords(this.memory, thread, Number.POSITIVE_INFINITY, (word) => {
      if (this.memory.ringsI32[word + R_KIND] === RecordKind.ENDED) this.onRecord(word, thread);
    });
  }
}

/** False if the thread sleeps. */
function runOnce(relay: Relay): boolean {
  try {
    runTurn(relay, -1);
    return true;
  } catch (error) {
    if (error === ASLEEP) return false;
    throw error;
  }
}
