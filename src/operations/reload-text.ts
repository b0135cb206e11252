// The receipt of a reload, for people: what was done to whom, and what is worth knowing. Pure; any thread.

import { placedText } from "../control/log/reload-messages.ts";
import type { ReloadReceipt, ReloadReport } from "../control/reload/model.ts";
import { summaryText } from "../control/reload/summary.ts";

/** Lines of one kind at most; the JSON form has them all. */
const LINES_MOST = 100;

/** Several lines, each with its line feed; the sum of it first. */
export function reloadText(receipt: ReloadReceipt): string {
  const lines = [summaryText(receipt)];
  for (const message of receipt.messages) {
    if (message.severity === "notice") continue;
    lines.push(`  ${message.severity}: ${placedText(message)}`);
    if (message.hint !== undefined) lines.push(`    hint: ${message.hint}`);
  }
  if (receipt.report !== undefined) lines.push(...reportLines(receipt.report));
  return `${lines.join("\n")}\n`;
}

function reportLines(report: ReloadReport): string[] {
  const { proxies, servers, listeners } = report;
  const settings = ({ name, settings: all }: ReloadReport["servers"]["changed"][number]): string =>
    `${name}: ${all.map((setting) => `${setting.name} ${setting.old ?? "off"} -> ${setting.new ?? "off"}`).join(", ")}`;
  const sessions = (n: number): string => `${n} session${n === 1 ? "" : "s"}`;
  return [
    ...list("proxy added", proxies.added),
    ...list("proxy changed", proxies.changed.map(settings)),
    ...list("proxy removed", proxies.removed),
    ...list(
      "proxy leaving",
      proxies.leaving.map((each) => `${each.name}: ${sessions(each.sessions)}, ${each.policy}`),
    ),
    ...list("server added", servers.added),
    ...list("server changed", servers.changed.map(settings)),
    ...list("server adopted", servers.adopted),
    ...list("server removed", servers.removed),
    ...list(
      "server leaving",
      servers.leaving.map((each) => `${each.name}: ${sessions(each.sessions)}, ${each.policy}`),
    ),
    ...list("server stays deleted, as an operator ordered", servers.staysDeleted),
    ...list("server stays, an operator added it", servers.dynamic),
    ...list("address opened", listeners.opened),
    ...list(
      "address moved",
      listeners.moved.map(({ address, from, to }) => `${address}: ${from} -> ${to}`),
    ),
    ...list("address closed", listeners.closed),
    ...list("frontend stays shut down, as an operator ordered", listeners.staysShut),
    ...list(
      "global",
      report.global.map((setting) => `${setting.name} ${setting.old ?? "off"} -> ${setting.new ?? "off"}`),
    ),
    ...list(
      "relay thread leaving",
      report.leavingThreads.map((each) => `${each.thread}: ${sessions(each.sessions)}`),
    ),
    ...list(
      "overruled",
      report.overruled.map(({ what, operator, file }) => `${what}: the operator's ${operator}, now ${file}`),
    ),
    ...list(
      "needs a restart",
      report.needsRestart.map((setting) => `${setting.name} ${setting.old ?? "off"} -> ${setting.new ?? "off"}`),
    ),
    ...(report.ended > 0 ? [`  sessions ended: ${report.ended}`] : []),
  ];
}

function list(what: string, items: readonly string[]): string[] {
  const shown = items.slice(0, LINES_MOST).map((item) => `  ${what}: ${item}`);
  const left = items.length - LINES_MOST;
  return left > 0 ? [...shown, `  ${what}: ${left} more`] : shown;
}
