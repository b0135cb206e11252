// What an eviction has to do at a moment: wait, end some sessions, or all that are left. Pure.

import { beginPace, beginRate, type Pace, paceStep } from "./cut-pace.ts";
import type { EvictionRequest } from "./eviction.ts";

/** Between two looks for sessions that have become quiet: least time, and more with more sessions to look at. */
const LOOK_LEAST_MS = 20;
const SESSIONS_PER_LOOK_MS = 500;
/** So often it is looked whether the last one has left by itself. */
const EMPTY_LOOK_MS = 50;
/** Cuts at a pace are late by up to this share of the time to the next one, at random, and by at most half of the second number. */
const JITTER_SHARE = 0.5;
const JITTER_BASE_MOST_MS = 1000;

/** How far an eviction is. */
export interface EvictionProgress {
  readonly startedMs: number;
  readonly pace: Pace | undefined;
  /** The next cut at a pace is not before. */
  readonly notBeforeMs: number;
}

export type EvictionStep =
  | { readonly kind: "wait"; readonly nextMs: number }
  | {
      readonly kind: "some";
      readonly most: number;
      /** "quiet": only sessions that have been quiet for long enough. Those that are due and are not stay due. */
      readonly who: "quiet" | "any";
      /** Before this step; see `paceAfter`. */
      readonly pace: Pace | undefined;
      readonly notBeforeMs: number;
      readonly nextMs: number;
    }
  | { readonly kind: "all"; readonly because: "deadline" | "pace" };

/** The step at `nowMs`, with so many sessions left (at least one); `random` in [0, 1). */
export function evictionStep(
  request: EvictionRequest,
  progress: EvictionProgress,
  nowMs: number,
  sessions: number,
  random: number,
): EvictionStep {
  const { idleMs, overMs, ratePerSecond } = request;
  const isPaced = overMs > 0 || ratePerSecond > 0;
  const beginsMs = progress.startedMs + request.drainMs;
  const endsMs = endOf(request, progress.startedMs);
  if (nowMs >= endsMs) return { kind: "all", because: "deadline" };
  const soonMs = Math.min(endsMs, nowMs + EMPTY_LOOK_MS);
  if (nowMs < beginsMs) return { kind: "wait", nextMs: Math.min(beginsMs, soonMs) };
  const quietLookMs = Math.min(endsMs, nowMs + LOOK_LEAST_MS + sessions / SESSIONS_PER_LOOK_MS);
  if (!isPaced) {
    if (idleMs === 0) return { kind: "wait", nextMs: soonMs };
    return { kind: "some", most: sessions, who: "quiet", pace: undefined, notBeforeMs: 0, nextMs: quietLookMs };
  }
  const pace = progress.pace ?? (overMs > 0 ? beginPace(nowMs, overMs) : beginRate(nowMs, ratePerSecond));
  if (nowMs < progress.notBeforeMs && nowMs < pace.endsMs) {
    return { kind: "wait", nextMs: Math.min(progress.notBeforeMs, soonMs) };
  }
  const step = paceStep(pace, nowMs, sessions);
  const most = step.due === "all" ? sessions : step.due;
  if (idleMs > 0) return { kind: "some", most, who: "quiet", pace, notBeforeMs: 0, nextMs: quietLookMs };
  if (step.due === "all") return { kind: "all", because: "pace" };
  const jitterMs = Math.min(JITTER_BASE_MOST_MS, step.nextMs - nowMs) * JITTER_SHARE * random;
  const notBeforeMs = Math.min(step.nextMs + jitterMs, pace.endsMs);
  return { kind: "some", most, who: "any", pace, notBeforeMs, nextMs: Math.min(notBeforeMs, soonMs) };
}

/** When whatever is left is cut: the deadline, or where nothing else is asked for, the end of the drain. */
function endOf({ drainMs, idleMs, overMs, ratePerSecond, deadlineMs }: EvictionRequest, startedMs: number): number {
  if (deadlineMs !== undefined) return startedMs + deadlineMs;
  return overMs > 0 || ratePerSecond > 0 || idleMs > 0 ? Number.POSITIVE_INFINITY : startedMs + drainMs;
}
