// What `show stat` and `show servers state` say about a server's health check and agent.

import { type CheckState, checkedServer } from "../control/health/health-entry.ts";
import { CHECK_RESULT, CHECK_STATUS, hasCode, resultKindOf, statusWords } from "../control/health/result.ts";
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
  const seen = checkedServer(server).health;
  const { tracked } = server.health;
  const downMs = server.downMs + (server.downSinceMs === undefined ? 0 : Date.now() - server.downSinceMs);
  return {
    chkfail: enabled ? check.failures : "",
    chkdown: enabled ? downTransitions : "",
    downtime: enabled ? Math.floor(downMs / 1000) : "",
    hanafail: enabled ? policy.observedFailures : "",
    tracked: tracked === undefined ? "" : `${tracked.backend.name}/${tracked.name}`,
    ...columnsOf("check", "last_chk", check, seen.check, kept),
    ...columnsOf("agent", "last_agt", agent, agent),
  };
}

const IN_PROGRESS = 1;
const CONFIGURED = 2;
const ENABLED = 4;
const PAUSED = 8;
const AGENT = 16;

function stateBits(check: CheckState): number {
  const { counter } = check;
  return (
    (check.inProgress ? IN_PROGRESS : 0) |
    (counter.configured ? CONFIGURED : 0) |
    (counter.enabled ? ENABLED : 0) |
    (counter.paused ? PAUSED : 0)
  );
}

/** Columns of `show servers state`: status, result and health of the check, its state bits, and the agent's. */
export function checkStateColumns(server: ServerEntry): readonly number[] {
  const { check, agent } = server.health;
  const status = check.last?.status ?? "INI";
  const result = check.isAwaited ? CHECK_RESULT.unknown : CHECK_RESULT[resultKindOf(status)];
  const agentBits = stateBits(agent) | (agent.counter.configured ? AGENT : 0);
  return [CHECK_STATUS[status], result, check.counter.health, stateBits(check), agentBits];
}

/** Columns of `show servers state`: port and address that checks go to, address and port of the agent. */
export function checkTargetColumns(server: ServerEntry): readonly (string | number)[] {
  const { health, agent } = server.config;
  const running = server.health;
  return [
    running.check.port ?? health?.port ?? 0,
    running.check.host ?? health?.addr ?? "-",
    running.agent.host ?? agent?.addr ?? "-",
    running.agent.port ?? agent?.port ?? 0,
  ];
}
