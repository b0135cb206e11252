// Cuts at a pace, over a time (`on-marked-down shutdown-sessions over`, `evict ... over`) or at a rate (`evict ...
// rate`): how many sessions are due at a moment, and when the next ones are. Pure.

/** Steps are no closer than this, and farther apart the more sessions a relay has to look through for each. */
const STEP_LEAST_MS = 20;
const SESSIONS_PER_STEP_MS = 500;

/** A cut at an even pace; times of one monotonic clock. */
export interface Pace {
  /** All are gone by then. */
  readonly endsMs: number;
  /** When the last session was due: the time from then on is shared among those that are left. */
  readonly sinceMs: number;
  /** At a rate: one session is due so often, however many there are. */
  readonly eachMs?: number;
}

export interface PaceStep {
  /** How many sessions end now; "all": it is time, or none is left. */
  readonly due: number | "all";
  readonly pace: Pace;
  /** When to come again. */
  readonly nextMs: number;
}

export const beginPace = (nowMs: number, overMs: number): Pace => ({ endsMs: nowMs + overMs, sinceMs: nowMs });

/** So many sessions a second, without an end. */
export const beginRate = (nowMs: number, ratePerSecond: number): Pace => ({
  endsMs: Number.POSITIVE_INFINITY,
  sinceMs: nowMs,
  eachMs: 1000 / ratePerSecond,
});

/** What falls due at a rate while nobody may end is owed up to so long, so that it does not come in one go. */
const OWED_MOST_MS = 1000;

/**
 * The step at `nowMs`, with so many sessions there. Of n sessions one is due at each n-th of the time that is left, the last one at the
 * end; those that left by themselves, or came, change the pace of the rest.
 */
export function paceStep(pace: Pace, nowMs: number, sessions: number): PaceStep {
  if (nowMs >= pace.endsMs || sessions === 0) return { due: "all", pace, nextMs: pace.endsMs };
  if (pace.eachMs !== undefined) return rateStep(pace, pace.eachMs, nowMs, sessions);
  const leftMs = pace.endsMs - pace.sinceMs;
  // A little more, because of fractions that fall short of a whole.
  const due = Math.floor((sessions * (nowMs - pace.sinceMs)) / leftMs + 1e-6);
  // The share of the next one that has passed already counts for it.
  const after = { ...pace, sinceMs: pace.sinceMs + (due * leftMs) / sessions };
  const staying = sessions - due;
  const eachMs = staying === 0 ? leftMs : (after.endsMs - after.sinceMs) / staying;
  const soonest = nowMs + STEP_LEAST_MS + sessions / SESSIONS_PER_STEP_MS;
  return { due, pace: after, nextMs: Math.min(after.endsMs, Math.ceil(Math.max(soonest, after.sinceMs + eachMs))) };
}

function rateStep(pace: Pace, eachMs: number, nowMs: number, sessions: number): PaceStep {
  const sinceMs = Math.max(pace.sinceMs, nowMs - Math.max(eachMs, OWED_MOST_MS));
  const due = Math.floor((nowMs - sinceMs) / eachMs + 1e-6);
  if (due >= sessions) return { due: "all", pace, nextMs: nowMs };
  const after = { ...pace, sinceMs: sinceMs + due * eachMs };
  const soonest = nowMs + STEP_LEAST_MS + sessions / SESSIONS_PER_STEP_MS;
  return { due, pace: after, nextMs: Math.ceil(Math.max(soonest, after.sinceMs + eachMs)) };
}

/** The pace at `nowMs` if of the sessions that were due only so many ended, of so many that there were: the rest stays due. */
export function paceAfter(pace: Pace, nowMs: number, sessions: number, ended: number): Pace {
  if (pace.eachMs !== undefined) {
    const sinceMs = Math.max(pace.sinceMs, nowMs - Math.max(pace.eachMs, OWED_MOST_MS));
    return { ...pace, sinceMs: sinceMs + ended * pace.eachMs };
  }
  if (sessions === 0) return pace;
  return { ...pace, sinceMs: pace.sinceMs + (ended * (pace.endsMs - pace.sinceMs)) / sessions };
}
