// How long threads take for one turn while something is carried out: what waits for them waits no longer than that. Control thread.

import { CT_TURN_MS_MAX } from "../memory/counters.ts";
import { type SharedMemory, threadCounters } from "../memory/shared-memory.ts";

/** Milliseconds. */
export interface LongestTurns {
  /** The control thread's: between two looks at it, which are 1 ms apart if nothing else is done. */
  readonly control: number;
  /** Of any relay thread: from one wait for events to the next. */
  readonly relay: number;
}

/** Watches from its making on until `end`. One at a time. */
export class TurnWatch {
  readonly #memory: SharedMemory;
  /** What had been seen before, for whoever asks later. */
  readonly #before: number[] = [];
  readonly #timer: NodeJS.Timeout;
  #lookedMs = performance.now();
  #longestMs = 0;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
    for (let thread = 0; thread < memory.threads; thread++) {
      const word = threadCounters(memory, thread) + CT_TURN_MS_MAX;
      this.#before.push(memory.countersF64[word]!);
      memory.countersF64[word] = 0;
    }
    this.#timer = setInterval(() => this.#look(), 1);
  }

  end(): LongestTurns {
    clearInterval(this.#timer);
    this.#look();
    let relay = 0;
    for (const [thread, before] of this.#before.entries()) {
      const word = threadCounters(this.#memory, thread) + CT_TURN_MS_MAX;
      const seen = this.#memory.countersF64[word]!;
      relay = Math.max(relay, seen);
      this.#memory.countersF64[word] = Math.max(before, seen);
    }
    return { control: this.#longestMs, relay };
  }

  #look(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lookedMs);
    this.#lookedMs = nowMs;
  }
}
