// What the control thread remembers of a server or proxy that a reload removed while sessions were left. Written by `commit` only.

import type { RemovalPolicy } from "../../config/health-model.ts";

/** Times of the monotonic clock. */
export interface Leaving {
  readonly sinceMs: number;
  /** Sessions that are left then are ended: `on-removed drain`, or `hard-stop-after`; undefined: they stay as long as they like. */
  readonly endsMs: number | undefined;
  readonly policy: RemovalPolicy;
  /** Sessions when it was removed, and those that were ended since. */
  readonly sessions: number;
  ended: number;
}
