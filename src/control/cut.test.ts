import { describe, expect, it } from "vitest";
import { shareOut } from "./cut.ts";

/** Numbers in turn, as a random source. */
const inTurn = (numbers: readonly number[]) => {
  let at = 0;
  return () => numbers[at++ % numbers.length]!;
};

describe("sharing out a number of sessions among threads", () => {
  it("takes no more from a thread than it has, and no more than there are", () => {
    expect(shareOut([2, 0, 1], 10, Math.random)).toEqual([2, 0, 1]);
    expect(shareOut([0, 0], 3, Math.random)).toEqual([0, 0]);
    const shares = shareOut([50, 3], 20, Math.random);
    expect(shares[0]! + shares[1]!).toBe(20);
    expect(shares[1]).toBeLessThanOrEqual(3);
  });

  it("draws among sessions, not among threads", () => {
    expect(shareOut([3, 1], 1, inTurn([0.74]))).toEqual([1, 0]);
    expect(shareOut([3, 1], 1, inTurn([0.76]))).toEqual([0, 1]);
    expect(shareOut([3, 1], 2, inTurn([0.76, 0.99]))).toEqual([1, 1]);
  });
});
