// The cut of a server: raises its cut generation, orders the relays, and counts what is left, until nothing is. Control thread.

import { CT_ROWS_USED } from "../memory/counters.ts";
import { CutReason } from "../memory/cut-reason.ts";
import { CutChoice, type CutManner } from "../memory/order.ts";
import { bytesHeld, lastActiveMs, type Selector } from "../memory/selector.ts";
import { SERVER_WORDS, V_ATTACHED, V_CUT_GENERATION, V_CUT_REASON } from "../memory/server-row.ts";
import {
  S_ACCEPT_F64,
  S_CUT_GENERATION,
  S_SERVER,
  S_STATE,
  SESSION_WORDS,
  SessionState,
} from "../memory/session-row.ts";
import { type SharedMemory, slotsUsed, threadCounters } from "../memory/shared-memory.ts";
import type { Receipt } from "./change.ts";
import type { CommitContext } from "./commit-context.ts";
import type { ServerEntry } from "./registry.ts";
import type { Acknowledgement } from "./workers.ts";

/** A cut is repeated until nothing is left; in practice once. */
const CUT_ROUNDS_MAX = 100;

/** What a cut did. */
export interface CutResult extends Acknowledgement {
  readonly survivors: number;
}

/** Ends every session that chose `server` before now. On its answer none is left. */
export async function cutServer(context: CommitContext, server: ServerEntry, reason: CutReason): Promise<Receipt> {
  const { ended, survivors } = await cutAllOf(context, server, reason, false);
  return { done: true, matched: ended + survivors, ended, survivors };
}

/** The same; `resetClients`: they are told by a reset. */
export async function cutAllOf(
  context: CommitContext,
  server: ServerEntry,
  reason: CutReason,
  resetClients: boolean,
): Promise<CutResult> {
  const { memory, orders } = context;
  Atomics.store(memory.serversI32, server.index * SERVER_WORDS + V_CUT_REASON, reason);
  Atomics.add(memory.serversI32, server.index * SERVER_WORDS + V_CUT_GENERATION, 1);
  let ended = 0;
  let discardedBytes = 0;
  let survivors = 0;
  for (let round = 0; round < CUT_ROUNDS_MAX; round++) {
    const answer = await orders.order({ kind: "cut-server", server: server.index, resetClients });
    ended += answer.ended;
    discardedBytes += answer.discardedBytes;
    survivors = countSurvivors(memory, server.index);
    if (survivors === 0) break;
  }
  return { ended, discardedBytes, survivors };
}

/** At random, whatever they do, and clients are told in good order. */
export const plainly = (reason: CutReason): CutManner => ({
  choice: CutChoice.RANDOM,
  idleMs: 0,
  resetClients: false,
  reason,
});

/**
 * Ends so many of the server's sessions, chosen as `manner` says over all threads, or all if there are no more. Unlike a cut it does
 * not speak of sessions to come, so the server is to be out of service. With `idleMs` fewer may end: a relay knows better than
 * the table what is on its way.
 */
export async function cutSome(
  context: CommitContext,
  server: ServerEntry,
  most: number,
  manner: CutManner,
): Promise<Acknowledgement> {
  const { memory, orders } = context;
  const threads = Array.from({ length: slotsUsed(memory) }, (_, thread) => thread);
  const isCandidate = mayEnd(context, server, manner.idleMs);
  let shares = [most];
  if (threads.length > 1 && manner.choice === CutChoice.RANDOM) {
    const counts = threads.map((thread) => countSessions(memory, thread, isCandidate));
    shares = shareOut(counts, most, context.random());
  } else if (threads.length > 1) {
    const sinces = threads.map((thread) => candidatesOf(context, thread, manner.choice, isCandidate));
    shares = shareFirst(sinces, most);
  }
  const answers = await Promise.all(
    shares.map((share, thread) =>
      share === 0
        ? { ended: 0, discardedBytes: 0 }
        : orders.order({ kind: "cut-some", server: server.index, most: share, ...manner }, thread),
    ),
  );
  return {
    ended: answers.reduce((sum, { ended }) => sum + ended, 0),
    discardedBytes: answers.reduce((sum, { discardedBytes }) => sum + discardedBytes, 0),
  };
}

