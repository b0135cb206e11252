// What a reload works with: what was prepared before it, and what it did. Plain data. Control thread.

import type { ShownMessage } from "../../config/diagnostics.ts";
import type { ConfigDiff } from "../../config/diff/model.ts";
import type { BindConfig, Config, ProxyConfig, ServerConfig } from "../../config/model.ts";
import type { ResolversConfig } from "../../config/resolvers-model.ts";
import type { ResolvedAddress } from "../change.ts";
import type { BoundListener } from "../listeners.ts";
import type { ListenerEntry } from "../registry.ts";
import type { ReloadPlan } from "./plan/model.ts";

/** A listening address of the new configuration: a socket that is open already, or one that was just bound. */
export interface PlannedListener {
  readonly bind: BindConfig;
  readonly backlog: number;
  readonly socket:
    | { readonly kind: "open"; readonly entry: ListenerEntry }
    | { readonly kind: "new"; readonly bound: BoundListener };
}

export interface ListenerPlan {
  /** In the order of each frontend's bind lines. A frontend that `shutdown frontend` closed, and whose lines are the same, has none. */
  readonly byFrontend: ReadonlyMap<ProxyConfig, readonly PlannedListener[]>;
  /** Sockets that nobody wants any more. */
  readonly closing: readonly ListenerEntry[];
}

/** Everything that can fail, done: what is left cannot. */
export interface PreparedReload {
  readonly config: Config;
  /** To the configuration that is in force. */
  readonly diff: ConfigDiff;
  /** The process's limit of sessions from now on. */
  readonly maxconn: number;
  /** Of servers that are not there yet; undefined: none yet, it waits for its name to resolve. */
  readonly addresses: ReadonlyMap<ServerConfig, ResolvedAddress | undefined>;
  /** With addresses in place of nameservers' names. */
  readonly resolvers: readonly ResolversConfig[];
  readonly listeners: ListenerPlan;
}

/** What a reload did: in the form of its plan, and what it came to. */
export interface ReloadReport extends ReloadPlan {
  /** Sessions that were ended because of `on-removed shutdown-sessions`. */
  readonly ended: number;
  /** Milliseconds until the last relay thread had taken the new configuration on. */
  readonly relaysMs: number;
}

/** Milliseconds; 0 for what it did not come to. */
export interface ReloadTimes {
  /** The files were read and checked. */
  readonly read: number;
  /** Differences, names, sockets. */
  readonly prepare: number;
  /** The new configuration was put in force. */
  readonly commit: number;
  /** Of that, the longest that a relay thread took to take it on. */
  readonly relays: number;
  /** The longest that the control thread did one thing, and that a relay thread took for one turn, from begin to end. */
  readonly controlTurn: number;
  readonly relayTurn: number;
}

/** What a reload came to. */
export interface ReloadReceipt {
  /** Counts the reloads of the process, from 1. */
  readonly id: number;
  readonly outcome: "done" | "refused";
  /** "SIGHUP", "a stats socket" */
  readonly by: string;
  /** ISO 8601. */
  readonly started: string;
  readonly tookMs: number;
  /** What of that went where. */
  readonly times: ReloadTimes;
  readonly files: readonly string[];
  /** About the configuration, and why it was not taken. */
  readonly messages: readonly ShownMessage[];
  /** Undefined where it was refused: nothing has changed then. */
  readonly report: ReloadReport | undefined;
}
