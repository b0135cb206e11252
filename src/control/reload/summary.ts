// A reload in one sentence. Pure; any thread.

import type { ReloadReceipt, ReloadReport } from "./model.ts";

/** "Reload 3 is done in 12 ms: 1 server added, 2 leaving with 5 sessions." */
export function summaryText(receipt: ReloadReceipt): string {
  const { id, outcome, tookMs, report } = receipt;
  if (outcome === "refused" || report === undefined) return `Reload ${id} is refused: nothing has changed.`;
  const parts = changesOf(report);
  return `Reload ${id} is done in ${tookMs} ms: ${parts.length === 0 ? "nothing to change" : parts.join(", ")}.`;
}

function changesOf({ proxies, servers, listeners, global, overruled, needsRestart }: ReloadReport): string[] {
  const sessions = [...servers.leaving].reduce((sum, departure) => sum + departure.sessions, 0);
  const leaving = servers.leaving.length;
  return [
    count(proxies.added.length, "proxy", "proxies", "added"),
    count(proxies.changed.length, "proxy", "proxies", "changed"),
    count(proxies.removed.length + proxies.leaving.length, "proxy", "proxies", "removed"),
    count(servers.added.length, "server", "servers", "added"),
    count(servers.changed.length, "server", "servers", "changed"),
    count(servers.adopted.length, "server", "servers", "adopted"),
    count(servers.removed.length, "server", "servers", "removed"),
    leaving === 0 ? "" : `${count(leaving, "server", "servers", "leaving")} with ${number(sessions, "session")}`,
    count(listeners.opened.length, "address", "addresses", "opened"),
    count(listeners.moved.length, "address", "addresses", "moved"),
    count(listeners.closed.length, "address", "addresses", "closed"),
    count(global.length, "global setting", "global settings", "changed"),
    count(overruled.length, "operator's value", "operators' values", "overruled"),
    needsRestart.length === 0 ? "" : `${needsRestart.map(({ name }) => name).join(", ")} need a restart`,
  ].filter((part) => part !== "");
}

const number = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;

const count = (n: number, one: string, many: string, what: string): string =>
  n === 0 ? "" : `${n} ${n === 1 ? one : many} ${what}`;