/** Tells by the first word of its row whether a session of the server may end now. */
function mayEnd({ memory, nowMs }: CommitContext, server: ServerEntry, idleMs: number): (base: number) => boolean {
  const { sessions, sessionsF64 } = memory;
  const quietSinceMs = nowMs() - idleMs;
  return (base) =>
    sessions[base + S_SERVER] === server.index &&
    (idleMs === 0 || (lastActiveMs(sessionsF64, base / 2) <= quietSinceMs && bytesHeld(sessions, base) === 0));
}

/** Of a thread's sessions that may end now, when they were accepted, or for CutChoice.LONGEST_IDLE, when they were last active. */
function candidatesOf(
  { memory }: CommitContext,
  thread: number,
  choice: CutChoice,
  isCandidate: (base: number) => boolean,
): number[] {
  const { sessionsF64 } = memory;
  const since: number[] = [];
  forSessions(memory, thread, (base) => {
    if (!isCandidate(base)) return;
    const base64 = base / 2;
    since.push(
      choice === CutChoice.LONGEST_IDLE ? lastActiveMs(sessionsF64, base64) : sessionsF64[base64 + S_ACCEPT_F64],
    );
  });
  return since;
}

/** How many of the `most` smallest each thread has. */
export function shareFirst(sinces: readonly (readonly number[])[], most: number): number[] {
  const all = sinces.flatMap((since, thread) => since.map((atMs) => ({ atMs, thread })));
  all.sort((a, b) => a.atMs - b.atMs);
  const shares = sinces.map(() => 0);
  for (const { thread } of all.slice(0, most)) shares[thread]++;
  return shares;
}

/**
 * Ends every session that is selected, on all threads. Twice where there are several: a connection that one of them accepted and
 * handed to another one that had obeyed already is found by the second round.
 */
export async function cutSelected(
  { memory, orders }: CommitContext,
  selector: Selector,
  reason: CutReason = CutReason.OPERATOR,
): Promise<Receipt> {
  let ended = 0;
  for (let round = 0; round < Math.min(2, slotsUsed(memory)); round++) {
    ended += (await orders.order({ kind: "cut-selected", selector, reason })).ended;
  }
  return { done: true, matched: ended, ended, survivors: 0 };
}

/**
 * Deals `most` out to threads that have so many sessions each, so that each session is as likely to be meant as any other. With all of
 * them in a row, every (total / most)-th is taken; where it begins is drawn (`random`: 0 .. 1).
 */
export function shareOut(counts: readonly number[], most: number, random: number): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (most >= total) return [...counts];
  let passed = 0;
  let taken = 0;
  return counts.map((count) => {
    passed += count;
    const before = taken;
    // Exactly all of them at the end, whatever is rounded.
    taken = passed === total ? most : Math.max(0, Math.ceil((passed * most) / total - random));
    return taken - before;
  });
}

/**
 * Sessions in the table that chose the server before its last cut: must be none. With none attached the table is not read, which
 * takes long where there are many sessions: the simulated runs prove that word equal to the table after every step.
 */
function countSurvivors(memory: SharedMemory, server: number): number {
  if (Atomics.load(memory.serversI32, server * SERVER_WORDS + V_ATTACHED) === 0) return 0;
  const generation = Atomics.load(memory.serversI32, server * SERVER_WORDS + V_CUT_GENERATION);
  const { sessions } = memory;
  let count = 0;
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
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
  let count = 0;
  forSessions(memory, thread, (base) => {
    if (matches(base)) count++;
  });
  return count;
}

/** Hands over the first word of the row of each live session of a thread. */
export function forSessions(memory: SharedMemory, thread: number, visit: (base: number) => void): void {
  const { sessions } = memory;
  const used = memory.countersF64[threadCounters(memory, thread) + CT_ROWS_USED];
  const first = thread * memory.rowsPerThread * SESSION_WORDS;
  for (let base = first; base < first + used * SESSION_WORDS; base += SESSION_WORDS) {
    const state = sessions[base + S_STATE];
    if (state !== SessionState.FREE && state !== SessionState.ABANDONED) visit(base);
  }
}
