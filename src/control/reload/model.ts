// What a reload works with: what was prepared before it, and what it did. Plain data. Control thread.

import type { ConfigDiff, SettingChange } from "../../config/diff/model.ts";
import type { BindConfig, Config, ProxyConfig, ServerConfig, SourcePlace } from "../../config/model.ts";
import type { ResolversConfig } from "../../config/resolvers-model.ts";
import type { ResolvedAddress } from "../change.ts";
import type { BoundListener } from "../listeners.ts";
import type { ListenerEntry } from "../registry.ts";

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
  /** Relay threads in service from now on; they run already. */
  readonly threads: number;
  /** Of servers that are not there yet; undefined: none yet, it waits for its name to resolve. */
  readonly addresses: ReadonlyMap<ServerConfig, ResolvedAddress | undefined>;
  /** With addresses in place of nameservers' names. */
  readonly resolvers: readonly ResolversConfig[];
  readonly listeners: ListenerPlan;
}

/** Something that leaves, and with how many sessions. */
export interface Departure {
  readonly name: string;
  readonly sessions: number;
  /** What becomes of them, as `on-removed` is written: "keep", "drain 30s", "shutdown-sessions". */
  readonly policy: string;
}

/** A value that an operator had changed, and that the file now overrules. */
export interface Overruled {
  /** "server be/a weight" */
  readonly what: string;
  readonly operator: string;
  readonly file: string;
}

export interface ReloadReport {
  readonly proxies: {
    readonly added: string[];
    readonly kept: number;
    readonly changed: { readonly name: string; readonly settings: readonly SettingChange[] }[];
    readonly leaving: Departure[];
    /** Gone at once: nobody used them. */
    readonly removed: string[];
  };
  readonly servers: {
    readonly added: string[];
    readonly kept: number;
    readonly changed: { readonly name: string; readonly settings: readonly SettingChange[] }[];
    /** They were leaving, or had been added at runtime, and are the file's now. */
    readonly adopted: string[];
    /** Added at runtime, and still there. */
    readonly dynamic: string[];
    /** Deleted at runtime, and still in the file. */
    readonly staysDeleted: string[];
    readonly leaving: Departure[];
    readonly removed: string[];
  };
  readonly listeners: {
    readonly kept: number;
    readonly opened: string[];
    readonly moved: { readonly address: string; readonly from: string; readonly to: string }[];
    readonly closed: string[];
    /** Frontends that an operator shut down and the file leaves as they are. */
    readonly staysShut: string[];
  };
  readonly global: readonly SettingChange[];
  /** Relay threads that take no new sessions from now on, and the sessions that they still serve. */
  readonly leavingThreads: { readonly thread: number; readonly sessions: number }[];
  readonly overruled: Overruled[];
  /** What cannot change while the process runs. */
  readonly needsRestart: readonly SettingChange[];
  /** Sessions that were ended because of `on-removed shutdown-sessions`. */
  ended: number;
  /** Milliseconds until the last relay thread had taken the new configuration on. */
  relaysMs: number;
}

/** A message about the configuration, or why it was not taken. */
export interface ReloadMessage {
  readonly severity: "error" | "warning" | "notice";
  readonly text: string;
  readonly hint?: string;
  readonly place?: SourcePlace;
}

/** Milliseconds; 0 for what it did not come to. */
export interface ReloadTimes {
  /** The files were read and checked: the control thread does nothing else then. */
  readonly read: number;
  /** Differences, names, sockets. */
  readonly prepare: number;
  /** The new configuration was put in force. */
  readonly commit: number;
  /** Of that, the longest that a relay thread took to take it on. */
  readonly relays: number;
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
  readonly messages: readonly ReloadMessage[];
  /** Undefined where it was refused: nothing has changed then. */
  readonly report: ReloadReport | undefined;
}
