import { describe, expect, it } from "vitest";
import { fullLoad, loadAt, shownWeight, stepMs, throttlePercent } from "./slow-start.ts";

describe("slow start", () => {
  it("goes up in sixteenths of the weight, and in percent of maxconn", () => {
    const seen = [0, 999, 1000, 8000, 15_999, 16_000].map((elapsed) => loadAt(10, 50, elapsed, 16_000, true));
    expect(seen).toEqual([
      { loadWeight: 10, limit: 1 },
      { loadWeight: 10, limit: 3 },
      { loadWeight: 20, limit: 3 },
      { loadWeight: 90, limit: 25 },
      { loadWeight: 160, limit: 49 },
      { loadWeight: 160, limit: 50 },
    ]);
  });

  it("never takes a server with a weight out, and never gives one without a weight any", () => {
    for (const weight of [0, 1, 256]) {
      for (let elapsed = 0; elapsed < 100; elapsed++) {
        expect(loadAt(weight, 0, elapsed, 100, true).loadWeight > 0).toBe(weight > 0);
      }
    }
  });

  it("leaves no limit alone, and the weight where a map of weights balances", () => {
    expect(loadAt(3, 0, 10, 1000, false)).toEqual(fullLoad(3, 0));
    expect(loadAt(3, 100, 10, 1000, false)).toEqual({ loadWeight: 48, limit: 1 });
  });

  it("shows what HAProxy shows: weights rounded up, throttle in percent", () => {
    const at = (elapsed: number) => loadAt(10, 0, elapsed, 1000, true).loadWeight;
    expect([0, 500, 999, 1000].map((elapsed) => shownWeight(at(elapsed)))).toEqual([1, 6, 10, 10]);
    expect([0, 500, 999].map((elapsed) => throttlePercent(at(elapsed), 10))).toEqual([6, 56, 100]);
  });

  it("takes twenty steps, but none shorter than 50 ms", () => {
    expect([20_000, 1000, 10].map(stepMs)).toEqual([1000, 50, 50]);
  });
});
