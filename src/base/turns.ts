// Long work in parts: at once where nobody waits, or in slices of some milliseconds, between which other events of the thread's event
// loop have their turn. What is given out by a `yield` is only the occasion.

/** Work in parts: every `yield` is a moment at which it may rest. */
export type Steps<T> = Generator<void, T, void>;

/** Work done in one go before others have their turn. */
const SLICE_MS = 3;

/** To the end, at once. */
export function runThrough<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Slices of one piece of work; from its making on, time counts. */
export class Turns {
  #endMs = performance.now() + SLICE_MS;

  /** True when others should have a turn: then `await next()`. */
  get isLong(): boolean {
    return performance.now() >= this.#endMs;
  }

  /** Resolves when the events that wait have been handled. */
  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#endMs = performance.now() + SLICE_MS;
  }

  /** To the end, in slices. What the steps throw is thrown. */
  async run<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      if (this.isLong) await this.next();
    }
  }
}
