// The part of `max-session-age` that a session's jitter takes: its own for life, and spread evenly over sessions.

import { expect, it } from "vitest";
import { shareOf } from "./limits.ts";

it("is the same for a session each time it is asked for", () => {
  expect(shareOf(7, 3)).toBe(shareOf(7, 3));
});

it.each([
  ["rows of one generation", (n: number) => shareOf(n, 1)],
  ["generations of one row", (n: number) => shareOf(5, 2 * n + 1)],
])("is spread evenly over %s", (_, share) => {
  const tenths = new Array<number>(10).fill(0);
  for (let n = 0; n < 10_000; n++) {
    const value = share(n);
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThan(1);
    tenths[Math.floor(value * 10)]!++;
  }
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
