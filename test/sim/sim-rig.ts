// One simulated Headgate: shared memory, relay threads on a `SimWorld`, and the real `commit` in front of them. Plays the
// scheduler as well: decides by chance which thread turns next, and what the network and other threads do in between.

import { resolveServerAddress } from "../../src/control/addresses.ts";
import type { Change, Receipt } from "../../src/control/change.ts";
import { createCommit } from "../../src/control/commit.ts";
import type { CommitContext } from "../../src/control/commit-context.ts";
import { Evictions } from "../../src/control/reconcile/eviction.ts";
import type { ProxyEntry, ServerEntry } from "../../src/control/registry.ts";
import { writeProxyRow, writeServerRow } from "../../src/control/tables.ts";
import type { Acknowledgement, OrderSink } from "../../src/control/workers.ts";
import { runTurn } from "../../src/dataplane/loop.ts";
import { createRelay, type Relay } from "../../src/dataplane/relay.ts";
import { onTimer } from "../../src/dataplane/session/timeouts.ts";
import { W_MAXCONN, WT_HANDED_HEAD, WT_HANDED_TAIL, WT_ORDERS, WT_WAKE_FD } from "../../src/memory/control-words.ts";
import type { Order, OrderBody } from "../../src/memory/order.ts";
import { drainRecords } from "../../src/memory/record-ring.ts";
import { R_KIND, RecordKind } from "../../src/memory/record-row.ts";
import { OperState } from "../../src/memory/server-row.ts";
import { allocateSharedMemory, type SharedMemory, threadWords } from "../../src/memory/shared-memory.ts";
import { type ProxyWishes, proxyEntry, registryOf, type ServerWishes, serverConfig, serverEntry } from "./registry.ts";
import { ASLEEP, SimKernel } from "./sim-kernel.ts";
import { SimWorld } from "./sim-world.ts";

export interface RigSetup {
  readonly seed: number;
  readonly threads: number;
  readonly maxconn?: number;
  readonly rowsPerThread?: number;
  readonly records?: number;
  readonly buffersMax?: number;
  readonly proxy?: ProxyWishes;
  /** True: a frontend and a backend; false: one `listen`. */
  readonly isSplit?: boolean;
  /** True: all threads share one listening socket; false: each has its own. */
  readonly sharesListener?: boolean;
  readonly servers: readonly ServerWishes[];
}

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

/** Rows of the server table: some free ones for `add server`. */
const SERVER_ROWS = 8;
const PROXY_ROWS = 2;
/** No burst of work takes more turns than this; one that does is a loop without end. */
const TURNS_MAX = 20_000;

export class SimRig {
  readonly world: SimWorld;
  readonly memory: SharedMemory;
  readonly relays: RigRelay[] = [];
  readonly frontend: ProxyEntry;
  readonly backend: ProxyEntry;
  readonly listenerFds: number[] = [];
  readonly commit: (change: Change) => Promise<Receipt>;
  /** Set by whoever judges the run: sees each record of an ended session (first word in `memory.ringsI32`). */
  onRecord: (word: number, thread: number) => void = () => {};
  /** What the control thread does in the middle of a turn, once, at a system call that chance picks. */
  interrupt: (() => void) | undefined;
  /** Servers that went down since the start. */
  readonly wasMarkedDown = new Set<ServerEntry>();
  /** What policies said in the log. */
  readonly said: string[] = [];
  /** When `reconcile` wants its next turn. */
  reconcileAtMs = Number.POSITIVE_INFINITY;
  /** False: nobody reads the records. */
  readsRecords = true;
  private readonly pending = new Map<number, Pending>();
  private sequence = 0;
  private depth = 0;

  /** Use `createRig`. */
  constructor(setup: RigSetup) {
    const { seed, threads, maxconn = 1000, rowsPerThread = 12, records = 64 } = setup;
    this.world = new SimWorld(seed);
    this.memory = allocateSharedMemory({ threads, rowsPerThread, records, proxies: PROXY_ROWS, servers: SERVER_ROWS });
    this.memory.words[W_MAXCONN] = maxconn;
    this.frontend = proxyEntry(0, setup.isSplit ? "frontend" : "listen", setup.proxy ?? {});
    this.backend = setup.isSplit ? proxyEntry(1, "backend", setup.proxy ?? {}) : this.frontend;
    writeProxyRow(this.memory, this.frontend, setup.proxy?.maxconn ?? maxconn, this.backend.index);
    if (setup.isSplit) writeProxyRow(this.memory, this.backend, maxconn, -1);
    for (let thread = 0; thread < threads; thread++) this.startRelay(thread, setup);
    const events: CommitContext["events"] = {
      onServerState: (server, { before, after }) => {
        if (before.oper !== OperState.STOPPED && after.oper === OperState.STOPPED) this.wasMarkedDown.add(server);
      },
      onFrontendStopped() {},
      onFrontendPaused() {},
      onFrontendResumed() {},
      onBackendDown() {},
      onCheckLog() {},
      onHealthChange() {},
      onServerAdded() {},
      onServerDeleted() {},
      onServerReloaded() {},
      onPolicy: (_backend, _level, text) => void this.said.push(text),
      onReconcileAt: (_backend, atMs) => {
        this.reconcileAtMs = Math.min(this.reconcileAtMs, atMs);
      },
      onAddressChange() {},
      onResolvedAgain() {},
      onFqdnChange() {},
      onProgress() {},
    };
    const registry = registryOf([...new Set([this.frontend, this.backend])], SERVER_ROWS);
    const orders: OrderSink = { order: (body, thread) => Promise.resolve(this.order(body, thread)) };
    this.commit = createCommit({
      memory: this.memory,
      registry,
      orders,
      events,
      listeners: { close() {}, pause() {}, resume: () => true },
      nowMs: () => this.world.now,
      random: () => this.world.random.below(1000) / 1000,
      evictions: this.evictions,
      askKernel: async () => undefined,
    });
    this.world.betweenCalls = (thread, call) => this.interleave(thread, call);
    this.registry = registry;
  }

