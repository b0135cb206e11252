// HAProxy's way of writing times (us, ms, s, m, h, d) and sizes (k, m, g, t, p): text to number and back. Pure; any thread.
// A number that does not fit is an error that names the range, never a wrapped value.

/** The unit a bare number has; HAProxy's timeouts are milliseconds, some other words count in seconds. */
export type TimeUnit = "us" | "ms" | "s" | "m" | "h" | "d";

export type UnitResult =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly reason: string };

/** Longest time HAProxy's ticks can hold, in milliseconds: about 24.8 days. */
export const MAX_TIME_MS = 2_147_483_647;

const MICROSECONDS: Readonly<Record<TimeUnit, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
};

const SIZE_FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
};

function isTimeUnit(text: string): text is TimeUnit {
  return Object.hasOwn(MICROSECONDS, text);
}

/**
 * Reads a time such as "500", "10s" or "1h" into whole milliseconds, 0..2147483647. Parts of a millisecond round up, as in
 * HAProxy, so that a short time never becomes "no time". One number and one unit; "1h30m" is refused.
 */
export function parseTimeMs(text: string, bareUnit: TimeUnit = "ms"): UnitResult {
  const match = /^([0-9]+)(.*)$/s.exec(text);
  if (match === null) return { ok: false, reason: "expected a time such as 500ms, 10s, 5m, 1h or 1d" };
  const digits = match[1] ?? "";
  const unit = match[2] === "" ? bareUnit : (match[2] ?? "");
  if (!isTimeUnit(unit)) return { ok: false, reason: `unknown time unit '${unit}' (known: us, ms, s, m, h, d)` };
  const microseconds = Number(digits) * MICROSECONDS[unit];
  const value = Math.ceil(microseconds / 1_000);
  if (!(value <= MAX_TIME_MS)) {
    return { ok: false, reason: `time out of range: the longest is ${MAX_TIME_MS} ms (about 24.8 days)` };
  }
  return { ok: true, value };
}

/** Writes milliseconds the shortest exact way: 500 -> "500ms", 60000 -> "1m", 0 -> "0". */
export function formatTimeMs(valueMs: number): string {
  if (valueMs === 0) return "0";
  for (const unit of ["d", "h", "m", "s"] as const) {
    const unitMs = MICROSECONDS[unit] / 1_000;
    if (valueMs % unitMs === 0) return `${valueMs / unitMs}${unit}`;
  }
  return `${valueMs}ms`;
}

/** Reads a size such as "16384", "16k" or "1g" (powers of 1024, either case) into bytes, at most 2^53 - 1. */
export function parseSizeBytes(text: string): UnitResult {
  const match = /^([0-9]+)(.*)$/s.exec(text);
  if (match === null) return { ok: false, reason: "expected a size such as 16384, 16k or 1g" };
  const factor = Object.hasOwn(SIZE_FACTORS, (match[2] ?? "").toLowerCase())
    ? SIZE_FACTORS[(match[2] ?? "").toLowerCase()]
    : undefined;
  if (factor === undefined) return { ok: false, reason: `unknown size unit '${match[2]}' (known: k, m, g, t, p)` };
  const value = Number(match[1]) * factor;
  if (!Number.isSafeInteger(value)) {
    return { ok: false, reason: `size out of range: the largest is ${Number.MAX_SAFE_INTEGER} bytes` };
  }
  return { ok: true, value };
}
