// epoll as Linux has it: a watched thing becomes ready at an edge, what is reported are its bits at the time of the wait. What
// was collected by one wait stays in its batch, whatever happens to the descriptor before the event is handled.

import type { Random } from "./random.ts";

/** What can be watched. */
export interface Pollable {
  /** EPOLL bits now. */
  bits(): number;
  readonly watches: Watch[];
}

export interface Watch {
  readonly poll: SimPoll;
  readonly target: Pollable;
  readonly mask: number;
  readonly low: number;
  readonly high: number;
  readonly isEdge: boolean;
  readonly isExclusive: boolean;
  isReady: boolean;
}

export interface SimEvent {
  readonly bits: number;
  readonly low: number;
  readonly high: number;
}

export class SimPoll {
  private ready: Watch[] = [];

  add(watch: Omit<Watch, "poll" | "isReady">): void {
    const added: Watch = { ...watch, poll: this, isReady: false };
    watch.target.watches.push(added);
    if ((watch.target.bits() & watch.mask) !== 0) this.markReady(added);
  }

  remove(target: Pollable): boolean {
    const at = target.watches.findIndex((watch) => watch.poll === this);
    if (at < 0) return false;
    const [gone] = target.watches.splice(at, 1);
    if (gone.isReady) this.ready.splice(this.ready.indexOf(gone), 1);
    return true;
  }

  markReady(watch: Watch): void {
    if (watch.isReady) return;
    watch.isReady = true;
    this.ready.push(watch);
  }

  /** True if a wait would return at once. */
  hasEvents(): boolean {
    for (let i = this.ready.length - 1; i >= 0; i--) {
      const watch = this.ready[i];
      if ((watch.target.bits() & watch.mask) !== 0) return true;
      watch.isReady = false;
      this.ready.splice(i, 1);
    }
    return false;
  }

  /** Takes at most `limit` events, in any order: which of two things came first is chance. */
  collect(limit: number, random: Random): SimEvent[] {
    const events: SimEvent[] = [];
    const again: Watch[] = [];
    while (events.length < limit && this.ready.length > 0) {
      const [watch] = this.ready.splice(random.below(this.ready.length), 1);
      const bits = watch.target.bits() & watch.mask;
      if (bits === 0 || watch.isEdge) watch.isReady = false;
      else again.push(watch);
      if (bits !== 0) events.push({ bits, low: watch.low, high: watch.high });
    }
    this.ready.push(...again);
    return events;
  }
}

/** An edge: tells all who watch `target`, or one of those who watch it exclusively (at times more: Linux promises one). */
export function edge(target: Pollable, random: Random): void {
  const { watches } = target;
  if (watches.length === 0) return;
  const first = watches[0].isExclusive ? random.below(watches.length) : 0;
  for (let i = 0; i < watches.length; i++) {
    const watch = watches[(first + i) % watches.length];
    watch.poll.markReady(watch);
    if (watch.isExclusive && !random.chance(30)) return;
  }
}

/** The last descriptor of `target` was closed. */
export function forget(target: Pollable): void {
  while (target.watches.length > 0) target.watches[0].poll.remove(target);
}
