import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beginPace, paceStep } from "./cut-pace.ts";

/** Runs a pace to its end, each look late by up to `lateMs`: times and numbers of what was cut. */
function run(sessions: number, overMs: number, lateMs: number[] = [0]): { atMs: number; due: number }[] {
  let pace = beginPace(0, overMs);
  let left = sessions;
  const cuts: { atMs: number; due: number }[] = [];
  for (let nowMs = 0, look = 0; left > 0; look++) {
    const step = paceStep(pace, nowMs, left);
    const due = step.due === "all" ? left : step.due;
    if (due > 0) cuts.push({ atMs: nowMs, due });
    left -= due;
    if (step.due !== "all" && step.nextMs <= nowMs) throw new Error("time does not go on");
    pace = step.pace;
    nowMs = step.nextMs + lateMs[look % lateMs.length]!;
  }
  return cuts;
}

describe("a paced cut", () => {
  it("ends one session at each n-th of the time, the last one at the end", () => {
    expect(run(4, 1000)).toEqual([250, 500, 750, 1000].map((atMs) => ({ atMs, due: 1 })));
    expect(run(1, 500)).toEqual([{ atMs: 500, due: 1 }]);
  });

  it("goes in small steps where there are many", () => {
    const cuts = run(60_000, 600_000);
    expect(Math.max(...cuts.map(({ due }) => due))).toBeLessThan(60);
    const halfway = cuts.filter(({ atMs }) => atMs <= 300_000).reduce((sum, { due }) => sum + due, 0);
    expect(Math.abs(halfway - 30_000)).toBeLessThan(60);
  });

  it("is even and over in time however many there are and however late it looks", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.array(fc.nat(50), { minLength: 1, maxLength: 8 }),
        (sessions, overMs, late) => {
          const cuts = run(sessions, overMs, late);
          expect(cuts.reduce((sum, { due }) => sum + due, 0)).toBe(sessions);
          expect(cuts.at(-1)!.atMs).toBeLessThanOrEqual(overMs + Math.max(...late));
          let done = 0;
          for (const { atMs, due } of cuts) {
            done += due;
            // Never ahead of the even pace by more than one.
            if (atMs < overMs && done > (sessions * atMs) / overMs + 1) throw new Error(`${done} at ${atMs}`);
          }
        },
      ),
    );
  });

  it("is over at once when none is left, and takes those that came late", () => {
    const pace = beginPace(0, 1000);
    expect(paceStep(pace, 300, 0).due).toBe("all");
    const step = paceStep(pace, 500, 10);
    expect(step.due).toBe(5);
    expect(paceStep(step.pace, 750, 100).due).toBe(50);
    expect(paceStep(step.pace, 1000, 100).due).toBe("all");
  });
});
