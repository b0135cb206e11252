// Why a session was ended before its time: the word behind the termination state, which stays HAProxy's. Any thread.

import { EndCause } from "./end-state.ts";

/** Numbers as they stand in rows and records; they are never given to another reason. */
export const CutReason = {
  /** Nobody cut it: it lives, or its client, its server or a lack of resources ended it, as the termination state says. */
  NONE: 0,
  /** `shutdown session`, `shutdown sessions`. */
  OPERATOR: 1,
  /** `evict server`, `evict sessions`. */
  EVICTION: 2,
  MAX_SESSION_AGE: 3,
  MAX_SESSION_IDLE: 4,
  ON_MAINT: 5,
  ON_DRAIN: 6,
  REBALANCE: 7,
  ON_MARKED_DOWN: 8,
  ON_MARKED_UP: 9,
  ADDRESS_CHANGE: 10,
  /** A reload took its server, or its frontend, away. */
  REMOVED: 11,
  /** The process ended, or `hard-stop-after` was over. */
  HARD_STOP: 12,
  /** One of the timeouts. */
  TIMEOUT: 13,
} as const;
export type CutReason = (typeof CutReason)[keyof typeof CutReason];

/** Names as shown in logs, JSON and counters, by number. */
export const CUT_REASON_NAMES: readonly string[] = [
  "-",
  "operator",
  "eviction",
  "max-session-age",
  "max-session-idle",
  "on-maint",
  "on-drain",
  "rebalance",
  "on-marked-down",
  "on-marked-up",
  "address-change",
  "removed",
  "hard-stop",
  "timeout",
];

/** The first letter of the termination state that goes with a reason; TIMEOUT has one of its own for each side. */
export function endCauseOf(reason: CutReason): EndCause {
  switch (reason) {
    case CutReason.ON_MARKED_DOWN:
    case CutReason.ADDRESS_CHANGE:
      return EndCause.DOWN;
    case CutReason.ON_MARKED_UP:
      return EndCause.UP;
    default:
      return EndCause.KILLED;
  }
}
