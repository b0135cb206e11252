// The beginning of an eviction: no new session from here on, and the sessions that are there are counted. Control thread, only called
// by `commit`.

import { AdminState, SERVER_WORDS, V_QUEUE_LENGTH } from "../../memory/server-row.ts";
import { phaseOf, SessionPhase } from "../../memory/session-phase.ts";
import { S_SERVER } from "../../memory/session-row.ts";
import { slotsUsed } from "../../memory/shared-memory.ts";
import type { Receipt } from "../change.ts";
import type { CommitContext } from "../commit-context.ts";
import { forSessions } from "../cut.ts";
import type { ServerEntry } from "../registry.ts";
import { changeAdmin } from "../server-state.ts";
import { continueEviction } from "./evict-server.ts";
import { attachedTo, type EvictionRequest, type SavedEviction, type ServerEviction, sessionsCut } from "./eviction.ts";
import { endEviction, say } from "./let-go.ts";

/** Begins an eviction in place of one that may be under way, and does what is due at once. The receipt has it as `eviction`. */
export async function beginEviction(
  context: CommitContext,
  server: ServerEntry,
  request: EvictionRequest,
): Promise<Receipt> {
  const { memory } = context;
  const { policy } = server.health;
  const before = policy.eviction;
  const eviction = context.evictions.begin(server, request, context.nowMs());
  if (before !== undefined) endEviction(context, before, "replaced", `eviction ${eviction.id} took its place`);
  policy.eviction = eviction;
  // The operator's word counts for more than the config's `on-marked-down`.
  policy.down = undefined;
  eviction.byState.queued = Atomics.load(memory.serversI32, server.index * SERVER_WORDS + V_QUEUE_LENGTH);
  await changeAdmin(context, server, AdminState.FORCED_MAINT, AdminState.FORCED_DRAIN);
  // From now on no session is given to the server: the number only goes down.
  countByState(context, eviction);
  say(context, server, `eviction ${eviction.id} begins with ${attachedTo(memory, server)} sessions`);
  return carryOn(context, eviction);
}

/** An eviction of before a restart goes on: its times count from its first beginning. */
export async function resumeEviction(
  context: CommitContext,
  server: ServerEntry,
  saved: SavedEviction,
): Promise<Receipt> {
  const eviction = context.evictions.resume(server, saved, context.nowMs());
  server.health.policy.eviction = eviction;
  await changeAdmin(context, server, AdminState.FORCED_MAINT, AdminState.FORCED_DRAIN);
  say(context, server, `eviction ${eviction.id} goes on after a restart`);
  return carryOn(context, eviction);
}

/** What is due at once; the rest by itself. */
async function carryOn(context: CommitContext, eviction: ServerEviction): Promise<Receipt> {
  const { server } = eviction;
  eviction.hasBegun = true;
  server.backend.policies.attention.add(server);
  const nextMs = await continueEviction(context, server);
  if (nextMs < Number.POSITIVE_INFINITY) context.events.onReconcileAt(server.backend, nextMs);
  const { matched, survivors } = eviction;
  return { done: true, matched, ended: sessionsCut(eviction), survivors, eviction };
}

function countByState(context: CommitContext, eviction: ServerEviction): void {
  const { memory } = context;
  const { byState, server } = eviction;
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
    forSessions(memory, thread, (base) => {
      if (memory.sessions[base + S_SERVER] !== server.index) return;
      const phase = phaseOf(memory.sessions, base);
      if (phase === SessionPhase.CONNECTING) byState.connecting++;
      else if (phase === SessionPhase.TURN_AROUND) byState.turnAround++;
      else if (phase === SessionPhase.HALF_CLOSED) byState.halfClosed++;
      else if (phase === SessionPhase.ESTABLISHED) byState.established++;
    });
  }
  eviction.matched =
    byState.queued + byState.connecting + byState.turnAround + byState.established + byState.halfClosed;
}
