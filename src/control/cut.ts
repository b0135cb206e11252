// The cut of a server: raises its cut generation, orders the relays, and counts what is left, until nothing is. Control thread.

import { CT_ROWS_USED } from "../memory/counters.ts";
import type { EndCause } from "../memory/end-state.ts";
import type { Selector } from "../memory/selector.ts";
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

/**
 * Ends so many of the server's sessions, each with the same chance, or all if there are no more. Unlike a cut it does not speak
 * of sessions to come, so the server is to be out of service. Resolves with how many ended.
 */
export async function cutSome(
  context: CommitContext,
  server: ServerEntry,
  most: number,
  cause: EndCause,
): Promise<number> {
  const { memory, orders } = context;
  Atomics.store(memory.serversI32, server.index * SERVER_WORDS + V_CUT_CAUSE, cause);
  const counts = Array.from({ length: memory.threads }, (_, thread) =>
    countSessions(memory, thread, (base) => memory.sessions[base + S_SERVER] === server.index),
  );
  const shares = shareOut(counts, most, () => context.random());
  const answers = await Promise.all(
    shares.map(async (share, thread) =>
      share === 0 ? 0 : (await orders.order({ kind: "cut-some", server: server.index, most: share }, thread)).ended,
    ),
  );
  return answers.reduce((sum, ended) => sum + ended, 0);
}

/**
 * Ends every session that is selected, on all threads. Twice where there are several: a connection that one of them accepted and
 * handed to another one that had obeyed already is found by the second round.
 */
export async function cutSelected({ memory, orders }: CommitContext, selector: Selector): Promise<Receipt> {
  let ended = 0;
  for (let round = 0; round < Math.min(2, memory.threads); round++) {
    ended += (await orders.order({ kind: "cut-selected", selector })).ended;
  }
  return { done: true, matched: ended, ended, survivors: 0 };
}

/** Deals `most` out to threads that have so many sessions each, as a draw of single sessions would. */
export function shareOut(counts: readonly number[], most: number, random: () => number): number[] {
  const left = [...counts];
  const shares = counts.map(() => 0);
  let total = counts.reduce((sum, count) => sum + count, 0);
  for (let drawn = 0; drawn < most && total > 0; drawn++, total--) {
    let at = Math.floor(random() * total);
    let thread = 0;
    while (at >= left[thread]) at -= left[thread++];
    left[thread]--;
    shares[thread]++;
  }
  return shares;
}

/** Sessions in the table that chose the server before its last cut: must be none. */
function countSurvivors(memory: SharedMemory, server: number): number {
  const generation = Atomics.load(memory.serversI32, server * SERVER_WORDS + V_CUT_GENERATION);
  const { sessions } = memory;
  let count = 0;
  for (let thread = 0; thread < memory.threads; thread++) {
    count += countSessions(
      memory,
      thread,
      (base) => sessions[base + S_SERVER] === server && sessions[base + S_CUT_GENERATION] !== generation,
    );
  }
  return count;
}

/** A thread's live sessions of which `matches` says so, by the first word of their row. */
function countSessions(memory: SharedMemory, thread: number, matches: (base: number) => boolean): number {
  const { sessions } = memory;
  const used = memory.countersF64[threadCounters(memory, thread) + CT_ROWS_USED];
  const first = thread * memory.rowsPerThread * SESSION_WORDS;
  let count = 0;
  for (let base = first; base < first + used * SESSION_WORDS; base += SESSION_WORDS) {
    if (!matches(base)) continue;
    const state = sessions[base + S_STATE];
    if (state !== SessionState.FREE && state !== SessionState.ABANDONED) count++;
  }
  return count;
}
