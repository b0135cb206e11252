// `balance random(<draws>)`: draws that many servers at random by weight and takes the least loaded of them.

import { SERVER_WORDS, V_LOAD_WEIGHT, V_SERVED } from "../memory/server-row.ts";
import type { Candidates } from "./candidates.ts";
import { hasRoom } from "./capacity.ts";

/** One step of xorshift32: never 0 for a seed that is not 0. */
export function nextRandom(state: number): number {
  let x = state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x | 0;
}

/** `random` is a fresh 32-bit number; further draws derive from it. -1 if all are full. */
export function pickRandom(
  table: Int32Array,
  candidates: Candidates,
  avoid: number,
  draws: number,
  random: number,
): number {
  const { count, servers, totalWeight } = candidates;
  let state = random | 1;
  let best = -1;
  for (let draw = 0; draw < draws; draw++) {
    state = nextRandom(state);
    let left = (state >>> 0) % totalWeight;
    let at = 0;
    while (at < count - 1 && left >= table[servers[at] * SERVER_WORDS + V_LOAD_WEIGHT]) {
      left -= table[servers[at] * SERVER_WORDS + V_LOAD_WEIGHT];
      at++;
    }
    const server = servers[at];
    if (!hasRoom(table, server) || (server === avoid && count > 1)) continue;
    if (best < 0 || isLighter(table, server, best)) best = server;
  }
  if (best >= 0) return best;
  // All draws were full: any with room will do.
  for (let i = 0; i < count; i++) {
    const server = servers[(i + (state >>> 0)) % count];
    if (hasRoom(table, server) && (server !== avoid || count === 1)) return server;
  }
  return -1;
}

function isLighter(table: Int32Array, a: number, b: number): boolean {
  const servedA = Atomics.load(table, a * SERVER_WORDS + V_SERVED) * table[b * SERVER_WORDS + V_LOAD_WEIGHT];
  const servedB = Atomics.load(table, b * SERVER_WORDS + V_SERVED) * table[a * SERVER_WORDS + V_LOAD_WEIGHT];
  return servedA < servedB;
}
