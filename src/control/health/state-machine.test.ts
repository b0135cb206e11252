import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AdminState, OperState } from "../../memory/server-row.ts";
import {
  afterMaintenance,
  type CheckCounter,
  checkEnteringMaintenance,
  counterAtAlarm,
  countVerdict,
  type HealthState,
  highestHealth,
  initialCounter,
  initialState,
  intervalMs,
  isUsableState,
  operAfterVerdict,
  statusWord,
  type Verdict,
} from "./state-machine.ts";

const { STOPPED, RUNNING, STOPPING } = OperState;
const { FORCED_MAINT, INHERITED_MAINT, CONFIG_MAINT, FORCED_DRAIN } = AdminState;

const counter = (health: number, more: Partial<CheckCounter> = {}): CheckCounter => ({
  ...initialCounter(2, 3, true),
  health,
  ...more,
});
const none = initialCounter(1, 1, false);
const state = (more: Partial<HealthState> = {}): HealthState => ({
  check: counter(4),
  agent: none,
  admin: 0,
  oper: RUNNING,
  ...more,
});

/** Drives a checked server as `commit` does, and notes what `show stat` would say after each result. */
function timeline(start: HealthState, verdicts: readonly Verdict[]): string[] {
  let now = start;
  return verdicts.map((verdict) => {
    now = { ...now, check: countVerdict(now.check, verdict).counter };
    now = { ...now, oper: operAfterVerdict(now, "check", verdict) ?? now.oper };
    return statusWord(now, now);
  });
}

describe("what show stat says while checks come in (rise 2, fall 3)", () => {
  test.each<[string, HealthState, string, readonly string[]]>([
    ["a fresh server goes down with its first failure", state({ check: counter(2) }), "f", ["DOWN"]],
    ["a fresh server is fully up after one success", state({ check: counter(2) }), "p", ["UP"]],
    ["three failures in a row", state(), "fff", ["UP 2/3", "UP 1/3", "DOWN"]],
    ["a success in between starts anew", state(), "ffpfff", ["UP 2/3", "UP 1/3", "UP", "UP 2/3", "UP 1/3", "DOWN"]],
    ["two successes in a row", state({ check: counter(0), oper: STOPPED }), "pp", ["DOWN 1/2", "UP"]],
    [
      "a failure in between starts anew",
      state({ check: counter(0), oper: STOPPED }),
      "pfpp",
      ["DOWN 1/2", "DOWN", "DOWN 1/2", "UP"],
    ],
    ["conditional success", state(), "cfp", ["NOLB", "NOLB 2/3", "UP"]],
    ["an answer that says nothing", state(), "uf", ["UP", "UP 2/3"]],
  ])("%s", (_, start, letters, words) => {
    const verdicts = { f: "failed", p: "passed", c: "condpass", u: "unknown" } as const;
    expect(
      timeline(
        start,
        [...letters].map((letter) => verdicts[letter as keyof typeof verdicts]),
      ),
    ).toEqual(words);
  });
});

describe("the counter", () => {
  /** The rule as HAProxy's manual has it: `fall` failures in a row take a server down, `rise` successes in a row take it up. */
  test("rise and fall count results in a row", () => {
    const verdict = fc.constantFrom<Verdict>("passed", "failed", "condpass", "unknown");
    const numbers = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(numbers, numbers, fc.array(verdict, { maxLength: 60 }), (rise, fall, verdicts) => {
        let now = initialCounter(rise, fall, true);
        let isUp = true;
        // A fresh server is one failure away from down.
        let inARow = fall - 1;
        for (const each of verdicts) {
          now = countVerdict(now, each).counter;
          expect(now.health).toBeGreaterThanOrEqual(0);
          expect(now.health).toBeLessThanOrEqual(highestHealth(now));
          if (each !== "unknown") {
            const agrees = (each !== "failed") === isUp;
            inARow = agrees ? 0 : inARow + 1;
            if (inARow >= (isUp ? fall : rise)) {
              isUp = !isUp;
              inARow = 0;
            }
          }
          expect(now.health >= now.rise).toBe(isUp);
        }
      }),
    );
  });

  test("says whether a result moved it", () => {
    expect(countVerdict(counter(4), "passed").moved).toBe(false);
    expect(countVerdict(counter(0), "failed").moved).toBe(false);
    expect(countVerdict(counter(4), "failed").moved).toBe(true);
    expect(countVerdict(counter(2), "unknown").moved).toBe(false);
  });
});

