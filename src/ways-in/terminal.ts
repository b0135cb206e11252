// The terminal that a command of the command line runs in: where it writes, Ctrl-C, and a question to whoever sits there.

import { createInterface } from "node:readline";

export interface Terminal {
  out(text: string): void;
  error(text: string): void;
  /** Somebody watches what `error` writes. */
  readonly isWatched: boolean;
  /** Called for each Ctrl-C in place of the end of the process, until the returned function is. */
  onInterrupt(listener: () => void): () => void;
  /** A line typed in answer; undefined where nobody can answer. Given up when `signal` aborts. */
  ask(question: string, signal: AbortSignal): Promise<string | undefined>;
}

/** The process's own. */
export const terminal = (): Terminal => ({
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  isWatched: process.stderr.isTTY === true,
  onInterrupt(listener) {
    process.on("SIGINT", listener);
    return () => process.off("SIGINT", listener);
  },
  ask(question, signal) {
    if (process.stdin.isTTY !== true) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const reader = createInterface({ input: process.stdin, output: process.stderr });
      const end = (answer: string | undefined): void => {
        signal.removeEventListener("abort", abort);
        reader.close();
        process.stdin.unref();
        resolve(answer);
      };
      const abort = (): void => end(undefined);
      signal.addEventListener("abort", abort);
      // readline takes Ctrl-C for itself while it asks.
      reader.on("SIGINT", abort);
      reader.question(question, end);
    });
  },
});
