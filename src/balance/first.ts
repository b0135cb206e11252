// `balance first`: the server with the lowest id that has room, so that the others can be switched off.

import type { Candidates } from "./candidates.ts";
import { hasRoom } from "./capacity.ts";

/** -1 if all are full. */
export function pickFirst(table: Int32Array, candidates: Candidates, avoid: number): number {
  for (let i = 0; i < candidates.count; i++) {
    const server = candidates.byId[i];
    if (hasRoom(table, server) && (server !== avoid || candidates.count === 1)) return server;
  }
  return -1;
}
