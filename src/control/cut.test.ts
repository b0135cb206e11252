import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shareOut } from "./cut.ts";

describe("sharing out a number of sessions among threads", () => {
  it("takes no more from a thread than it has, and no more than there are", () => {
    expect(shareOut([2, 0, 1], 10, 0.5)).toEqual([2, 0, 1]);
    expect(shareOut([0, 0], 3, 0.5)).toEqual([0, 0]);
    const counts = fc.array(fc.nat(1000), { minLength: 1, maxLength: 64 });
    const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(counts, fc.nat(70_000), draws, (each, most, random) => {
        const shares = shareOut(each, most, random);
        const total = each.reduce((sum, count) => sum + count, 0);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(Math.min(most, total));
        for (const [thread, share] of shares.entries()) {
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeLessThanOrEqual(each[thread]!);
        }
      }),
    );
  });

  it("draws among sessions, not among threads", () => {
    expect(shareOut([3, 1], 1, 0.74)).toEqual([1, 0]);
    expect(shareOut([3, 1], 1, 0.76)).toEqual([0, 1]);
    expect(shareOut([3, 1], 2, 0.76)).toEqual([1, 1]);
  });

  it("gives each thread its share by its sessions in the long run, and never a whole session more or less", () => {
    const [counts, most, draws] = [[700, 40, 0, 3], 19, 10_000] as const;
    const sums = counts.map(() => 0);
    for (let draw = 0; draw < draws; draw++) {
      for (const [thread, share] of shareOut(counts, most, (draw + 0.5) / draws).entries()) {
        sums[thread]! += share;
        expect(Math.abs(share - (counts[thread]! * most) / 743)).toBeLessThan(1);
      }
    }
    for (const [thread, sum] of sums.entries()) expect(sum / draws).toBeCloseTo((counts[thread]! * most) / 743, 3);
  });
});