describe("the counter at an alarm of observe (rise 2, fall 3)", () => {
  const left = (health: number, onError: Parameters<typeof counterAtAlarm>[1]): number =>
    countVerdict(counterAtAlarm(counter(health), onError), "failed").counter.health;

  test("fail-check takes one, sudden-death all but one, mark-down all", () => {
    expect([4, 3, 2].map((health) => left(health, "fail-check"))).toEqual([3, 2, 0]);
    expect([4, 3, 2].map((health) => left(health, "sudden-death"))).toEqual([2, 2, 0]);
    expect([4, 3, 2].map((health) => left(health, "mark-down"))).toEqual([0, 0, 0]);
  });
});

describe("whether a result moves the server", () => {
  const failedAgent = initialCounter(1, 1, true);
  test.each<[string, HealthState, "check" | "agent", Verdict, number | undefined]>([
    ["down when the check has failed", state({ check: counter(0) }), "check", "failed", STOPPED],
    ["down when the agent says so", state({ agent: { ...failedAgent, health: 0 } }), "agent", "failed", STOPPED],
    [
      "not up while the agent says down",
      state({ oper: STOPPED, agent: { ...failedAgent, health: 0 } }),
      "check",
      "passed",
      undefined,
    ],
    [
      "not up while the check says down",
      state({ oper: STOPPED, check: counter(1), agent: failedAgent }),
      "agent",
      "passed",
      undefined,
    ],
    ["up when both agree", state({ oper: STOPPED, agent: failedAgent }), "agent", "passed", RUNNING],
    [
      "a disabled check has no say",
      state({ oper: STOPPED, check: counter(0, { enabled: false }), agent: failedAgent }),
      "agent",
      "passed",
      RUNNING,
    ],
    ["the agent does not end NOLB", state({ oper: STOPPING, agent: failedAgent }), "agent", "passed", undefined],
    ["the check ends NOLB", state({ oper: STOPPING }), "check", "passed", RUNNING],
    ["the agent knows no NOLB", state({ agent: failedAgent }), "agent", "condpass", undefined],
    [
      "nothing moves a server in maintenance",
      state({ admin: FORCED_MAINT, oper: STOPPED }),
      "check",
      "passed",
      undefined,
    ],
    [
      "nothing takes a server up that tracks a down one",
      state({ oper: STOPPED, trackedOper: STOPPED }),
      "check",
      "passed",
      undefined,
    ],
    ["drain does not keep it down", state({ oper: STOPPED, admin: FORCED_DRAIN }), "check", "passed", RUNNING],
    ["up stays up", state(), "check", "passed", undefined],
    ["down stays down", state({ oper: STOPPED, check: counter(0) }), "check", "failed", undefined],
  ])("%s", (_, now, source, verdict, oper) => {
    expect(operAfterVerdict(now, source, verdict)).toBe(oper);
  });
});

