// Relay threads on the real kernel, turned one after the other by the test's own thread, with the real `commit` before them
// and peers on real sockets around them.

import { resolveServerAddress } from "../../src/control/addresses.ts";
import type { Change, Receipt } from "../../src/control/change.ts";
import { createCommit } from "../../src/control/commit.ts";
import type { CommitContext } from "../../src/control/commit-context.ts";
import { Evictions } from "../../src/control/reconcile/eviction.ts";
import type { ProxyEntry, ServerEntry } from "../../src/control/registry.ts";
import { writeProxyRow, writeServerRow } from "../../src/control/tables.ts";
import { runTurn } from "../../src/dataplane/loop.ts";
import { createRelay, type Relay } from "../../src/dataplane/relay.ts";
import { onTimer } from "../../src/dataplane/session/timeouts.ts";
import {
  W_CONNECTIONS,
  W_MAXCONN,
  WT_HANDED_HEAD,
  WT_HANDED_TAIL,
  WT_ORDERS,
  WT_WAKE_FD,
} from "../../src/memory/control-words.ts";
import type { Order, OrderBody } from "../../src/memory/order.ts";
import { drainRecords } from "../../src/memory/record-ring.ts";
import { R_KIND, RecordKind } from "../../src/memory/record-row.ts";
import { OperState } from "../../src/memory/server-row.ts";
import { allocateSharedMemory, type SharedMemory, threadWords } from "../../src/memory/shared-memory.ts";
import { LinuxKernel } from "../../src/sys/linux-kernel.ts";
import { acceptAll, connectClient, kernel, openListener, type RealPeer } from "./real-peers.ts";
import { type ProxyWishes, proxyEntry, registryOf, serverConfig, serverEntry } from "./registry.ts";

interface Upstream {
  readonly port: number;
  readonly listener: number;
  readonly peers: RealPeer[];
}

const SERVER_ROWS = 8;
/** Turns of every thread until what was asked for must have happened; each waits at most a millisecond. */
const TURNS_MAX = 3000;

export class RealRig {
  readonly memory: SharedMemory;
  readonly relays: { relay: Relay; orders: Order[] }[] = [];
  readonly frontend: ProxyEntry;
  readonly backend: ProxyEntry;
  readonly proxies: readonly ProxyEntry[];
  readonly listenerRows = [0];
  readonly upstreams: Upstream[] = [];
  readonly clients: RealPeer[] = [];
  /** Servers' ends of connections that may have been cut. */
  readonly wasCut = new Set<RealPeer>();
  readonly commit: (change: Change) => Promise<Receipt>;
  /** Records of ended sessions. */
  records = 0;
  private readonly listener = openListener();
  private readonly registry: ReturnType<typeof registryOf>;
  private left = 0;
  private ended = 0;
  private serverPeers = 0;

