import { describe, expect, it } from "vitest";
import { CheckPace } from "./pace.ts";

function pace() {
  const state = { nowMs: 0, waysGiven: 0 };
  const made = new CheckPace({
    nowMs: () => state.nowMs,
    giveWay: () => {
      state.waysGiven++;
    },
  });
  return { state, made };
}

describe("the pace of check work", () => {
  it("gives way after each piece, and a turn goes on for four milliseconds", () => {
    const { state, made } = pace();
    made.beginTurn();
    state.nowMs = 3.9;
    expect(made.goesOn()).toBe(true);
    state.nowMs = 4;
    expect(made.goesOn()).toBe(false);
    made.beginTurn();
    expect(made.goesOn()).toBe(true);
    expect(state.waysGiven).toBe(3);
  });

  it("gives way no more while runs begin later than a quarter of their interval", () => {
    const { state, made } = pace();
    made.beginTurn();
    made.noteLateness(251, 1000);
    expect(made.goesOn()).toBe(true);
    expect(state.waysGiven).toBe(0);
    made.noteLateness(250, 1000);
    made.goesOn();
    expect(state.waysGiven).toBe(1);
  });
});
