// HAProxy's rules of server health, pure: how results of checks move a server's counters, when it goes up, down or stops
// taking sessions, and what maintenance does to it. No clock, no I/O, nothing shared.

import { ADMIN_DRAIN, ADMIN_MAINT, AdminState, OperState } from "../../memory/server-row.ts";

export type Oper = (typeof OperState)[keyof typeof OperState];

/**
 * One check's memory of a server. `health` runs from 0 to rise + fall - 1, and the check holds the server for up from `rise` on.
 * `enabled` is the operator's word, `paused` that of maintenance: the check runs while it is enabled and not paused.
 */
export interface CheckCounter {
  readonly rise: number;
  readonly fall: number;
  readonly health: number;
  readonly configured: boolean;
  readonly enabled: boolean;
  readonly paused: boolean;
}

/** What one check found. "unknown": it says nothing about the server (an agent that cannot be reached, a neutral answer). */
export type Verdict = "passed" | "condpass" | "failed" | "unknown";

export type CheckSource = "check" | "agent";

export type InitState = "fully-up" | "up" | "down" | "fully-down" | "none";

/** All that decides over a server's operational state. */
export interface HealthState {
  readonly check: CheckCounter;
  readonly agent: CheckCounter;
  /** AdminState bits. */
  readonly admin: number;
  readonly oper: Oper;
  /** The state of the server that it tracks. */
  readonly trackedOper?: Oper;
}

export const highestHealth = (counter: CheckCounter): number => counter.rise + counter.fall - 1;
export const isPassing = (counter: CheckCounter): boolean => counter.health >= counter.rise;
export const isRunning = (counter: CheckCounter): boolean => counter.enabled && !counter.paused;

/** HAProxy's numbers for servers without a check, and for agents, whose one word counts. */
export const DEFAULT_RISE = 2;
export const DEFAULT_FALL = 3;
export const AGENT_RISE = 1;
export const AGENT_FALL = 1;

/** A check before its first result: up, and down after one failure. */
export function initialCounter(rise: number, fall: number, configured: boolean, enabled = configured): CheckCounter {
  return { rise, fall, health: rise, configured, enabled, paused: false };
}

/**
 * `init-state`: what a server counts as before its first check, at start and when it leaves maintenance. Undefined where
 * it has no say: not configured, or the server is (or was configured to be) in maintenance.
 */
export function initialState(
  init: InitState,
  counter: CheckCounter,
  admin: number,
): { readonly oper: Oper; readonly check: CheckCounter } | undefined {
  if (init === "none" || (admin & (AdminState.FORCED_MAINT | AdminState.CONFIG_MAINT)) !== 0) return undefined;
  const health = {
    "fully-up": highestHealth(counter),
    up: counter.rise,
    down: counter.rise - 1,
    "fully-down": 0,
  }[init];
  return {
    oper: init === "fully-up" || init === "up" ? OperState.RUNNING : OperState.STOPPED,
    check: { ...counter, health },
  };
}

/** The counter after a result. `moved`: the result changed something, so it is worth a line of `option log-health-checks`. */
export function countVerdict(
  counter: CheckCounter,
  verdict: Verdict,
): { readonly counter: CheckCounter; readonly moved: boolean } {
  if (verdict === "failed" && counter.health > 0) {
    const less = counter.health - 1;
    // Down at once counts from 0: rise successes in a row are needed again.
    return { counter: { ...counter, health: less < counter.rise ? 0 : less }, moved: true };
  }
  if ((verdict === "passed" || verdict === "condpass") && counter.health < highestHealth(counter)) {
    const more = counter.health + 1;
    return { counter: { ...counter, health: more >= counter.rise ? highestHealth(counter) : more }, moved: true };
  }
  return { counter, moved: false };
}

/** What `observe` does to the counter before the alarm counts as a failed check. */
export function counterAtAlarm(
  counter: CheckCounter,
  onError: "fail-check" | "sudden-death" | "mark-down",
): CheckCounter {
  // One more failure, and the server is down.
  if (onError === "sudden-death" && counter.health > counter.rise) return { ...counter, health: counter.rise + 1 };
  return onError === "mark-down" ? { ...counter, health: counter.rise } : counter;
}

