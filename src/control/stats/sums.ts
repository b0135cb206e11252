// Counters of all threads as one value: sums, maxima, and averages weighted by how many sessions each thread timed. Control
// thread; the words are written by relays at any time, each by one of them only.

import { CB_TIMED, CS_TIMED, CT_BUSY_MS, CT_IDLE_MS } from "../../memory/counters.ts";
import { proxyCounters, type SharedMemory, serverCounters, threadCounters } from "../../memory/shared-memory.ts";

/** One word of the threads' own parts. */
export function sumThreads(memory: SharedMemory, word: number): number {
  let sum = 0;
  for (let thread = 0; thread < memory.threads; thread++)
    sum += memory.countersF64[threadCounters(memory, thread) + word];
  return sum;
}

/** One word of a proxy's block, over all threads. */
export function sumProxy(memory: SharedMemory, proxy: number, word: number): number {
  let sum = 0;
  for (let thread = 0; thread < memory.threads; thread++)
    sum += memory.countersF64[proxyCounters(memory, thread, proxy) + word];
  return sum;
}

/** One word of a server's block, over all threads. */
export function sumServer(memory: SharedMemory, server: number, word: number): number {
  let sum = 0;
  for (let thread = 0; thread < memory.threads; thread++)
    sum += memory.countersF64[serverCounters(memory, thread, server) + word];
  return sum;
}

/** One proxy's or one server's block in every thread. */
export class CounterBlocks {
  readonly #memory: SharedMemory;
  readonly #timed: number;
  readonly #starts: readonly number[];

  private constructor(memory: SharedMemory, timed: number, starts: readonly number[]) {
    this.#memory = memory;
    this.#timed = timed;
    this.#starts = starts;
  }

  static ofProxy(memory: SharedMemory, proxy: number): CounterBlocks {
    return new CounterBlocks(
      memory,
      CB_TIMED,
      eachThread(memory, (thread) => proxyCounters(memory, thread, proxy)),
    );
  }

  static ofServer(memory: SharedMemory, server: number): CounterBlocks {
    return new CounterBlocks(
      memory,
      CS_TIMED,
      eachThread(memory, (thread) => serverCounters(memory, thread, server)),
    );
  }

  sum(word: number): number {
    let sum = 0;
    for (const start of this.#starts) sum += this.#memory.countersF64[start + word];
    return sum;
  }

  max(word: number): number {
    let max = 0;
    for (const start of this.#starts) max = Math.max(max, this.#memory.countersF64[start + word]);
    return max;
  }

  /** A per-thread average as one, in whole units, by the threads' shares of timed sessions. */
  average(word: number): number {
    let weighted = 0;
    let timed = 0;
    for (const start of this.#starts) {
      const count = this.#memory.countersF64[start + this.#timed];
      weighted += this.#memory.countersF64[start + word] * count;
      timed += count;
    }
    return timed === 0 ? 0 : Math.round(weighted / timed);
  }
}

const eachThread = (memory: SharedMemory, of: (thread: number) => number): number[] =>
  Array.from({ length: memory.threads }, (_, thread) => of(thread));

/** ms that all threads spent waiting and working. */
export const idleAndBusyMs = (memory: SharedMemory): { readonly idleMs: number; readonly busyMs: number } => ({
  idleMs: sumThreads(memory, CT_IDLE_MS),
  busyMs: sumThreads(memory, CT_BUSY_MS),
});
