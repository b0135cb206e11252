// Sessions that one order means, fixed when it is given: who came later is none of them, whoever matches by then. Control thread.

import type { CutManner } from "../../memory/order.ts";
import { CutChoice } from "../../memory/order.ts";
import { bytesHeld, isSelected, lastActiveMs, type Selector } from "../../memory/selector.ts";
import { phaseOf, SessionPhase } from "../../memory/session-phase.ts";
import {
  generationOfSessionId,
  rowOfSessionId,
  S_ACCEPT_F64,
  S_GENERATION,
  SESSION_WORDS,
  sessionIdOf,
} from "../../memory/session-row.ts";
import { type SharedMemory, slotsUsed } from "../../memory/shared-memory.ts";
import type { CommitContext } from "../commit-context.ts";
import { forSessions } from "../cut.ts";
import type { Acknowledgement } from "../workers.ts";
import type { CountByState } from "./eviction.ts";

/** Session ids, those that ended taken out at each look. */
export interface Population {
  ids: readonly number[];
}

/** Of a SessionPhase. */
export const STATE_NAMES: Readonly<Record<number, keyof CountByState>> = {
  [SessionPhase.QUEUED]: "queued",
  [SessionPhase.CONNECTING]: "connecting",
  [SessionPhase.TURN_AROUND]: "turnAround",
  [SessionPhase.ESTABLISHED]: "established",
  [SessionPhase.HALF_CLOSED]: "halfClosed",
};

/** The selected sessions that are there now, those included that were on their way from one thread to another; counted in `byState`. */
export async function fixPopulation(
  context: CommitContext,
  selector: Selector,
  byState: CountByState,
): Promise<Population> {
  const { memory, orders } = context;
  // The first round ends what was handed over before it, the second what was handed over by a thread that had its turn late.
  for (let round = 0; round < Math.min(2, slotsUsed(memory)); round++) await orders.order({ kind: "gather" });
  const ids: number[] = [];
  const nowMs = context.nowMs();
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
    forSessions(memory, thread, (base) => {
      const generation = Atomics.load(memory.sessions, base + S_GENERATION);
      if ((generation & 1) === 0) return;
      const state = STATE_NAMES[phaseOf(memory.sessions, base)];
      if (state === undefined || !isSelected(selector, memory.sessions, memory.sessionsF64, base, nowMs)) return;
      byState[state]++;
      ids.push(sessionIdOf(base / SESSION_WORDS, generation));
    });
  }
  return { ids };
}

/** How many are left. */
export function populationLeft(memory: SharedMemory, population: Population): number {
  const left = population.ids.filter((id) => lives(memory, id));
  if (left.length < population.ids.length) population.ids = left;
  return left.length;
}

const lives = ({ sessions }: SharedMemory, id: number): boolean =>
  Atomics.load(sessions, rowOfSessionId(id) * SESSION_WORDS + S_GENERATION) === generationOfSessionId(id);

/** Ends so many of those that are left, chosen as `manner` says; with `idleMs` fewer may end. */
export async function cutOfPopulation(
  context: CommitContext,
  population: Population,
  most: number,
  manner: CutManner,
): Promise<Acknowledgement> {
  const { memory, orders } = context;
  const inOrder = inOrderOf(context, population, most, manner);
  const byThread = Array.from({ length: slotsUsed(memory) }, (): number[] => []);
  const shares = byThread.map(() => 0);
  for (const [place, id] of inOrder.entries()) {
    const thread = Math.floor(rowOfSessionId(id) / memory.rowsPerThread);
    if (place < most) shares[thread]!++;
    // Of quiet ones a relay knows better: it goes on with the next.
    else if (manner.idleMs === 0) break;
    byThread[thread]!.push(rowOfSessionId(id), generationOfSessionId(id));
  }
  const answers = await Promise.all(
    shares.map((share, thread) =>
      share === 0
        ? { ended: 0, discardedBytes: 0 }
        : orders.order({ kind: "cut-listed", sessions: byThread[thread]!, most: share, ...manner }, thread),
    ),
  );
  return {
    ended: answers.reduce((sum, { ended }) => sum + ended, 0),
    discardedBytes: answers.reduce((sum, { discardedBytes }) => sum + discardedBytes, 0),
  };
}

/** Those that may end, who goes first first; where a relay needs no choice, only as many as are to end. */
function inOrderOf(
  context: CommitContext,
  { ids }: Population,
  most: number,
  { choice, idleMs }: CutManner,
): readonly number[] {
  const { memory } = context;
  const { sessions, sessionsF64 } = memory;
  const nowMs = context.nowMs();
  const activeMs = (id: number): number => lastActiveMs(sessionsF64, (rowOfSessionId(id) * SESSION_WORDS) / 2);
  const found = ids.filter((id) => {
    if (!lives(memory, id)) return false;
    if (idleMs === 0) return true;
    return nowMs - activeMs(id) >= idleMs && bytesHeld(sessions, rowOfSessionId(id) * SESSION_WORDS) === 0;
  });
  if (choice === CutChoice.RANDOM) return shuffled(found, idleMs === 0 ? most : found.length, context.random);
  const since = (id: number): number =>
    choice === CutChoice.OLDEST ? sessionsF64[(rowOfSessionId(id) * SESSION_WORDS) / 2 + S_ACCEPT_F64] : activeMs(id);
  // Read once: relays go on writing while they are compared.
  const keys = new Map(found.map((id) => [id, since(id)]));
  return found.sort((a, b) => keys.get(a)! - keys.get(b)!);
}

/** The first `most` places of a shuffle. */
function shuffled(ids: number[], most: number, random: () => number): readonly number[] {
  const count = Math.min(most, ids.length);
  for (let place = 0; place < count; place++) {
    const other = place + Math.floor(random() * (ids.length - place));
    const id = ids[other]!;
    ids[other] = ids[place]!;
    ids[place] = id;
  }
  ids.length = count;
  return ids;
}
