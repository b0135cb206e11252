// The servers of a backend that may be given a session, cached by each relay thread until the backend's epoch moves.
// Pure but for reading the server table; no sockets, no clock.

import { SERVERS_MAX } from "../base/limits.ts";
import { SERVER_WORDS, V_FLAGS, V_ID, V_NEXT, V_USABLE, V_WEIGHT, VF_BACKUP } from "../memory/server-row.ts";

/** The usable servers of one backend in order of declaration: the active ones, else the first usable backup. */
export interface Candidates {
  /** P_EPOCH when it was made. */
  epoch: number;
  /** Server indexes; the first `count` count. */
  servers: Int32Array;
  count: number;
  totalWeight: number;
  /** Order by id, for `balance first`; same length. */
  byId: Int32Array;
  /** Lookup map of `balance source`, made when first asked for; undefined until then. */
  sourceMap: Int32Array | undefined;
}

export const noCandidates = (): Candidates => ({
  epoch: -1,
  servers: new Int32Array(8),
  count: 0,
  totalWeight: 0,
  byId: new Int32Array(0),
  sourceMap: undefined,
});

/**
 * Fills `candidates` from the chain of servers that starts at row `first` of the server table.
 * A server counts if it is usable and has a weight; backups only while no active server does, and then only the first.
 */
export function collectCandidates(table: Int32Array, first: number, epoch: number, candidates: Candidates): void {
  let count = 0;
  let weight = 0;
  let backup = -1;
  // The chain is bounded: a writer may be changing it, and then the epoch moves again.
  for (let server = first, steps = 0; server >= 0 && steps < SERVERS_MAX; steps++) {
    const row = server * SERVER_WORDS;
    if (table[row + V_USABLE] === 1 && table[row + V_WEIGHT] > 0) {
      if ((table[row + V_FLAGS] & VF_BACKUP) !== 0) {
        if (backup < 0) backup = server;
      } else {
        if (count === candidates.servers.length) {
          const larger = new Int32Array(count * 2);
          larger.set(candidates.servers);
          candidates.servers = larger;
        }
        candidates.servers[count++] = server;
        weight += table[row + V_WEIGHT];
      }
    }
    server = table[row + V_NEXT];
  }
  if (count === 0 && backup >= 0) {
    candidates.servers[count++] = backup;
    weight = table[backup * SERVER_WORDS + V_WEIGHT];
  }
  candidates.count = count;
  candidates.totalWeight = weight;
  candidates.byId = candidates.servers
    .slice(0, count)
    .sort((a, b) => table[a * SERVER_WORDS + V_ID] - table[b * SERVER_WORDS + V_ID]);
  candidates.sourceMap = undefined;
  candidates.epoch = epoch;
}
