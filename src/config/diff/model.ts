// What differs between two configurations, as reload and `headgate plan` see it. Plain, immutable data; any thread.

import type {
  BindConfig,
  LogTarget,
  ProxyConfig,
  ServerConfig,
  SourcePlace,
  StatsSection,
  StatsSocket,
} from "../model.ts";
import type { ResolversConfig } from "../resolvers-model.ts";

/**
 * One setting that says something else than before. `name` as in the file ("weight", "timeout server", "option fence"), the texts much
 * as they would be written; undefined: not set, or off.
 */
export interface SettingChange {
  readonly name: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
  /** Where the new configuration has what it belongs to: the server's line, the section's first. Undefined in `global`. */
  readonly place?: SourcePlace;
}

/** Whether a running process can take a change in. */
export type Effect = "at once" | "needs a restart";

export interface GlobalChange extends SettingChange {
  readonly effect: Effect;
}

/**
 * Something that is in both. `changes` names what a person would call different. Without any, `old` and `new` can still differ in
 * places, in numbers given out by position, and in what follows from a setting that is reported where it stands (`timeout check` of the
 * section in a server's check): what runs must take `new`.
 */
export interface Kept<T> {
  readonly old: T;
  readonly new: T;
  readonly changes: readonly SettingChange[];
}

/** In both, the same in `old` and `new`; but what it was is now another. */
export interface Replaced<T> {
  readonly old: T;
  readonly new: T;
}

/**
 * The servers of a section that is kept. A server is the same if its name and its configured endpoint (host, port, kind of port, path
 * of a unix socket) are; each server of the old and of the new section is in exactly one of the lists.
 */
export interface ServersDiff {
  readonly added: readonly ServerConfig[];
  /** In the order of the new section. */
  readonly kept: readonly Kept<ServerConfig>[];
  readonly removed: readonly ServerConfig[];
  /** Same name, other endpoint: the old one leaves, the new one is added. In neither of those lists. */
  readonly readdressed: readonly Replaced<ServerConfig>[];
}

/** A section that is kept: same kind and name. Its bind lines are in `ConfigDiff.binds`. */
export interface KeptProxy extends Kept<ProxyConfig> {
  readonly servers: ServersDiff;
}

/** A listening address and the frontend (or listen section) whose it is. */
export interface BindOf {
  readonly bind: BindConfig;
  readonly proxy: ProxyConfig;
}

/** A listening address that stays open. */
export interface KeptBind {
  readonly old: BindOf;
  readonly new: BindOf;
  readonly changes: readonly SettingChange[];
}

/**
 * The listening addresses of all sections that are not disabled. An address is the same if its endpoint is (and `v6only`, which cannot be
 * changed once bound); one that is written twice counts as two.
 */
export interface BindsDiff {
  readonly kept: readonly KeptBind[];
  /** From one section to another. */
  readonly moved: readonly KeptBind[];
  readonly opened: readonly BindOf[];
  readonly closed: readonly BindOf[];
}

/** Things with a name or an address of their own. */
export interface ListDiff<T> {
  readonly added: readonly T[];
  readonly kept: readonly Kept<T>[];
  readonly removed: readonly T[];
}

export interface ConfigDiff {
  /** Something at all differs: an addition, a removal, or a change of a setting. */
  readonly hasChanges: boolean;
  readonly proxies: {
    readonly added: readonly ProxyConfig[];
    /** In the order of the new configuration. */
    readonly kept: readonly KeptProxy[];
    readonly removed: readonly ProxyConfig[];
  };
  readonly binds: BindsDiff;
  /** Settings of `global` but its `stats socket` and `log` lines. */
  readonly global: readonly GlobalChange[];
  /** By name. */
  readonly resolvers: ListDiff<ResolversConfig>;
  /** `log` lines of `global`. Those of sections are the setting `log` of theirs. */
  readonly logTargets: ListDiff<LogTarget>;
  /** By endpoint. */
  readonly statsSockets: ListDiff<StatsSocket>;
  /** By name. */
  readonly statsSections: ListDiff<StatsSection>;
}
