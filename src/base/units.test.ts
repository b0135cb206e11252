// Times and sizes: every unit, rounding, ranges, and that writing and reading are inverse.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTimeMs, MAX_TIME_MS, parseSizeBytes, parseTimeMs } from "./units.ts";

describe("parseTimeMs", () => {
  it.each([
    ["0", 0],
    ["500", 500],
    ["500ms", 500],
    ["2s", 2_000],
    ["3m", 180_000],
    ["1h", 3_600_000],
    ["24d", 2_073_600_000],
    ["1us", 1],
    ["1001us", 2],
    ["2147483647", MAX_TIME_MS],
  ])("reads %s as %d ms", (text, valueMs) => {
    expect(parseTimeMs(text)).toEqual({ ok: true, value: valueMs });
  });

  it("takes a bare number in the unit it is told", () => {
    expect(parseTimeMs("3", "s")).toEqual({ ok: true, value: 3_000 });
    expect(parseTimeMs("3ms", "s")).toEqual({ ok: true, value: 3 });
  });

  it.each(["", "s", "-1", "1.5s", "1sx", "1h30m", "1 s", "10S", "1__proto__", "1constructor"])("refuses %j", (text) => {
    expect(parseTimeMs(text).ok).toBe(false);
  });

  it.each(["2147483648", "25d", "9".repeat(400)])("says the longest time for %s", (text) => {
    const result = parseTimeMs(text);
    expect(result.ok ? "" : result.reason).toContain("2147483647 ms");
  });

  it("reads back what formatTimeMs writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_TIME_MS }), (valueMs) => {
        expect(parseTimeMs(formatTimeMs(valueMs))).toEqual({ ok: true, value: valueMs });
      }),
    );
  });

  it("writes the largest unit that is exact", () => {
    expect([0, 1, 1_500, 60_000, 86_400_000].map(formatTimeMs)).toEqual(["0", "1ms", "1500ms", "1m", "1d"]);
  });
});

describe("parseSizeBytes", () => {
  it.each([
    ["0", 0],
    ["16384", 16_384],
    ["16k", 16_384],
    ["16K", 16_384],
    ["3m", 3_145_728],
    ["1g", 1_073_741_824],
    ["1t", 1_099_511_627_776],
  ])("reads %s as %d bytes", (text, bytes) => {
    expect(parseSizeBytes(text)).toEqual({ ok: true, value: bytes });
  });

  it.each(["", "k", "-1k", "1kb", "1x", "1.5k"])("refuses %j", (text) => {
    expect(parseSizeBytes(text).ok).toBe(false);
  });

  it("says the largest size instead of wrapping", () => {
    const result = parseSizeBytes("99999999999p");
    expect(result.ok ? "" : result.reason).toContain(String(Number.MAX_SAFE_INTEGER));
  });
});
