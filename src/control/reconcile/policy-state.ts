// What the control thread remembers of the policies that run: of a server, and of a backend. Written by `reconcile` only.

import type { ServerEntry } from "../registry.ts";
import type { Pace } from "./cut-pace.ts";
import type { ServerEviction } from "./eviction.ts";

/** A server that is down, and whose sessions are to end; times of the monotonic clock. */
export interface MarkedDown {
  readonly sinceMs: number;
  /** Under way, with `over <time>`. */
  pace: Pace | undefined;
  /** Sessions that were ended so far. */
  ended: number;
}

/** A server that drains, and whose sessions are to end by `on-drain`. */
export interface Draining {
  /** With `over <time>`. */
  pace: Pace | undefined;
  /** Sessions that were ended so far. */
  ended: number;
}

export interface PolicyState {
  /** Since when it takes part again, with `slowstart`; undefined: it does so in full, or not at all. */
  startingSinceMs: number | undefined;
  /** Undefined while it is not down, and when all its sessions have ended. */
  down: MarkedDown | undefined;
  /** In maintenance, and its sessions are to end by `on-maint`; undefined: not so, or they have ended. */
  maintenance: { readonly sinceMs: number } | undefined;
  /** Undefined while it does not drain, and when all its sessions have ended. */
  draining: Draining | undefined;
  /** Under way; until it ends, `on-marked-down` and `on-maint` have no say. */
  eviction: ServerEviction | undefined;
  /** Why `cut-guard` keeps its sessions; undefined: it does not. */
  keptBecause: string | undefined;
  /** Alarms of `observe`. */
  observedFailures: number;
}

export const createPolicyState = (): PolicyState => ({
  startingSinceMs: undefined,
  down: undefined,
  maintenance: undefined,
  draining: undefined,
  eviction: undefined,
  keptBecause: undefined,
  observedFailures: 0,
});

/** A change of servers under `option fence` that is not finished. */
export interface FenceGap {
  /** When the leader was given its last session, by the monotonic clock. */
  readonly sinceMs: number;
  /** The log has said for whom new sessions wait. */
  announced: boolean;
}

/** `rebalance` under way. */
export interface Rebalancing {
  pace: Pace;
  /** Sessions that were let go so far, and when the last one was. */
  ended: number;
  lastMs: number;
  /** Sessions that had come to the backend when it began. */
  readonly arrivedBefore: number;
}

export interface BackendPolicies {
  /** Servers that have to be looked at: they start slowly, or their sessions are to end. */
  readonly attention: Set<ServerEntry>;
  gap: FenceGap | undefined;
  rebalancing: Rebalancing | undefined;
}

export const createBackendPolicies = (): BackendPolicies => ({
  attention: new Set(),
  gap: undefined,
  rebalancing: undefined,
});
