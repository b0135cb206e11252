// Reasons of a session's end: each has a name of its own, and the letter that HAProxy's users know.

import { expect, it } from "vitest";
import { CUT_REASON_NAMES, CutReason, endCauseOf } from "./cut-reason.ts";

it("has one name for each reason, at its number", () => {
  const shown = Object.entries(CutReason).map(([name, number]) => [number, name.toLowerCase().replaceAll("_", "-")]);
  expect(shown.slice(1)).toEqual([...CUT_REASON_NAMES.entries()].slice(1));
  expect(new Set(CUT_REASON_NAMES).size).toBe(CUT_REASON_NAMES.length);
});

it.each([
  [CutReason.ON_MARKED_DOWN, "D"],
  [CutReason.ADDRESS_CHANGE, "D"],
  [CutReason.ON_MARKED_UP, "U"],
  [CutReason.OPERATOR, "K"],
  [CutReason.EVICTION, "K"],
  [CutReason.MAX_SESSION_AGE, "K"],
  [CutReason.ON_MAINT, "K"],
  [CutReason.HARD_STOP, "K"],
])("keeps HAProxy's letter: reason %i is %s", (reason, letter) => {
  expect(String.fromCharCode(endCauseOf(reason))).toBe(letter);
});
