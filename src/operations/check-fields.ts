// What `show stat` says about a server's health check and agent.

import { type CheckState, checkedServer } from "../control/health/health-entry.ts";
import { hasCode, statusWords } from "../control/health/result.ts";
import { isRunning } from "../control/health/state-machine.ts";
import type { ServerEntry } from "../control/registry.ts";

type Values = Record<string, string | number>;

/** The columns of one check by their common prefix; empty while it does not run. */
function columnsOf(
  prefix: "check" | "agent",
  lastColumn: string,
  check: CheckState,
  seen: CheckState,
  note = "",
): Values {
  const { last, inProgress, isAwaited } = check;
  const shown = isRunning(check.counter);
  const status = last?.status ?? "INI";
  const show = (value: string | number, when = true): string | number => (shown && when ? value : "");
  return {
    [`${prefix}_status`]: show(`${inProgress ? "* " : ""}${status}`),
    [`${prefix}_code`]: show(isAwaited ? 0 : (last?.code ?? 0), hasCode(status)),
    [`${prefix}_duration`]: show(Math.max(0, last?.durationMs ?? 0), prefix === "agent" || last !== undefined),
    [`${prefix}_desc`]: show(statusWords(status)),
    // A check that starts has neither code nor text yet.
    [lastColumn]: show([isAwaited ? "" : (last?.description ?? ""), note].filter((text) => text !== "").join("; ")),
    [`${prefix}_rise`]: show(seen.counter.rise),
    [`${prefix}_fall`]: show(seen.counter.fall),
    [`${prefix}_health`]: show(seen.counter.health),
  };
}

/** The columns of `show stat` that speak of health, but for `status`. */
export function healthColumns(server: ServerEntry): Values {
  const { check, agent, policy, downTransitions } = server.health;
  const kept = policy.keptBecause === undefined ? "" : `sessions kept by cut-guard: ${policy.keptBecause}`;
  const { enabled } = check.counter;
  const checked = checkedServer(server);
  const seen = checked.health;
  const { tracked } = server.health;
  const downMs = server.downMs + (server.downSinceMs === undefined ? 0 : Date.now() - server.downSinceMs);
  return {
    chkfail: enabled ? check.failures : "",
    chkdown: enabled ? downTransitions : "",
    downtime: enabled ? Math.floor(downMs / 1000) : "",
    hanafail: checked.config.policy.observe === undefined ? "" : policy.observedFailures,
    tracked: tracked === undefined ? "" : `${tracked.backend.name}/${tracked.name}`,
    ...columnsOf("check", "last_chk", check, seen.check, kept),
    ...columnsOf("agent", "last_agt", agent, agent),
  };
}
