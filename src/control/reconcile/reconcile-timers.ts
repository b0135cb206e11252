// Wakes `reconcile` when a backend's policies have something to do, and evictions of sessions. At most one timer for each backend, and one
// for the evictions. Control thread.

import type { Change } from "../change.ts";
import type { ProxyEntry } from "../registry.ts";

/** Longer waits than Node's timers can do are cut in pieces: to look too early does no harm. */
const WAIT_MOST_MS = 2_000_000_000;

export class ReconcileTimers {
  private readonly commit: (change: Change) => Promise<unknown>;
  private readonly nowMs: () => number;
  private readonly timers = new Map<
    ProxyEntry | undefined,
    { readonly atMs: number; readonly timer: NodeJS.Timeout }
  >();
  private stopped = false;

  constructor(commit: (change: Change) => Promise<unknown>, nowMs: () => number) {
    this.commit = commit;
    this.nowMs = nowMs;
  }

  /** Looks at the backend, or at the evictions for undefined, at that time by the monotonic clock, or before: who looked says when to come again. */
  lookAt(backend: ProxyEntry | undefined, atMs: number): void {
    const armed = this.timers.get(backend);
    if (this.stopped || (armed !== undefined && armed.atMs <= atMs)) return;
    clearTimeout(armed?.timer);
    const waitMs = Math.min(WAIT_MOST_MS, Math.max(0, Math.ceil(atMs - this.nowMs())));
    const timer = setTimeout(() => {
      this.timers.delete(backend);
      void this.commit(backend === undefined ? { kind: "continue-evictions" } : { kind: "reconcile", backend });
    }, waitMs);
    this.timers.set(backend, { atMs, timer });
  }

  /** Looks at once at a backend, if there is one: a server may be deleted before what happened to it is told. */
  lookNow(backend: ProxyEntry | undefined): void {
    if (!this.stopped && backend !== undefined) void this.commit({ kind: "reconcile", backend });
  }

  /** Nothing is decided after this. */
  stop(): void {
    this.stopped = true;
    for (const { timer } of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }
}
