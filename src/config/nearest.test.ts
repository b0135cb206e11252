// Which word is meant: distances by hand, and the laws of a distance.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, nearestWord } from "./nearest.ts";

describe("editDistance", () => {
  it.each([
    ["weight", "weight", 0],
    ["weigth", "weight", 1],
    ["wight", "weight", 1],
    ["weeight", "weight", 1],
    ["woight", "weight", 1],
    ["", "abc", 3],
    ["kitten", "sitting", 3],
  ])("%s and %s: %d", (a, b, distance) => {
    expect(editDistance(a, b, 10)).toBe(distance);
  });

  it("is symmetric, zero only for equal words, and never above its limit plus one", () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, fc.integer({ min: 0, max: 6 }), (a, b, limit) => {
        expect(editDistance(a, b, limit)).toBe(editDistance(b, a, limit));
        expect(editDistance(a, b, limit) === 0).toBe(a === b);
        expect(editDistance(a, b, limit)).toBeLessThanOrEqual(limit + 1);
      }),
    );
  });
});

describe("nearestWord", () => {
  const words = ["balance", "bind", "backlog", "maxconn", "retries"];

  it.each([
    ["balanc", "balance"],
    ["BIND", "bind"],
    ["maxcon", "maxconn"],
    ["retires", "retries"],
    ["zzzzzz", undefined],
    ["x".repeat(100_000), undefined],
  ])("%s", (typed, expected) => {
    expect(nearestWord(typed, words)).toBe(expected);
  });

  it("says nothing where nothing is near", () => {
    expect(didYouMean("qqq", words)).toBeUndefined();
    expect(didYouMean("bnd", words)).toBe("did you mean 'bind'?");
  });
});