  constructor(threads: number, seed: number, proxy: ProxyWishes, buffersMax: number) {
    const maxconn = 12;
    this.memory = allocateSharedMemory({
      threads,
      rowsPerThread: maxconn,
      records: 64,
      proxies: 1,
      servers: SERVER_ROWS,
    });
    this.memory.words[W_MAXCONN] = maxconn;
    this.frontend = proxyEntry(0, "listen", proxy);
    this.backend = this.frontend;
    this.proxies = [this.frontend];
    writeProxyRow(this.memory, this.frontend, maxconn, 0);
    this.registry = registryOf([this.frontend], SERVER_ROWS);
    const events: CommitContext["events"] = {
      onServerState() {},
      onFrontendStopped() {},
      onFrontendPaused() {},
      onFrontendResumed() {},
      onHealthChange() {},
      onBackendDown() {},
      onCheckLog() {},
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
    const orders = { order: (body: OrderBody, thread?: number) => Promise.resolve(this.order(body, thread)) };
    this.commit = createCommit({
      memory: this.memory,
      registry: this.registry,
      orders,
      events,
      listeners: { close() {}, pause() {}, resume: () => true },
      nowMs: () => performance.now(),
      random: Math.random,
      evictions: new Evictions(),
      askKernel: async () => undefined,
    });
    for (let thread = 0; thread < threads; thread++) this.startRelay(thread, seed, buffersMax);
    this.order({ kind: "listen", listener: 0, fd: this.listener.fd, frontend: 0 });
  }

  private startRelay(thread: number, seed: number, buffersMax: number): void {
    const orders: Order[] = [];
    const ports = {
      takeOrder: () => orders.shift(),
      acknowledge: (_sequence: number, ended: number) => {
        this.left--;
        this.ended += ended;
      },
      announceRecords() {},
      announceEmptied() {},
    };
    const relay = createRelay(new LinuxKernel(), this.memory, ports, { thread, seed, onTimer, buffersMax });
    this.memory.words[threadWords(thread) + WT_WAKE_FD] = relay.wakeFd;
    this.relays.push({ relay, orders });
  }

  /** A server with a listening upstream, or with a port where nobody listens. */
  async addServer(maxconn: number, isThere: boolean): Promise<ServerEntry> {
    const id = this.backend.servers.length + 1;
    const { fd, port } = openListener();
    if (isThere) this.upstreams.push({ port, listener: fd, peers: [] });
    else kernel.close(fd);
    const endpoint = { kind: "inet", host: "127.0.0.1", family: "any", port } as const;
    const entry = serverEntry(id - 1, this.backend, serverConfig(id, { maxconn, endpoint }));
    this.backend.servers.push(entry);
    this.registry.serversByIndex[entry.index] = entry;
    writeServerRow(this.memory, entry, (await resolveServerAddress(endpoint)).sockaddr, 0, OperState.RUNNING, 0);
    return entry;
  }

  private order(body: OrderBody, thread?: number): { ended: number; discardedBytes: number } {
    const threads = thread === undefined ? [...this.relays.keys()] : [thread];
    this.left = threads.length;
    this.ended = 0;
    for (const to of threads) {
      this.relays[to].orders.push({ ...body, sequence: 1 });
      Atomics.add(this.memory.words, threadWords(to) + WT_ORDERS, 1);
      kernel.wake(this.relays[to].relay.wakeFd);
    }
    this.runUntil(() => this.left === 0, `order ${body.kind} to be acknowledged`);
    return { ended: this.ended, discardedBytes: 0 };
  }

  /** Lets threads and peers run until something holds. */
  runUntil(holds: () => boolean, what: string): void {
    for (let turn = 0; !holds(); turn++) {
      if (turn === TURNS_MAX) throw new Error(`waited in vain for ${what}`);
      this.turn(turn > 20 ? 1 : 0);
    }
  }

  /** One turn of each thread, and of all peers. */
  turn(waitMs: number): void {
    for (const { relay } of this.relays) {
      runTurn(relay, waitMs);
      drainRecords(this.memory, relay.thread, 1000, (word) => {
        if (this.memory.ringsI32[word + R_KIND] === RecordKind.ENDED) this.records++;
      });
    }
    for (const upstream of this.upstreams) this.accept(upstream);
    for (const peer of this.peers()) if (peer.reads) peer.read();
  }

  /** Takes the connections that wait at an upstream. */
  accept(upstream: Upstream): void {
    const accepted = acceptAll(upstream.listener, this.serverPeers);
    this.serverPeers += accepted.length;
    upstream.peers.push(...accepted);
  }

  serverSide(): RealPeer[] {
    return this.upstreams.flatMap((upstream) => upstream.peers);
  }

  peers(): RealPeer[] {
    return [...this.clients, ...this.serverSide()];
  }

  connect(): void {
    const client = connectClient(this.clients.length, this.listener.port);
    if (client !== undefined) this.clients.push(client);
  }

  handedConnections(thread: number): number {
    const own = threadWords(thread);
    return (this.memory.words[own + WT_HANDED_HEAD] - this.memory.words[own + WT_HANDED_TAIL]) | 0;
  }

  /** Connections to the frontend that the threads have not taken yet, or serve now. */
  isEmpty(): boolean {
    return this.memory.words[W_CONNECTIONS] === 0 && this.records === this.clients.length;
  }

  /** Gives everything back to the kernel. */
  close(): void {
    for (const peer of this.peers()) peer.close(true);
    for (const { listener } of this.upstreams) kernel.close(listener);
    for (const { relay } of this.relays) {
      relay.pipes.closeSpare();
      kernel.close(relay.poll);
      kernel.close(relay.wakeFd);
    }
    kernel.close(this.listener.fd);
  }
}
