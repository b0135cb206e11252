import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { paceAfter } from "./cut-pace.ts";
import { EVICT_NOW, type EvictionRequest } from "./eviction.ts";
import { type EvictionProgress, evictionStep } from "./eviction-plan.ts";

interface Cut {
  readonly atMs: number;
  readonly sessions: number;
  readonly how: "quiet" | "any" | "deadline" | "pace";
}

/** Runs an eviction to its end, each look late by some ms. `quiet`: how many of those asked for are quiet. */
function run(
  asked: Partial<EvictionRequest>,
  sessions: number,
  {
    lateMs = [0],
    quiet = (most: number, _atMs: number) => most,
    leave = (_atMs: number): number => 0,
    random = 0.5,
  } = {},
): Cut[] {
  const request = { ...EVICT_NOW, ...asked };
  let progress: EvictionProgress = { startedMs: 1000, pace: undefined, notBeforeMs: 0 };
  const cuts: Cut[] = [];
  let left = sessions;
  for (let nowMs = 1000, look = 0; left > 0; look++) {
    if (look > 200_000) throw new Error("it does not end");
    left -= Math.min(left, leave(nowMs - 1000));
    if (left === 0) break;
    const step = evictionStep(request, progress, nowMs, left, random);
    const atMs = nowMs - 1000;
    if (step.kind === "all") {
      cuts.push({ atMs, sessions: left, how: step.because });
      break;
    }
    if (step.kind === "some") {
      const ended = step.who === "quiet" ? Math.min(step.most, quiet(step.most, atMs)) : step.most;
      if (ended > 0) cuts.push({ atMs, sessions: ended, how: step.who });
      const pace = step.pace === undefined ? undefined : paceAfter(step.pace, nowMs, left, ended);
      progress = { ...progress, pace, notBeforeMs: step.notBeforeMs };
      left -= ended;
    }
    if (step.nextMs <= nowMs) throw new Error("time does not go on");
    nowMs = step.nextMs + lateMs[look % lateMs.length]!;
  }
  return cuts;
}

const total = (cuts: readonly Cut[]): number => cuts.reduce((sum, { sessions }) => sum + sessions, 0);

describe("the plan of an eviction", () => {
  it("without an option: everything, now", () => {
    expect(run({}, 5)).toEqual([{ atMs: 0, sessions: 5, how: "deadline" }]);
  });

  it("drain: nobody is cut before its end, then everybody; the deadline may be later and does not matter", () => {
    expect(run({ drainMs: 500 }, 5)).toEqual([{ atMs: 500, sessions: 5, how: "deadline" }]);
    expect(run({ drainMs: 500, overMs: 100 }, 1)).toEqual([{ atMs: 600, sessions: 1, how: "pace" }]);
  });

  it("deadline alone: until then sessions may end by themselves", () => {
    expect(run({ deadlineMs: 700 }, 5, { leave: (atMs) => (atMs >= 300 && atMs < 350 ? 2 : 0) })).toEqual([
      { atMs: 700, sessions: 3, how: "deadline" },
    ]);
    expect(run({ deadlineMs: 700 }, 5, { leave: () => 5 })).toEqual([]);
  });

  it("idle: whoever is quiet, from the end of the drain to the deadline", () => {
    const cuts = run({ drainMs: 100, idleMs: 50, deadlineMs: 400 }, 5, { quiet: (_, atMs) => (atMs > 150 ? 0 : 1) });
    expect(cuts.filter(({ how }) => how === "quiet").every(({ atMs }) => atMs >= 100 && atMs <= 150)).toBe(true);
    expect(cuts.at(-1)).toMatchObject({ atMs: 400, how: "deadline" });
    expect(total(cuts)).toBe(5);
  });

  it("idle without a deadline waits as long as it takes", () => {
    const cuts = run({ idleMs: 50 }, 2, { quiet: (_, atMs) => (atMs > 60_000 ? 2 : 0) });
    expect(total(cuts)).toBe(2);
    expect(cuts[0]!.atMs).toBeGreaterThan(60_000);
  });

  it("over: evenly, whoever it is, all by its end", () => {
    const cuts = run({ overMs: 1000 }, 100);
    expect(total(cuts)).toBe(100);
    expect(cuts.at(-1)!.atMs).toBeLessThanOrEqual(1000);
    for (const half of [250, 500, 750]) {
      const done = total(cuts.filter(({ atMs }) => atMs <= half));
      expect(Math.abs(done - half / 10)).toBeLessThan(8);
    }
  });

  it("rate: so many a second, also when looked at late", () => {
    const cuts = run({ ratePerSecond: 50 }, 500, { lateMs: [0, 40, 3, 200] });
    for (let second = 1; second < 10; second++) {
      const done = total(cuts.filter(({ atMs }) => atMs <= second * 1000));
      expect(Math.abs(done - second * 50)).toBeLessThan(16);
    }
  });

  it("over and idle: never faster than the pace; those that are late to be quiet stay due", () => {
    const cuts = run({ overMs: 1000, idleMs: 50, deadlineMs: 5000 }, 10, {
      quiet: (most, atMs) => (atMs < 600 ? 0 : most),
    });
    expect(cuts[0]).toMatchObject({ atMs: expect.any(Number), how: "quiet" });
    expect(cuts[0]!.atMs).toBeGreaterThanOrEqual(600);
    expect(cuts[0]!.sessions).toBe(6);
    expect(total(cuts)).toBe(10);
    expect(cuts.at(-1)!.atMs).toBeLessThan(1100);
  });

  it("rate and idle: what nobody was quiet for does not come in one go", () => {
    const cuts = run({ ratePerSecond: 10, idleMs: 50 }, 1000, { quiet: (most, atMs) => (atMs < 60_000 ? 0 : most) });
    expect(cuts[0]!.sessions).toBeLessThanOrEqual(10);
  });

  it("ends, whatever is asked, by the deadline, and cuts each session once", () => {
    const time = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5000 }));
    fc.assert(
      fc.property(
        fc.record({
          drainMs: time,
          idleMs: time,
          overMs: time,
          ratePerSecond: fc.nat(100),
          deadlineMs: fc.integer({ min: 0, max: 10_000 }),
        }),
        fc.integer({ min: 1, max: 2000 }),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.nat(100),
        (asked, sessions, lateMs, random, quietPercent) => {
          const request = asked.overMs > 0 ? { ...asked, ratePerSecond: 0 } : asked;
          const cuts = run(request, sessions, {
            lateMs,
            random,
            quiet: (most) => Math.floor((most * quietPercent) / 100),
          });
          expect(total(cuts)).toBe(sessions);
          expect(cuts.at(-1)!.atMs).toBeLessThanOrEqual(request.deadlineMs + Math.max(...lateMs));
          const first = cuts[0]!;
          if (first.how !== "deadline") expect(first.atMs).toBeGreaterThanOrEqual(request.drainMs);
        },
      ),
    );
  });
});
