// Changes of a server's health: what a check found, what the operator says about it, whether and where it is checked. Called by
// `commit` only; counters and state are written in one turn, before the relay threads are told.

import { ADMIN_MAINT, OperState, SERVER_WORDS, V_ADMIN, V_ERRORS, V_WEIGHT } from "../../memory/server-row.ts";
import type { Change, Receipt } from "../change.ts";
import { type CommitContext, done, refuse } from "../commit-context.ts";
import type { ServerEntry } from "../registry.ts";
import { changeOper, healthStateOf } from "../server-state.ts";
import { agentVerdict } from "./agent-check.ts";
import { applyAgentWords } from "./agent-words.ts";
import { checkLogText, reasonText } from "./check-text.ts";
import { type CheckState, startHealth } from "./health-entry.ts";
import { type CheckResult, NO_DURATION, resultKindOf } from "./result.ts";
import {
  type CheckSource,
  counterAtAlarm,
  countVerdict,
  highestHealth,
  type Oper,
  operAfterVerdict,
  type Verdict,
} from "./state-machine.ts";

/** Counts a result, and takes the server up or down where it leads to that. */
export async function applyCheckResult(
  context: CommitContext,
  change: Extract<Change, { kind: "check-result" }>,
): Promise<Receipt> {
  const { server, source, reply } = change;
  const check = server.health[source];
  let { result } = change;
  if (reply !== undefined) {
    const warning = await applyAgentWords(context, server, reply);
    if (warning !== "") result = agentVerdict(reply, result.durationMs, warning);
  }
  check.inProgress = false;
  check.hurries = false;
  return count(context, server, source, result);
}

/** Counts one result, which may be one of `observe`. */
async function count(
  context: CommitContext,
  server: ServerEntry,
  source: CheckSource,
  result: CheckResult,
): Promise<Receipt> {
  const check = server.health[source];
  const before = check.last?.status;
  check.last = result;
  check.isAwaited = false;
  // What was on its way when maintenance began says nothing about the server after it.
  if (check.counter.paused) return done();
  const verdict = verdictOf(source, result);
  const { counter, moved } = countVerdict(check.counter, verdict);
  check.counter = counter;
  if (verdict === "failed" && moved) check.failures++;
  if (verdict === "passed" || verdict === "condpass") {
    Atomics.store(context.memory.serversI32, server.index * SERVER_WORDS + V_ERRORS, 0);
  }
  const { logHealthChecks } = server.backend.config;
  if (logHealthChecks && (moved || result.status !== before) && resultKindOf(result.status) !== "neutral") {
    const weight = context.memory.serversI32[server.index * SERVER_WORDS + V_WEIGHT];
    context.events.onCheckLog(server, checkLogText(server, source, check, result, weight));
  }
  const oper = operAfterVerdict(healthStateOf(context.memory, server), source, verdict);
  if (oper === undefined) {
    // The pace of its checks depends on the counter.
    if (moved) context.events.onHealthChange(server, source);
    return done();
  }
  // With `option log-health-checks` the reason stands in the line before.
  return changeOper(context, server, oper, logHealthChecks ? "" : reasonText(result));
}

/**
 * `observe`: sessions could not connect as often in a row as its limit says, `alarms` times. The next check comes soon, and but for
 * `on-error fastinter` each alarm counts as a check that failed.
 */
export async function applyObservedErrors(
  context: CommitContext,
  server: ServerEntry,
  alarms: number,
): Promise<Receipt> {
  const { observe } = server.config.policy;
  const { check, policy } = server.health;
  // As in HAProxy a check that the operator disabled does not take this away.
  if (observe === undefined || !check.counter.configured || check.counter.paused) return done();
  policy.observedFailures += alarms;
  check.hurries = true;
  context.events.onHealthChange(server, "check");
  if (observe.onError === "fastinter") return done();
  const { errorLimit, onError } = observe;
  const description = `Detected ${errorLimit} consecutive errors, last one was: L4 unsuccessful connection`;
  for (let alarm = 0; alarm < alarms && check.counter.health > 0; alarm++) {
    check.counter = counterAtAlarm(check.counter, onError);
    await count(context, server, "check", { status: "HANA", code: 0, description, durationMs: NO_DURATION });
  }
  return done();
}

/** An agent that cannot be reached, or that talks of other things, says nothing about the server. */
function verdictOf(source: CheckSource, result: CheckResult): Verdict {
  const found = resultKindOf(result.status);
  if (found === "passed") return "passed";
  if (found === "conditionallyPassed") return "condpass";
  if (found !== "failed") return "unknown";
  return source === "check" || result.status === "L7STS" ? "failed" : "unknown";
}

/** `set server <b>/<s> health|agent`. */
export async function setHealth(
  context: CommitContext,
  server: ServerEntry,
  source: CheckSource,
  oper: Oper,
): Promise<Receipt> {
  if (source === "check" && server.health.tracked !== undefined) return refuse("tracking-server");
  const check = server.health[source];
  if (source === "agent" && !check.counter.enabled) return refuse("check-not-enabled");
  const health = oper === OperState.STOPPED ? 0 : highestHealth(check.counter);
  check.counter = { ...check.counter, health };
  context.events.onHealthChange(server, source);
  return changeOper(context, server, oper, ", changed from CLI");
}

/** `enable|disable health|agent`: a disabled check keeps its counter, which has no say until it is enabled again. */
export async function enableCheck(
  context: CommitContext,
  server: ServerEntry,
  source: CheckSource,
  enabled: boolean,
): Promise<Receipt> {
  const check = server.health[source];
  if (enabled && !check.counter.configured) return refuse("check-not-configured");
  if (check.counter.enabled === enabled) return done();
  check.counter = { ...check.counter, enabled };
  context.events.onHealthChange(server, source);
  if (!enabled || source === "agent") return done();
  const admin = context.memory.serversI32[server.index * SERVER_WORDS + V_ADMIN];
  if ((server.config.health?.initState ?? "none") === "none" || (admin & ADMIN_MAINT) !== 0) return done();
  return changeOper(context, server, startHealth(server.health, server.config, admin), "");
}

/** `set server <b>/<s> check-addr|check-port|agent-addr|agent-port|agent-send`. */
export async function setCheckTarget(
  context: CommitContext,
  change: Extract<Change, { kind: "set-check-target" }>,
): Promise<Receipt> {
  const check: CheckState = change.server.health[change.source];
  if (!check.counter.enabled) return refuse("check-not-enabled");
  check.host = change.host ?? check.host;
  check.port = change.port ?? check.port;
  check.send = change.send ?? check.send;
  context.events.onHealthChange(change.server, change.source);
  return done();
}