  readonly evictions = new Evictions();
  private readonly registry: ReturnType<typeof registryOf>;

  /** Puts a configured server in place. */
  async addConfiguredServer(wishes: ServerWishes): Promise<ServerEntry> {
    const id = this.backend.servers.length + 1;
    const entry = serverEntry(id - 1, this.backend, serverConfig(id, wishes));
    this.backend.servers.push(entry);
    this.registry.serversByIndex[entry.index] = entry;
    const { sockaddr } = await resolveServerAddress(entry.config.endpoint);
    writeServerRow(this.memory, entry, sockaddr, wishes.disabled ? 1 : 0, wishes.disabled ? 0 : OperState.RUNNING, 0);
    return entry;
  }

  private startRelay(thread: number, setup: RigSetup): void {
    const kernel = new SimKernel(this.world, thread);
    const orders: Order[] = [];
    const relay = createRelay(
      kernel,
      this.memory,
      {
        takeOrder: () => orders.shift(),
        acknowledge: (sequence, ended) => this.acknowledge(sequence, ended),
        announceRecords: () => {},
        announceEmptied: () => {
          this.reconcileAtMs = this.world.now;
        },
      },
      { thread, seed: setup.seed, onTimer, buffersMax: setup.buffersMax },
    );
    this.memory.words[threadWords(thread) + WT_WAKE_FD] = relay.wakeFd;
    this.relays.push({ relay, kernel, orders, isTurning: false });
    runOnce(relay);
    if (thread > 0 && setup.sharesListener) this.listenerFds.push(this.listenerFds[0]);
    else this.listenerFds.push(this.world.openListener());
  }

  /** Orders every thread to listen. */
  listen(): void {
    for (const [thread, fd] of this.listenerFds.entries()) {
      this.order({ kind: "listen", listener: 0, fd, frontend: 0 }, thread);
    }
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
    const threads = thread === undefined ? [...this.relays.keys()] : [thread];
    this.pending.set(sequence, { left: threads.length, ended: 0 });
    for (const to of threads) {
      this.relays[to].orders.push({ ...body, sequence });
      Atomics.add(this.memory.words, threadWords(to) + WT_ORDERS, 1);
      this.relays[to].kernel.wake(this.relays[to].relay.wakeFd);
    }
    return sequence;
  }

  isAcknowledged(sequence: number): boolean {
    return (this.pending.get(sequence)?.left ?? 0) === 0;
  }

  private order(body: OrderBody, thread?: number): Acknowledgement {
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

  /** Control's timers: what policies have due by now is done, and what that makes due. */
  async reconcileDue(): Promise<void> {
    for (let rounds = 0; this.reconcileAtMs <= this.world.now; rounds++) {
      if (rounds > TURNS_MAX) throw new Error("there is no end to what policies have to do");
      this.reconcileAtMs = Number.POSITIVE_INFINITY;
      await this.commit({ kind: "reconcile", backend: this.backend });
      await this.commit({ kind: "continue-evictions" });
    }
  }

  // The scheduler.

  /** One turn of a thread; false if it sleeps. */
  turn(thread: number): boolean {
    const own = this.relays[thread];
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
    for (let i = 0; i < this.relays.length; i++) if (this.turn((first + i) % this.relays.length)) return true;
    return false;
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
    // A thread that has begun to connect has looked at the cut generation already, and may not look again.
    if (this.interrupt !== undefined && call !== "socket" && call !== "connect" && random.chance(25)) {
      const act = this.interrupt;
      this.interrupt = undefined;
      act();
    }
    if (random.chance(3)) this.world.network(false);
    if (this.relays.length > 1 && random.chance(3)) this.turn((thread + 1) % this.relays.length);
    this.depth--;
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

/** A rig that listens, with an upstream for each of its servers (ports 7001 and up). */
export async function createRig(setup: RigSetup): Promise<SimRig> {
  const rig = new SimRig(setup);
  for (const wishes of setup.servers) {
    await rig.addConfiguredServer(wishes);
    const { endpoint } = wishes;
    const port = endpoint?.kind === "unix" ? Number(endpoint.path) : 7000 + rig.backend.servers.length;
    rig.world.addUpstream(port, endpoint?.kind === "unix");
  }
  await rig.commit({ kind: "reconcile", backend: rig.backend });
  rig.listen();
  return rig;
}
