// A Program without relay threads: real configuration, tables and commit, orders that are acknowledged at once, and sessions that a
// test writes into the table as a relay would. For tests of operations and of the stats socket.

import { ipSockaddr } from "../../src/base/address.ts";
import { AppError } from "../../src/base/errors.ts";
import { loadConfigText } from "../../src/config/load.ts";
import { buildRegistry } from "../../src/control/build-registry.ts";
import type { Change, Receipt } from "../../src/control/change.ts";
import { createCommit } from "../../src/control/commit.ts";
import type { CommitContext } from "../../src/control/commit-context.ts";
import type { Program } from "../../src/control/program.ts";
import { Evictions } from "../../src/control/reconcile/eviction.ts";
import type { ListenerEntry } from "../../src/control/registry.ts";
import type { ReloadReceipt } from "../../src/control/reload/model.ts";
import { CT_ROWS_USED } from "../../src/memory/counters.ts";
import { SERVER_WORDS, V_ATTACHED } from "../../src/memory/server-row.ts";
import {
  S_ACCEPT_F64,
  S_ACCEPT_WALL_F64,
  S_BACKEND,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_ADDR,
  S_CLIENT_FD,
  S_FRONTEND,
  S_GENERATION,
  S_LISTENER,
  S_PHASE_F64,
  S_SERVER,
  S_SERVER_ACTIVE_F64,
  S_SERVER_FD,
  S_STATE,
  SESSION_WORDS,
  SessionState,
  sessionIdOf,
} from "../../src/memory/session-row.ts";
import { allocateSharedMemory, threadCounters } from "../../src/memory/shared-memory.ts";

const THREADS = 2;

export const DEFAULT_CONFIG = `
defaults
    mode tcp
    timeout client 1m
    timeout server 1m
    timeout connect 5s
    timeout queue 5s
frontend fe
    bind 127.0.0.1:9
    maxconn 100
    default_backend be
backend be
    server s1 127.0.0.1:28901 weight 10
    server s2 [::1]:28902 backup disabled id 7
backend other
    server s1 unix@/nowhere/s1.sock
`;

export interface NewSession {
  readonly thread?: number;
  /** Which server of `be`, from 0. */
  readonly server?: number;
  readonly state?: number;
  readonly ageMs?: number;
  readonly port?: number;
}

export class InMemoryProgram implements Program {
  readonly registry: Program["registry"];
  readonly memory: Program["memory"];
  configFiles: readonly string[] = [];
  readonly version = "1.2.3";
  readonly releaseDate = "2026/01/02";
  readonly pid = process.pid;
  readonly startWallMs = Date.now() - 3_723_000;
  readonly bootMs = 5;
  readonly threads = THREADS;
  readonly maxconn = 1000;
  readonly fileLimit = 4096;
  readonly evictions = new Evictions();
  stopping = false;
  /** What `show resolvers` has to show. */
  sections: ReturnType<Program["resolvers"]> = [];
  /** What a log would be told about names, in order. */
  readonly told: string[] = [];
  /** What the kernel says of a server's connections when it is asked. */
  kernelAnswer: Awaited<ReturnType<CommitContext["askKernel"]>>;
  /** Kinds of the orders that relays were given, in order. */
  readonly orders: string[] = [];
  /** Every change that was committed, in order. */
  readonly changes: Change[] = [];
  readonly progressListeners = new Set<() => void>();
  readonly commit: (change: Change) => Promise<Receipt>;
  readonly settled: Program["settled"];
  /** What `reload` answers; undefined: there is nothing to reload. */
  receipt: ReloadReceipt | undefined;

  private constructor(registry: Parameters<typeof createCommit>[0]["registry"], memory: Program["memory"]) {
    this.registry = registry;
    this.memory = memory;
    const commit = createCommit({
      memory,
      registry,
      orders: {
        order: async ({ kind }) => {
          this.orders.push(kind);
          return { ended: 0, discardedBytes: 0 };
        },
      },
      events: {
        onServerState: (server, { note }) => this.told.push(`${server.name} changes state${note}`),
        onBackendDown: () => {},
        onCheckLog: () => {},
        onHealthChange: () => {},
        onServerAdded: () => {},
        onServerDeleted: () => {},
        onServerReloaded: () => {},
        onPolicy: () => {},
        onReconcileAt: () => {},
        onAddressChange: (server, from, by) => this.told.push(`${server.name} from ${from} to ${server.host} by ${by}`),
        onResolvedAgain: (server) => this.told.push(`${server.name} resolves again`),
        onFqdnChange: (server, from, by) =>
          this.told.push(`${server.name} named ${server.fqdn} after ${from} by ${by}`),
        onFrontendStopped: () => {},
        onFrontendPaused: () => {},
        onFrontendResumed: () => {},
        onProgress: () => this.progress(),
      },
      listeners: { close: () => {}, pause: () => {}, resume: () => true },
      nowMs: () => performance.now(),
      random: Math.random,
      evictions: this.evictions,
      askKernel: async () => this.kernelAnswer,
    });
    this.settled = commit.settled;
    this.commit = (change) => {
      this.changes.push(change);
      return commit(change);
    };
  }

