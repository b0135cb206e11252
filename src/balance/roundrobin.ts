// `balance roundrobin`: smooth weighted round robin. A server of weight w gets w of every sum-of-weights sessions, spread
// as evenly as they go. The scores stand in the server table, so all threads share one sequence: call it under the lock.

import { SERVER_WORDS, V_LOAD_WEIGHT, V_SCORE } from "../memory/server-row.ts";
import type { Candidates } from "./candidates.ts";
import { hasRoom } from "./capacity.ts";

/** The next server with room, other than `avoid` unless it is the only one; -1 if all are full. */
export function pickRoundRobin(table: Int32Array, candidates: Candidates, avoid: number): number {
  let best = -1;
  let total = 0;
  for (let i = 0; i < candidates.count; i++) {
    const server = candidates.servers[i];
    if (!hasRoom(table, server) || (server === avoid && candidates.count > 1)) continue;
    const row = server * SERVER_WORDS;
    total += table[row + V_LOAD_WEIGHT];
    table[row + V_SCORE] += table[row + V_LOAD_WEIGHT];
    if (best < 0 || table[row + V_SCORE] > table[best * SERVER_WORDS + V_SCORE]) best = server;
  }
  if (best >= 0) table[best * SERVER_WORDS + V_SCORE] -= total;
  return best;
}
