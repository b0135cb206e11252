// Events per second: what was counted in the last second, sampled once a second.

import fc from "fast-check";
import { expect, it } from "vitest";
import { Frequency } from "./frequency.ts";

it("counts this period, and of the one before what is still within a second", () => {
  const frequency = new Frequency();
  expect(frequency.rate(10, 0.5)).toBe(10);
  frequency.tick(10);
  expect(frequency.rate(10, 0)).toBe(10);
  expect(frequency.rate(10, 0.25)).toBe(7);
  expect(frequency.rate(14, 0.5)).toBe(9);
  frequency.tick(14);
  frequency.tick(14);
  expect(frequency.rate(14, 0)).toBe(0);
});

it("keeps its maximum until it is cleared", () => {
  const frequency = new Frequency();
  frequency.tick(8);
  frequency.tick(8);
  expect(frequency.max(8, 0)).toBe(8);
  frequency.clearMax();
  expect(frequency.max(9, 1)).toBe(1);
});

it("goes on after the counter was cleared", () => {
  const frequency = new Frequency();
  frequency.tick(1000);
  expect(frequency.rate(3, 1)).toBe(3);
});

it("is never negative, and never above what two periods counted", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000)), fc.double({ min: 0, max: 1, noNaN: true }), (growths, elapsed) => {
      const frequency = new Frequency();
      let total = 0;
      for (const growth of growths) {
        total += growth;
        frequency.tick(total);
      }
      const rate = frequency.rate(total + 5, elapsed);
      expect(rate).toBeGreaterThanOrEqual(5);
      expect(rate).toBeLessThanOrEqual(5 + (growths.at(-1) ?? 0));
    }),
  );
});
