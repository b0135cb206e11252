// The cut of a server: raises its cut generation, orders the relays, and counts what is left, until nothing is. Control thread.

import { CT_ROWS_USED } from "../memory/counters.ts";
import type { EndCause } from "../memory/end-state.ts";
import { SERVER_WORDS, V_CUT_CAUSE, V_CUT_GENERATION } from "../memory/server-row.ts";
import { S_CUT_GENERATION, S_SERVER, S_STATE, SESSION_WORDS, SessionState } from "../memory/session-row.ts";
import { type SharedMemory, threadCounters } from "../memory/shared-memory.ts";
import type { Receipt } from "./change.ts";
import type { CommitContext } from "./commit-context.ts";
import type { ServerEntry } from "./registry.ts";

/** A cut is repeated until nothing is left; in practice once. */
const CUT_ROUNDS_MAX = 100;

/** Ends every session that chose `server` before now. On its answer none is left. */
export async function cutServer(context: CommitContext, server: ServerEntry, cause: EndCause): Promise<Receipt> {
  const { memory, orders } = context;
  Atomics.store(memory.serversI32, server.index * SERVER_WORDS + V_CUT_CAUSE, cause);
  Atomics.add(memory.serversI32, server.index * SERVER_WORDS + V_CUT_GENERATION, 1);
  let ended = 0;
  let survivors = 0;
  for (let round = 0; round < CUT_ROUNDS_MAX; round++) {
    const answer = await orders.order({ kind: "cut-server", server: server.index });
    ended += answer.ended;
    survivors = countSurvivors(memory, server.index);
    if (survivors === 0) break;
  }
  return { done: true, matched: ended + survivors, ended, survivors };
}

/** Sessions in the table that chose the server before its last cut: must be none. */
function countSurvivors(memory: SharedMemory, server: number): number {
  const generation = Atomics.load(memory.serversI32, server * SERVER_WORDS + V_CUT_GENERATION);
  const { sessions } = memory;
  let count = 0;
  for (let thread = 0; thread < memory.threads; thread++) {
    const used = memory.countersF64[threadCounters(memory, thread) + CT_ROWS_USED];
    const first = thread * memory.rowsPerThread * SESSION_WORDS;
    for (let base = first; base < first + used * SESSION_WORDS; base += SESSION_WORDS) {
      if (sessions[base + S_SERVER] !== server) continue;
      const state = sessions[base + S_STATE];
      if (state === SessionState.FREE || state === SessionState.ABANDONED) continue;
      if (sessions[base + S_CUT_GENERATION] !== generation) count++;
    }
  }
  return count;
}
