// Whether a server has room, and taking one of its slots: the one place where per-server maxconn is counted.

import { SERVER_WORDS, V_LIMIT, V_SERVED, V_SERVED_MAX } from "../memory/server-row.ts";

/** True if the server has no limit or fewer sessions than it. A moment later it may not be true any more. */
export function hasRoom(table: Int32Array, server: number): boolean {
  const row = server * SERVER_WORDS;
  const limit = table[row + V_LIMIT];
  return limit === 0 || Atomics.load(table, row + V_SERVED) < limit;
}

/** Takes one slot of the server; false if it is full. Exact over all threads. */
export function takeSlot(table: Int32Array, server: number): boolean {
  const row = server * SERVER_WORDS;
  const limit = table[row + V_LIMIT];
  const served = Atomics.add(table, row + V_SERVED, 1) + 1;
  if (limit !== 0 && served > limit) {
    Atomics.sub(table, row + V_SERVED, 1);
    return false;
  }
  raiseMaximum(table, row + V_SERVED_MAX, served);
  return true;
}

/** Keeps a maximum that several threads raise. */
export function raiseMaximum(table: Int32Array, word: number, value: number): void {
  for (let seen = table[word]; value > seen; ) {
    const before = Atomics.compareExchange(table, word, seen, value);
    if (before === seen) return;
    seen = before;
  }
}
