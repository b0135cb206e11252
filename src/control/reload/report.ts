// What a reload did, to begin with: what the two configurations tell by themselves. Pure. Control thread.

import type { ConfigDiff, Kept } from "../../config/diff/model.ts";
import type { Match } from "./match.ts";
import type { ReloadReport } from "./model.ts";

/** The rest is filled in while the reload is carried out. */
export function newReport(diff: ConfigDiff, match: Match): ReloadReport {
  const changed = <T extends { readonly name: string }>(kept: readonly Kept<T>[], prefix = "") =>
    kept
      .filter(({ changes }) => changes.length > 0)
      .map((thing) => ({ name: `${prefix}${thing.new.name}`, settings: thing.changes }));
  const servers = match.proxies.flatMap((proxy) => proxy.servers);
  return {
    proxies: {
      added: match.proxies.filter(({ entry }) => entry === undefined).map(({ config }) => config.name),
      kept: match.proxies.filter(({ entry }) => entry !== undefined).length,
      changed: changed(diff.proxies.kept),
      leaving: [],
      removed: [],
    },
    servers: {
      added: [],
      kept: servers.filter(({ entry }) => entry !== undefined).length,
      changed: diff.proxies.kept.flatMap((proxy) => changed(proxy.servers.kept, `${proxy.new.name}/`)),
      adopted: [],
      dynamic: [],
      staysDeleted: [],
      leaving: [],
      removed: [],
    },
    listeners: { kept: diff.binds.kept.length, opened: [], moved: [], closed: [], staysShut: [] },
    global: diff.global.filter(({ effect }) => effect === "at once"),
    leavingThreads: [],
    overruled: [],
    needsRestart: diff.global.filter(({ effect }) => effect !== "at once"),
    ended: 0,
    relaysMs: 0,
  };
}