  async reload(): Promise<ReloadReceipt> {
    if (this.receipt === undefined) throw new AppError("no-reload", "there is nothing to reload");
    return this.receipt;
  }

  static async start(config = DEFAULT_CONFIG, rowsPerThread = 64): Promise<InMemoryProgram> {
    const loaded = loadConfigText(config, "test.cfg", {});
    if (loaded.config === undefined) throw new Error(JSON.stringify(loaded.diagnostics));
    const memory = allocateSharedMemory({ threads: THREADS, rowsPerThread, proxies: 16, servers: 64, records: 16 });
    const registry = await buildRegistry(loaded.config, memory, 1000);
    for (const proxy of registry.proxies) {
      for (const [i, bind] of proxy.config.binds.entries()) {
        const index = registry.listenersByIndex.length;
        const entry: ListenerEntry = {
          index,
          id: i + 1,
          bind,
          proxy,
          fd: 3,
          backlog: 10,
          protocol: "tcpv4",
          path: undefined,
          address: "127.0.0.1:9",
          key: `${index}`,
        };
        proxy.listeners.push(entry);
        registry.listenersByIndex.push(entry);
      }
    }
    return new InMemoryProgram(registry, memory);
  }

  progress(): void {
    for (const listener of this.progressListeners) listener();
  }

  resolvers(): ReturnType<Program["resolvers"]> {
    return this.sections;
  }

  droppedLogs(): number {
    return 0;
  }

  nowMs(): number {
    return performance.now();
  }

  onProgress(listener: () => void): () => void {
    this.progressListeners.add(listener);
    return () => this.progressListeners.delete(listener);
  }

  /** Writes a session of `fe` into the next row of its thread; returns its id as shown. */
  addSession(session: NewSession = {}): string {
    const { thread = 0, server = 0, state = SessionState.ESTABLISHED, ageMs = 0, port = 40_000 } = session;
    const { sessions, sessionsF64, countersF64 } = this.memory;
    const used = threadCounters(this.memory, thread) + CT_ROWS_USED;
    const row = thread * this.memory.rowsPerThread + countersF64[used]++;
    const word = row * SESSION_WORDS;
    const double = word / 2;
    const now = this.nowMs();
    const hasServer = state !== SessionState.QUEUED;
    sessions[word + S_GENERATION] += 1;
    sessions[word + S_STATE] = state;
    sessions[word + S_LISTENER] = 0;
    sessions[word + S_FRONTEND] = this.registry.proxies.findIndex((proxy) => proxy.name === "fe");
    sessions[word + S_BACKEND] = this.registry.proxies.findIndex((proxy) => proxy.name === "be");
    const backend = this.registry.proxies.find((proxy) => proxy.name === "be")!;
    sessions[word + S_SERVER] = hasServer ? backend.servers[server]!.index : -1;
    this.countAttached(sessions[word + S_SERVER], 1);
    sessions[word + S_CLIENT_FD] = 30;
    sessions[word + S_SERVER_FD] = hasServer ? 31 : -1;
    sessions.set(new Int32Array(ipSockaddr("192.0.2.1", port).buffer), word + S_CLIENT_ADDR);
    sessionsF64[double + S_ACCEPT_WALL_F64] = Date.now() - ageMs;
    sessionsF64[double + S_ACCEPT_F64] = now - ageMs;
    sessionsF64[double + S_PHASE_F64] = now - ageMs;
    sessionsF64[double + S_CLIENT_ACTIVE_F64] = now;
    sessionsF64[double + S_SERVER_ACTIVE_F64] = now;
    return `0x${sessionIdOf(row, sessions[word + S_GENERATION]).toString(16)}`;
  }

  /** Ends the session in `row` as a relay does. */
  endSession(row: number): void {
    const word = row * SESSION_WORDS;
    this.memory.sessions[word + S_STATE] = SessionState.FREE;
    this.memory.sessions[word + S_GENERATION] += 1;
    this.countAttached(this.memory.sessions[word + S_SERVER], -1);
  }

  private countAttached(server: number, by: number): void {
    if (server >= 0) this.memory.serversI32[server * SERVER_WORDS + V_ATTACHED] += by;
  }
}
