// Events per second from a counter that only grows: sampled once a second, read at any time between. Control thread.

/** A growing counter's recent past. `tick` is called once a period; `rate` may be called any time. */
export class Frequency {
  /** The counter when the period began, and its growth in the one before. */
  #base: number;
  #previous = 0;
  #max = 0;

  constructor(total = 0) {
    this.#base = total;
  }

  /** Ends a period. A counter that went back (it was cleared) counts from its new value. */
  tick(total: number): void {
    this.#previous = this.#growth(total);
    this.#base = total;
    this.#max = Math.max(this.#max, this.#previous);
  }

  /** Events in the last second: those of this period, and the part of the previous one that is still within a second. */
  rate(total: number, elapsedFraction: number): number {
    const current = this.#growth(total);
    const rate = Math.floor(current + this.#previous * (1 - elapsedFraction));
    this.#max = Math.max(this.#max, rate);
    return rate;
  }

  /** The highest rate seen, up to now. */
  max(total: number, elapsedFraction: number): number {
    this.rate(total, elapsedFraction);
    return this.#max;
  }

  clearMax(): void {
    this.#max = 0;
  }

  #growth(total: number): number {
    if (total < this.#base) this.#base = 0;
    return total - this.#base;
  }
}
