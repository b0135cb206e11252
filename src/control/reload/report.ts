// What a reload did, noted while it is carried out, in the form of its plan: so that both read alike. Control thread, only within `commit`.

import type { Steps } from "../../base/turns.ts";
import type { ConfigDiff } from "../../config/diff/model.ts";
import type { Match } from "./match.ts";
import type { ReloadReport } from "./model.ts";
import type {
  ChangedListener,
  LeavingProxy,
  LeavingServer,
  MovedListener,
  NamedListener,
  PlannedServer,
} from "./plan/model.ts";
import { changedProxies, changedServers, otherParts, plannedProxy } from "./plan/parts.ts";

/** What is only known once it is done. */
export interface Deeds {
  readonly servers: {
    readonly added: PlannedServer[];
    readonly adopted: PlannedServer[];
    readonly dynamic: PlannedServer[];
    readonly staysDeleted: PlannedServer[];
    readonly leaving: LeavingServer[];
  };
  readonly proxies: { readonly leaving: LeavingProxy[] };
  readonly listeners: {
    kept: number;
    readonly opened: NamedListener[];
    readonly changed: ChangedListener[];
    readonly moved: MovedListener[];
    readonly closed: NamedListener[];
  };
  /** As in ReloadReport. */
  ended: number;
  relaysMs: number;
}

/** What becomes of operators' values, whose sessions policies end, and which threads leave: looked at before anything changed. */
export type Foreseen = Pick<ReloadReport, "overruled" | "staying" | "cuts" | "leavingThreads">;

export const newDeeds = (): Deeds => ({
  servers: { added: [], adopted: [], dynamic: [], staysDeleted: [], leaving: [] },
  proxies: { leaving: [] },
  listeners: { kept: 0, opened: [], changed: [], moved: [], closed: [] },
  ended: 0,
  relaysMs: 0,
});

export function* reportOf(diff: ConfigDiff, { proxies }: Match, foreseen: Foreseen, deeds: Deeds): Steps<ReloadReport> {
  const kept = proxies.filter(({ entry }) => entry !== undefined);
  let keptServers = 0;
  for (const { servers } of proxies) for (const { entry } of servers) if (entry !== undefined) keptServers++;
  return {
    refusal: null,
    ...otherParts(diff),
    proxies: {
      kept: kept.length,
      added: proxies.filter(({ entry }) => entry === undefined).map(({ config }) => plannedProxy(config)),
      changed: changedProxies(diff),
      ...deeds.proxies,
    },
    servers: { kept: keptServers, changed: yield* changedServers(diff), ...deeds.servers },
    listeners: deeds.listeners,
    ...foreseen,
    ended: deeds.ended,
    relaysMs: deeds.relaysMs,
  };
}