/** Where a result leads, with its counter already moved; undefined: the server stays as it is. */
export function operAfterVerdict(state: HealthState, source: CheckSource, verdict: Verdict): Oper | undefined {
  if (verdict === "unknown" || (state.admin & ADMIN_MAINT) !== 0) return undefined;
  if (verdict === "failed") {
    const down = state[source].health === 0 && state.oper !== OperState.STOPPED;
    return down ? OperState.STOPPED : undefined;
  }
  if (state.trackedOper === OperState.STOPPED || !checksAgree(state)) return undefined;
  if (verdict === "condpass") {
    return source === "check" && state.oper !== OperState.STOPPING ? OperState.STOPPING : undefined;
  }
  // Only the health check may end what a conditional success began.
  if (source === "agent" && state.oper === OperState.STOPPING) return undefined;
  return isUp(state.oper) ? undefined : OperState.RUNNING;
}

export const isUp = (oper: Oper): boolean => oper === OperState.RUNNING || oper === OperState.STARTING;

/** Neither of the enabled checks holds the server for down. */
const checksAgree = (state: HealthState): boolean =>
  (!state.check.enabled || isPassing(state.check)) && (!state.agent.enabled || isPassing(state.agent));

/** The health check of a server that goes into maintenance: it rests, and the server counts as failed. */
export function checkEnteringMaintenance(state: HealthState): CheckCounter {
  if (state.check.enabled) return { ...state.check, paused: true, health: 0 };
  return state.oper === OperState.STOPPED ? state.check : { ...state.check, health: 0 };
}

/**
 * A server that leaves maintenance (`state` has the new admin bits, and the oper state of maintenance) is up at once unless a
 * check or the server that it tracks says otherwise.
 */
export function afterMaintenance(
  state: HealthState,
  init: InitState,
): { readonly check: CheckCounter; readonly oper: Oper } {
  const check: CheckCounter = state.check.enabled
    ? { ...state.check, paused: false, health: state.check.rise }
    : state.check;
  const initial = initialState(init, check, state.admin);
  if (initial !== undefined) return { check: { ...initial.check, paused: check.paused }, oper: initial.oper };
  if (init !== "none" || state.trackedOper === OperState.STOPPED || !checksAgree({ ...state, check })) {
    return { check, oper: state.oper };
  }
  return { check, oper: state.trackedOper === OperState.STOPPING ? OperState.STOPPING : OperState.RUNNING };
}

/** May load balancing give it sessions? */
export function isUsableState(admin: number, oper: number): boolean {
  return (admin & (ADMIN_MAINT | ADMIN_DRAIN)) === 0 && (oper === OperState.RUNNING || oper === OperState.STARTING);
}

/** The time from the end of one check to the next. */
export function intervalMs(
  counter: CheckCounter,
  oper: Oper,
  config: { readonly interMs: number; readonly fastInterMs: number; readonly downInterMs: number },
): number {
  if (counter.health === highestHealth(counter)) return config.interMs;
  return oper === OperState.STOPPED && counter.health === 0 ? config.downInterMs : config.fastInterMs;
}

/**
 * `status` in `show stat` of a server that is not in maintenance: "UP", "UP 1/3", "DOWN 1/2", "NOLB", "DRAIN", "no check" ...
 * `seen` is the state at the end of the chain of servers that it tracks, or its own.
 */
export function statusWord(own: HealthState, seen: HealthState): string {
  const { check, agent } = seen;
  const step =
    seen.oper === OperState.STOPPED
      ? `${check.health}/${check.rise}`
      : `${check.health - check.rise + 1}/${check.fall}`;
  const full = check.health === highestHealth(check);
  if (own.oper === OperState.STOPPED) {
    if (agent.enabled && agent.health === 0) return "DOWN (agent)";
    const rising = check.enabled ? check.health > 0 : agent.enabled;
    return rising ? `DOWN ${step}` : "DOWN";
  }
  if (own.oper === OperState.STOPPING) {
    const plain = full || (!own.check.enabled && own.trackedOper === undefined);
    return plain ? "NOLB" : `NOLB ${step}`;
  }
  const falling = check.enabled && !full;
  if ((own.admin & ADMIN_DRAIN) !== 0) {
    if (agent.enabled) return "DRAIN (agent)";
    return falling ? `DRAIN ${step}` : "DRAIN";
  }
  if (falling) return `UP ${step}`;
  return check.enabled ? "UP" : "no check";
}
