// Reading the session table from the control thread while relays change it: a row is copied, and the copy counts only if the row
// belonged to the same session before and after.

import { CT_ROWS_USED } from "../../memory/counters.ts";
import { S_GENERATION, S_STATE, SESSION_WORDS, SessionState, sessionIdOf } from "../../memory/session-row.ts";
import { type SharedMemory, threadCounters } from "../../memory/shared-memory.ts";

export class SessionReader {
  /** The copy: its Int32 words, and the same memory as Float64 words. Valid until the next `read`. */
  readonly words: Int32Array;
  readonly f64: Float64Array;
  /** Identity of the session in the copy. */
  id = 0;
  readonly #memory: SharedMemory;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
    const copy = new ArrayBuffer(SESSION_WORDS * 4);
    this.words = new Int32Array(copy);
    this.f64 = new Float64Array(copy);
  }

  /** Copies a row; false when it holds no session, or one that ended meanwhile. */
  read(row: number): boolean {
    const { sessions } = this.#memory;
    const start = row * SESSION_WORDS;
    const generation = Atomics.load(sessions, start + S_GENERATION);
    if ((generation & 1) === 0) return false;
    this.words.set(sessions.subarray(start, start + SESSION_WORDS));
    if (Atomics.load(sessions, start + S_GENERATION) !== generation) return false;
    const state = this.words[S_STATE];
    if (state === SessionState.FREE || state === SessionState.ABANDONED) return false;
    this.id = sessionIdOf(row, generation);
    return true;
  }
}

/** The rows of a thread that were ever used: first, and one behind the last. */
export function usedRows(memory: SharedMemory, thread: number): { readonly from: number; readonly to: number } {
  const from = thread * memory.rowsPerThread;
  const used = memory.countersF64[threadCounters(memory, thread) + CT_ROWS_USED];
  return { from, to: from + Math.min(memory.rowsPerThread, used) };
}
