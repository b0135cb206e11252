// Tells whoever waits for the program (a command, the soft stop) to look again: after each change, and now and then. Control thread.

/** How often those who wait look again, besides after each change. */
const PAUSE_MS = 20;

export class Progress {
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  /** Calls `listener` from now on; the returned function ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.look(), PAUSE_MS);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.stop();
    };
  }

  /** All look now. */
  look(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
