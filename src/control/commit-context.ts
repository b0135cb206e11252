// What every part of `commit` works with: tables, registry, the way to the relay threads, and who hears of changes.

import type { Config } from "../config/model.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import type { Receipt, RefusalCode } from "./change.ts";
import type { CheckSource } from "./health/state-machine.ts";
import type { KernelAnswer, UNKNOWN } from "./kernel-answer.ts";
import type { ServerCondition } from "./log/server-messages.ts";
import type { LogLevel } from "./log/syslog-frame.ts";
import type { Evictions } from "./reconcile/eviction.ts";
import type { ListenerEntry, ProxyEntry, Registry, ServerEntry } from "./registry.ts";
import type { OrderSink } from "./workers.ts";

/** The registry as its one writer sees it. */
export interface MutableRegistry extends Registry {
  config: Config;
  /** The process's limit of sessions, as configured. */
  maxconn: number;
  proxies: readonly ProxyEntry[];
  readonly serversByIndex: (ServerEntry | undefined)[];
  readonly proxiesByIndex: (ProxyEntry | undefined)[];
  readonly listenersByIndex: (ListenerEntry | undefined)[];
}

/** A server's change of state, as the log tells it. */
export interface ServerStateChange {
  readonly before: ServerCondition;
  readonly after: ServerCondition;
  /** Behind "is UP" and the like: what brought it about, ", reason: ..." or " via b/s"; "" for the operator's admin words. */
  readonly note: string;
  /** Sessions on the server before anything was ended, and those that waited for it. */
  readonly sessions: number;
  readonly requeued: number;
}

/** What a reload changed about a server. */
export interface ReloadedServer {
  readonly checks: boolean;
  readonly name: boolean;
}

/** What `commit` tells the rest of the control thread, for the log and for the checks. */
export interface CommitEvents {
  onServerState(server: ServerEntry, change: ServerStateChange): void;
  /** Load balancing has no server of the backend left. */
  onBackendDown(backend: ProxyEntry): void;
  /** A check's result that `option log-health-checks` asks for; `text` without the full stop. */
  onCheckLog(server: ServerEntry, text: string): void;
  /** Whether, how often or where its checks run may have changed. */
  onHealthChange(server: ServerEntry, source: CheckSource | "both"): void;
  onServerAdded(server: ServerEntry): void;
  onServerDeleted(server: ServerEntry): void;
  /** A reload named the server, or named it no longer: what its checks, its name and `observe` go by may be new. */
  onServerReloaded(server: ServerEntry, change: ReloadedServer): void;
  /** What a policy does, or waits for: one line of the log; undefined: of no backend. */
  onPolicy(backend: ProxyEntry | undefined, level: LogLevel, text: string): void;
  /** A `reconcile` of the backend, or `continue-evictions` for undefined, is wanted at that time of `nowMs`, or before. */
  onReconcileAt(backend: ProxyEntry | undefined, atMs: number): void;
  /** The server has another address than `from` ("-": none); `by` found it. */
  onAddressChange(server: ServerEntry, from: string, by: string): void;
  /** Its name resolves again, which took it out of maintenance. */
  onResolvedAgain(server: ServerEntry): void;
  onFqdnChange(server: ServerEntry, from: string | undefined, by: string): void;
  onFrontendStopped(proxy: ProxyEntry, frontConnections: number, backSessions: number): void;
  onFrontendPaused(proxy: ProxyEntry): void;
  onFrontendResumed(proxy: ProxyEntry): void;
  /** Something ended or moved: whoever waits may look again. */
  onProgress(): void;
}

export interface CommitContext {
  readonly memory: SharedMemory;
  readonly registry: MutableRegistry;
  readonly orders: OrderSink;
  readonly events: CommitEvents;
  /** Monotonic clock. */
  readonly nowMs: () => number;
  /** 0 .. 1. */
  readonly random: () => number;
  readonly evictions: Evictions;
  /** What the kernel holds towards the server's address; foreign connections are ended if that is asked for. */
  readonly askKernel: (
    server: ServerEntry,
    destroyForeign: boolean,
  ) => Promise<KernelAnswer | typeof UNKNOWN | undefined>;
  readonly listeners: ListenerActions;
}

/** What is done to a frontend's listening sockets once no relay looks at them. */
export interface ListenerActions {
  close(proxy: ProxyEntry): void;
  pause(proxy: ProxyEntry): void;
  /** False if the system refuses, because another program has the port by now. */
  resume(proxy: ProxyEntry): boolean;
}

export const refuse = (code: RefusalCode, detail = ""): Receipt => ({ done: false, code, detail });
export const done = (matched = 0, ended = 0): Receipt => ({ done: true, matched, ended, survivors: 0 });
