// `balance leastconn`: the server with the fewest sessions for its weight; equals take turns.

import { SERVER_WORDS, V_LOAD_WEIGHT, V_SERVED } from "../memory/server-row.ts";
import type { Candidates } from "./candidates.ts";
import { hasRoom } from "./capacity.ts";

/** `turn` moves on with each call, so that equals take turns; -1 if all are full. */
export function pickLeastConn(table: Int32Array, candidates: Candidates, avoid: number, turn: number): number {
  const { count, servers } = candidates;
  let best = -1;
  let bestServed = 0;
  let bestWeight = 1;
  for (let i = 0; i < count; i++) {
    const server = servers[(i + turn) % count];
    if (!hasRoom(table, server) || (server === avoid && count > 1)) continue;
    const row = server * SERVER_WORDS;
    const served = Atomics.load(table, row + V_SERVED);
    const weight = table[row + V_LOAD_WEIGHT];
    // served / weight < bestServed / bestWeight, without fractions.
    if (best < 0 || served * bestWeight < bestServed * weight) {
      best = server;
      bestServed = served;
      bestWeight = weight;
    }
  }
  return best;
}
