// Evictions and cuts by filter as steps of a run, and what evictions promise: receipts add up, the deadline holds, none is left.

import {
  EVICT_NOW,
  type Eviction,
  type EvictionRequest,
  endedThemselves,
  type SessionsEviction,
  sessionsCut,
} from "../../src/control/reconcile/eviction.ts";
import type { ServerEntry } from "../../src/control/registry.ts";
import { EVERY_SESSION, isSelected, type Selector } from "../../src/memory/selector.ts";
import { ADMIN_MAINT, SERVER_WORDS, V_ADMIN, V_ATTACHED, V_SERVED } from "../../src/memory/server-row.ts";
import * as S from "../../src/memory/session-row.ts";
import { isLive, must } from "./invariants.ts";
import type { SimRig } from "./sim-rig.ts";

const ORDERS = ["random", "oldest", "idle"] as const;

/** A request made of the bits of a small number. */
function requestOf(amount: number): EvictionRequest {
  const has = (bit: number): boolean => (amount & bit) !== 0;
  const overMs = has(4) ? 100 : 0;
  return {
    ...EVICT_NOW,
    drainMs: has(1) ? 40 : 0,
    idleMs: has(2) ? 25 : 0,
    overMs,
    ratePerSecond: has(8) && overMs === 0 ? 20 : 0,
    order: ORDERS[amount % 3],
    deadlineMs: has(16) ? 300 : undefined,
    resetClients: has(32),
    deleteServer: amount % 7 === 0,
  };
}

/** Begins an eviction. */
export async function evict(rig: SimRig, server: ServerEntry, amount: number): Promise<void> {
  const receipt = await rig.commit({ kind: "evict-server", server, request: requestOf(amount) });
  must(
    receipt.done && receipt.eviction !== undefined,
    `eviction of ${server.name}: ${receipt.done ? "no eviction" : receipt.code}`,
  );
}

/** Evicts what a filter made of a small number selects. At once, all that was selected before is gone at the answer. */
export async function evictSessions(rig: SimRig, server: ServerEntry, amount: number): Promise<void> {
  const selector = selectorOf(server, amount);
  const request = { ...requestOf(amount), deleteServer: false };
  const atOnce = request.drainMs + request.idleMs + request.overMs + request.ratePerSecond === 0;
  const before = selectedNow(rig, selector);
  const receipt = await rig.commit({ kind: "evict-sessions", selector, filter: "some", request });
  must(receipt.done && receipt.eviction !== undefined, "an eviction of sessions is refused");
  if (!atOnce || (request.deadlineMs ?? 0) > 0) return;
  must(receipt.survivors === 0 && receipt.eviction.outcome === "done", "an eviction at once is not done at its answer");
  checkGone(rig, selector, before);
}

/** Cancels the newest eviction, if it runs. */
export async function cancelEviction(rig: SimRig): Promise<void> {
  const newest = rig.evictions.all.at(-1);
  if (newest === undefined) return;
  const wasRunning = newest.outcome === "running";
  const receipt = await rig.commit({ kind: "cancel-eviction", id: newest.id });
  must(receipt.done === wasRunning, `cancelling eviction ${newest.id}: ${receipt.done ? "done" : receipt.code}`);
}

/** Cuts what a filter made of a small number selects; what was selected before is gone at the answer. */
export async function cutSelected(rig: SimRig, server: ServerEntry, amount: number): Promise<void> {
  const selector = selectorOf(server, amount);
  const before = selectedNow(rig, selector);
  await rig.commit({ kind: "cut-selected", selector });
  checkGone(rig, selector, before);
}

const selectorOf = (server: ServerEntry, amount: number): Selector => ({
  ...EVERY_SESSION,
  server: amount % 2 === 0 ? server.index : -1,
  olderMs: amount % 3 === 0 ? 30 : 0,
  idleMs: amount % 5 === 0 ? 20 : 0,
  bytesOver: amount % 7 === 0 ? 10 : -1,
  phases: amount % 11 === 0 ? 24 : 0,
});

type Selected = readonly { readonly base: number; readonly generation: number }[];

function selectedNow(rig: SimRig, selector: Selector): Selected {
  const { sessions, sessionsF64, slots: threads, rowsPerThread } = rig.memory;
  const before: { base: number; generation: number }[] = [];
  for (let base = 0; base < threads * rowsPerThread * S.SESSION_WORDS; base += S.SESSION_WORDS) {
    if (!isLive(sessions[base + S.S_STATE]) || !isSelected(selector, sessions, sessionsF64, base, rig.world.now))
      continue;
    before.push({ base, generation: sessions[base + S.S_GENERATION] });
  }
  return before;
}

function checkGone(rig: SimRig, selector: Selector, before: Selected): void {
  // Who moves bytes, connects or chooses a server meanwhile may not match any more.
  if (selector.idleMs > 0 || selector.phases !== 0 || selector.server >= 0) return;
  for (const { base, generation } of before) {
    must(
      rig.memory.sessions[base + S.S_GENERATION] !== generation,
      `row ${base / S.SESSION_WORDS} was selected and is still there`,
    );
  }
}

/** After control did what was due. */
export function checkEvictions(rig: SimRig, seen: Set<Eviction>): void {
  for (const eviction of rig.evictions.all) {
    const { server, request, outcome } = eviction;
    if (server === undefined) {
      checkSessionsEviction(rig, eviction, seen);
      continue;
    }
    const row = server.index * SERVER_WORDS;
    const word = (at: number): number => rig.memory.serversI32[row + at];
    const name = `eviction ${eviction.id} of ${server.name}`;
    if (outcome === "running") {
      const endsMs = eviction.startedMs + (request.deadlineMs ?? Number.POSITIVE_INFINITY);
      must(rig.world.now < endsMs, `${name} runs beyond its deadline`);
      must((word(V_ADMIN) & ADMIN_MAINT) !== 0, `${name} runs, but the server is in service`);
      must(server.health.policy.eviction === eviction, `${name} is forgotten`);
      continue;
    }
    if (seen.has(eviction)) continue;
    seen.add(eviction);
    const sum =
      eviction.byState.queued + endedThemselves(rig.memory, eviction) + sessionsCut(eviction) + eviction.survivors;
    must(sum === eviction.matched, `${name}: ${sum} of ${eviction.matched} are accounted for`);
    if (outcome !== "done") continue;
    must(eviction.survivors === 0, `${name} is done, with ${eviction.survivors} survivors`);
    // Deleted, or put back into service since: others may be there.
    if (eviction.deleted === true || (word(V_ADMIN) & ADMIN_MAINT) === 0) continue;
    must(word(V_ATTACHED) === 0 && word(V_SERVED) === 0, `${name} is done, and the server has sessions`);
  }
}

function checkSessionsEviction(rig: SimRig, eviction: SessionsEviction, seen: Set<Eviction>): void {
  const { id, request, outcome, matched, survivors } = eviction;
  if (outcome === "running") {
    const endsMs = eviction.startedMs + (request.deadlineMs ?? Number.POSITIVE_INFINITY);
    must(rig.world.now < endsMs, `eviction ${id} of sessions runs beyond its deadline`);
    return;
  }
  if (seen.has(eviction)) return;
  seen.add(eviction);
  const sum = endedThemselves(rig.memory, eviction) + sessionsCut(eviction) + survivors;
  must(sum === matched, `eviction ${id} of sessions: ${sum} of ${matched} are accounted for`);
  if (outcome === "done") must(survivors === 0, `eviction ${id} of sessions is done, with ${survivors} survivors`);
}