describe("maintenance", () => {
  test("pauses the check and sets its health to 0", () => {
    expect(checkEnteringMaintenance(state())).toMatchObject({ health: 0, paused: true });
    const unchecked = counter(2, { configured: false, enabled: false });
    expect(checkEnteringMaintenance(state({ check: unchecked }))).toMatchObject({ health: 0, paused: false });
    expect(checkEnteringMaintenance(state({ check: unchecked, oper: STOPPED }))).toMatchObject({ health: 2 });
  });

  const resting = counter(0, { paused: true });
  test.each<[string, HealthState, Parameters<typeof afterMaintenance>[1], number, number]>([
    ["up at once, one failure from down", state({ oper: STOPPED, check: resting }), "none", RUNNING, 2],
    [
      "down while its agent says so",
      state({ oper: STOPPED, check: resting, agent: { ...initialCounter(1, 1, true), health: 0 } }),
      "none",
      STOPPED,
      2,
    ],
    ["down while the tracked one is", state({ oper: STOPPED, trackedOper: STOPPED }), "none", STOPPED, 2],
    ["NOLB like the tracked one", state({ oper: STOPPED, trackedOper: STOPPING }), "none", STOPPING, 2],
    ["init-state down: the next success takes it up", state({ oper: STOPPED, check: resting }), "down", STOPPED, 1],
    ["init-state fully-up", state({ oper: STOPPED, check: resting }), "fully-up", RUNNING, 4],
    [
      "init-state of a server configured as disabled: its check decides",
      state({ oper: STOPPED, check: resting, admin: CONFIG_MAINT }),
      "up",
      STOPPED,
      2,
    ],
  ])("after it: %s", (_, now, init, oper, health) => {
    const after = afterMaintenance(now, init);
    expect(after.oper).toBe(oper);
    expect(after.check).toMatchObject({ health, paused: false });
  });
});

test("init-state before the first check", () => {
  const fresh = initialCounter(2, 3, true);
  const of = (init: Parameters<typeof initialState>[0], admin = 0) => {
    const initial = initialState(init, fresh, admin);
    return initial === undefined ? undefined : [initial.oper, initial.check.health];
  };
  expect(of("none")).toBeUndefined();
  expect(of("fully-up")).toEqual([RUNNING, 4]);
  expect(of("up")).toEqual([RUNNING, 2]);
  expect(of("down")).toEqual([STOPPED, 1]);
  expect(of("fully-down")).toEqual([STOPPED, 0]);
  expect(of("down", FORCED_MAINT)).toBeUndefined();
});

test("which interval holds", () => {
  const times = { interMs: 1, fastInterMs: 2, downInterMs: 3 };
  expect(intervalMs(counter(4), RUNNING, times)).toBe(1);
  expect(intervalMs(counter(3), RUNNING, times)).toBe(2);
  expect(intervalMs(counter(0), STOPPED, times)).toBe(3);
  expect(intervalMs(counter(1), STOPPED, times)).toBe(2);
});

test("load balancing uses a server that runs and is neither in maintenance nor in drain", () => {
  expect(isUsableState(0, RUNNING)).toBe(true);
  for (const oper of [STOPPED, STOPPING]) expect(isUsableState(0, oper)).toBe(false);
  for (const admin of [FORCED_MAINT, INHERITED_MAINT, FORCED_DRAIN]) expect(isUsableState(admin, RUNNING)).toBe(false);
  expect(isUsableState(CONFIG_MAINT, RUNNING), "only a memory of what the file said").toBe(true);
});

describe("status words besides those of the timeline", () => {
  const unchecked = initialCounter(2, 3, false);
  const agent = initialCounter(1, 1, true);
  test.each<[string, HealthState, HealthState | undefined]>([
    ["no check", state({ check: unchecked }), undefined],
    ["DOWN", state({ check: unchecked, oper: STOPPED }), undefined],
    ["NOLB", state({ check: { ...unchecked, health: 4 }, oper: STOPPING }), undefined],
    ["DRAIN", state({ admin: FORCED_DRAIN }), undefined],
    ["DRAIN 1/3", state({ admin: FORCED_DRAIN, check: counter(2) }), undefined],
    ["DRAIN (agent)", state({ admin: FORCED_DRAIN, agent }), undefined],
    ["DOWN (agent)", state({ oper: STOPPED, agent: { ...agent, health: 0 } }), undefined],
    ["UP 1/3", state({ check: unchecked, trackedOper: RUNNING }), state({ check: counter(2) })],
    [
      "DOWN 1/2",
      state({ check: unchecked, oper: STOPPED, trackedOper: STOPPED }),
      state({ check: counter(1), oper: STOPPED }),
    ],
  ])("%s", (word, own, seen) => {
    expect(statusWord(own, seen ?? own)).toBe(word);
  });
});
