// What a reload does, said before it (`plan`) and after it (its receipt): names, numbers and texts only, so that it can be sent as
// JSON and printed anywhere. Plain, immutable data.

import type { SettingChange } from "../../../config/diff/model.ts";
import type { RemovalPolicy } from "../../../config/health-model.ts";
import type { ProxyConfig, SourcePlace } from "../../../config/model.ts";

/** A frontend, backend or listen section. */
export interface PlannedProxy {
  readonly kind: ProxyConfig["kind"];
  readonly name: string;
  /** How many it has. */
  readonly servers: number;
  readonly place: SourcePlace;
}

/** What becomes of the sessions of something that is removed. */
export interface Fate {
  /** Sessions at the time of the look, those in its queue included. */
  readonly sessions: number;
  readonly policy: RemovalPolicy;
  /** How long they may last, by `on-removed drain` or `hard-stop-after`: 0 at once; null: as long as they like. */
  readonly endsAfterMs: number | null;
}

/** `sessions`: of a frontend or listen section those that came in by it; of a backend those that wait in it, or are on servers that left before. */
export interface LeavingProxy extends PlannedProxy, Fate {}

export interface PlannedServer {
  readonly backend: string;
  readonly server: string;
  /** As configured: "127.0.0.1:80". */
  readonly address: string;
  readonly place: SourcePlace;
}

export interface LeavingServer extends PlannedServer, Fate {
  /** "removed" from its section; "readdressed": a new one takes its name; "section": its section is removed. */
  readonly why: "removed" | "readdressed" | "section";
  /** The name by which commands reach it from then on, without its backend's: another one where a new server takes its own. */
  readonly called: string;
}

export interface ChangedServer extends PlannedServer {
  readonly changes: readonly SettingChange[];
}

export interface ChangedProxy {
  readonly kind: ProxyConfig["kind"];
  readonly name: string;
  readonly changes: readonly SettingChange[];
  readonly place: SourcePlace;
}

export interface NamedListener {
  /** As configured. */
  readonly address: string;
  /** The frontend or listen section whose it is, or becomes. */
  readonly frontend: string;
  readonly place: SourcePlace;
}

export interface ChangedListener extends NamedListener {
  readonly changes: readonly SettingChange[];
}

export interface MovedListener extends ChangedListener {
  readonly from: string;
}

/** Resolvers, log targets, stats sockets, stats sections: by name or address. */
export interface PlannedList {
  readonly added: readonly string[];
  readonly changed: readonly { readonly name: string; readonly changes: readonly SettingChange[] }[];
  readonly removed: readonly string[];
}

/** A value that was changed while the process runs, by an operator or an agent, and what the files say of it. */
export interface RuntimeValue {
  /** "global", "frontend f", "b/s1". */
  readonly of: string;
  /** "weight", "maxconn", "address", "state" ("ready", "drain", "maint"; of a frontend "disabled", "shut down"). */
  readonly setting: string;
  readonly runtime: string;
  /** What the files say now. */
  readonly file: string;
  /** Its address is another in the files: what takes its name is a new server, with none of the runtime values. */
  readonly isReaddressed: boolean;
}

/** Sessions that a standing policy ends, because the files bring other words about them or take their server out of service. */
export interface PolicyCut {
  /** "b/s1" */
  readonly of: string;
  /** The state of the server; or its sessions are "older", or "idle" for longer, than they may now be. */
  readonly because: "enters maintenance" | "is in maintenance" | "drains" | "is down" | "older" | "idle";
  readonly setting: "on-maint" | "on-drain" | "on-marked-down" | "max-session-age" | "max-session-idle";
  /** What the file says behind it. */
  readonly says: string;
  readonly sessions: number;
  /** 0: at once; null: each as soon as it is quiet. */
  readonly endsAfterMs: number | null;
}

/** A relay thread that takes no new connections from then on, by its number in `show sess`, and the sessions that it goes on with. */
export interface LeavingThread {
  readonly thread: number;
  readonly sessions: number;
}

export interface ReloadPlan {
  /** Why the reload would be refused as a whole, as far as that shows before anything is opened or looked up; null: it would not. */
  readonly refusal: string | null;
  /** The files say something else than what was last loaded. */
  readonly hasChanges: boolean;
  /** Changes that wait for a restart are among `global`. */
  readonly needsRestart: boolean;
  readonly proxies: {
    /** How many stay, changed or not; of servers and listeners alike. */
    readonly kept: number;
    readonly added: readonly PlannedProxy[];
    readonly changed: readonly ChangedProxy[];
    readonly leaving: readonly LeavingProxy[];
  };
  /** Those of added and leaving sections included. A server with another address is in `added` and in `leaving`. */
  readonly servers: {
    readonly kept: number;
    readonly added: readonly PlannedServer[];
    readonly changed: readonly ChangedServer[];
    readonly leaving: readonly LeavingServer[];
    /** They were leaving, or had been added at runtime, and become the file's. */
    readonly adopted: readonly PlannedServer[];
    /** Added at runtime, in no file: they stay. */
    readonly dynamic: readonly PlannedServer[];
    /** Deleted at runtime, and their lines say what they said before: they do not come back. */
    readonly staysDeleted: readonly PlannedServer[];
  };
  readonly listeners: {
    readonly kept: number;
    readonly opened: readonly NamedListener[];
    readonly changed: readonly ChangedListener[];
    readonly moved: readonly MovedListener[];
    readonly closed: readonly NamedListener[];
  };
  readonly cuts: readonly PolicyCut[];
  readonly global: readonly (SettingChange & { readonly effect: "at once" | "needs a restart" })[];
  readonly leavingThreads: readonly LeavingThread[];
  readonly resolvers: PlannedList;
  readonly logTargets: PlannedList;
  readonly statsSockets: PlannedList;
  readonly statsSections: PlannedList;
  /** The file says something else than it said before, and than the runtime value: the file wins. Those of readdressed servers too. */
  readonly overruled: readonly RuntimeValue[];
  /** The file says what it said before: the runtime value stays. */
  readonly staying: readonly RuntimeValue[];
}
