// Check work gives way: between two pieces of it whoever is ready on the same core gets its turn, a relay thread above all, and a turn
// of the event loop ends soon, so that commands are answered between two. Checks that are late give way no more. Control thread.

import { letOthersRun } from "../../sys/scheduling.ts";

export interface CheckPaceOptions {
  /** Monotonic; default performance.now(). */
  readonly nowMs?: () => number;
  /** Default: sched_yield. */
  readonly giveWay?: () => void;
}

/** A run begun later than this share of its interval: the core is full, and who gives way there gets little of it. */
const LATE_SHARE = 0.25;
/** What a turn may last, the time given to others included. */
const TURN_MS = 4;

/** One for all who work on checks: what is begun late tells those who end it. */
export class CheckPace {
  readonly #nowMs: () => number;
  readonly #giveWay: () => void;
  #turnSinceMs = 0;
  #isLate = false;

  constructor(options: CheckPaceOptions = {}) {
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#giveWay = options.giveWay ?? letOthersRun;
  }

  /** A turn of the event loop begins. */
  beginTurn(): void {
    this.#turnSinceMs = this.#nowMs();
  }

  /** A run is begun so long after its time. */
  noteLateness(lateMs: number, intervalMs: number): void {
    this.#isLate = lateMs > intervalMs * LATE_SHARE;
  }

  /** After each piece of work. False: what is left is for another turn. */
  goesOn(): boolean {
    if (!this.#isLate) this.#giveWay();
    return this.#nowMs() - this.#turnSinceMs < TURN_MS;
  }
}

/** That of the process. */
export const checkPace = new CheckPace();
