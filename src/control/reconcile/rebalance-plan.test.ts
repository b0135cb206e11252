// `rebalance`: what is over, who lets go, and that it ends, whatever the clients that were let go do.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Share, sessionsOver, takeFromFullest } from "./rebalance-plan.ts";

const group = (...pairs: readonly (readonly [sessions: number, weight: number])[]): Share[] =>
  pairs.map(([sessions, weight]) => ({ sessions, weight }));

describe("sessions over a server's share", () => {
  it.each([
    ["an empty server beside a full one", group([100, 1], [0, 1]), 0, [45, 0]],
    ["within 10 %", group([54, 1], [46, 1]), 0, [0, 0]],
    ["by weight", group([90, 3], [10, 1]), 0, [8, 0]],
    ["a weight of 0 in a slow start's beginning", group([10, 16], [0, 0]), 0, [0, 0]],
    ["few sessions: one above the share is none too many", group([2, 1], [1, 1]), 0, [0, 0]],
    ["few sessions", group([3, 1], [0, 1]), 0, [1, 0]],
    ["who is on the way back is not missed", group([55, 1], [0, 1]), 45, [0, 0]],
    ["alone", group([10, 1]), 0, [0]],
    ["nobody", group(), 0, []],
  ])("%s", (_, servers, awaited, over) => {
    expect(sessionsOver(servers, awaited)).toEqual(over);
  });
});

describe("who lets go", () => {
  it("the fullest by weight first, down to the next", () => {
    const servers = group([50, 1], [40, 1], [10, 1]);
    expect(takeFromFullest(servers, [20, 20, 0], 14)).toEqual([12, 2, 0]);
  });

  it("never more than is over", () => {
    expect(takeFromFullest(group([50, 1], [0, 1]), [5, 0], 100)).toEqual([5, 0]);
    expect(takeFromFullest([], [], 5)).toEqual([]);
  });
});

/** Where a client that was let go turns up again. */
type Habit = "emptiest" | "by turns" | "never";

describe("to the end", () => {
  it("comes to rest within 10 %, or when all that was over is on its way; no server falls below its share", () => {
    const habits = fc.constantFrom<Habit[]>("emptiest", "by turns", "never");
    const servers = fc.array(fc.record({ sessions: fc.nat(300), weight: fc.integer({ min: 1, max: 16 }) }), {
      minLength: 2,
      maxLength: 6,
    });
    fc.assert(
      fc.property(servers, habits, fc.integer({ min: 1, max: 40 }), (start, habit, step) => {
        const now = start.map((server) => ({ ...server }));
        const shareOf = (at: number, awaited: number): number =>
          (now.reduce((sum, { sessions }) => sum + sessions, awaited) * now[at]!.weight) /
          now.reduce((sum, { weight }) => sum + weight, 0);
        let awaited = 0;
        let turn = 0;
        for (let rounds = 0; ; rounds++) {
          expect(rounds).toBeLessThan(5000);
          const over = sessionsOver(now, awaited);
          if (over.every((count) => count === 0)) break;
          const taken = takeFromFullest(now, over, step);
          for (const [at, count] of taken.entries()) {
            now[at]!.sessions -= count;
            awaited += count;
          }
          for (const [at, count] of taken.entries()) {
            if (count > 0) expect(now[at]!.sessions).toBeGreaterThanOrEqual(Math.floor(shareOf(at, awaited)));
          }
          for (; habit !== "never" && awaited > 0; awaited--) {
            const emptiest = now.reduce((a, b) => (b.sessions / b.weight < a.sessions / a.weight ? b : a));
            (habit === "emptiest" ? emptiest : now[turn++ % now.length]!).sessions++;
          }
        }
        for (const [at, { sessions }] of now.entries()) {
          expect(sessions).toBeLessThanOrEqual(Math.max(Math.ceil(shareOf(at, awaited)), shareOf(at, awaited) * 1.1));
        }
      }),
      { numRuns: 300 },
    );
  });
});
