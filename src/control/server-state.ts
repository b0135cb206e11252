// Changes of a server's admin and operational state: what is written, in which order the relays hear of it, whose sessions end
// with it, and what the servers that track it inherit. Control thread, only called by `commit`.

import { CutReason } from "../memory/cut-reason.ts";
import {
  ADMIN_DRAIN,
  ADMIN_MAINT,
  AdminState,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_MAXCONN,
  V_OPER,
  V_QUEUE_LENGTH,
  V_SERVED,
  V_USABLE,
  V_WEIGHT,
} from "../memory/server-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import { noteBackendTimes } from "./backend-times.ts";
import type { Receipt } from "./change.ts";
import { type CommitContext, done } from "./commit-context.ts";
import {
  afterMaintenance,
  checkEnteringMaintenance,
  type HealthState,
  isUp,
  type Oper,
} from "./health/state-machine.ts";
import type { ServerCondition } from "./log/server-messages.ts";
import { cutUnasked } from "./reconcile/cut-unasked.ts";
import { endOnReturn } from "./reconcile/evict-server.ts";
import { noteDown, noteNotDown } from "./reconcile/marked-down.ts";
import { maintenanceDecides, noteAdmin } from "./reconcile/out-of-service.ts";
import { noteUsable } from "./reconcile/rebalance.ts";
import { reconcileServer } from "./reconcile/reconcile.ts";
import { settleLoad, startsSlowly } from "./reconcile/server-load.ts";
import type { ProxyEntry, ServerEntry } from "./registry.ts";
import { bumpEpoch, writeServerState } from "./tables.ts";

/** What decides over a server's state, read from where each part stands. */
export function healthStateOf(memory: SharedMemory, server: ServerEntry): HealthState {
  const row = server.index * SERVER_WORDS;
  const { tracked } = server.health;
  return {
    check: server.health.check.counter,
    agent: server.health.agent.counter,
    admin: memory.serversI32[row + V_ADMIN],
    oper: memory.serversI32[row + V_OPER] as Oper,
    ...(tracked === undefined ? {} : { trackedOper: memory.serversI32[tracked.index * SERVER_WORDS + V_OPER] as Oper }),
  };
}

const viaText = (server: ServerEntry): string => {
  const { tracked } = server.health;
  return tracked === undefined ? "" : ` via ${tracked.backend.name}/${tracked.name}`;
};

/** Sets and clears AdminState bits; servers that track this one inherit maintenance and drain. `cause`: " (...)" for the log. */
export async function changeAdmin(
  context: CommitContext,
  server: ServerEntry,
  set: number,
  clear: number,
  cause = "",
): Promise<Receipt> {
  const { memory } = context;
  const state = healthStateOf(memory, server);
  const admin = (state.admin & ~clear) | set;
  if (admin === state.admin) return done();
  const wasInMaintenance = (state.admin & ADMIN_MAINT) !== 0;
  const isInMaintenance = (admin & ADMIN_MAINT) !== 0;
  const { check } = server.health;
  let { oper } = state;
  if (isInMaintenance && !wasInMaintenance) {
    check.counter = checkEnteringMaintenance(state);
    oper = OperState.STOPPED;
  } else if (wasInMaintenance && !isInMaintenance) {
    const next = afterMaintenance({ ...state, admin }, server.config.health?.initState ?? "none");
    check.counter = next.check;
    oper = next.oper;
  }
  const forced = (admin & (AdminState.FORCED_MAINT | AdminState.FORCED_DRAIN)) !== 0;
  await move(context, server, { admin, oper }, cause + (forced ? "" : viaText(server)));
  for (const tracker of [...server.health.trackers]) await inheritAdmin(context, tracker);
  return done();
}

/** A server that tracks another one is in maintenance and in drain as long as that one is. */
export async function inheritAdmin(context: CommitContext, server: ServerEntry): Promise<void> {
  const { tracked } = server.health;
  if (tracked === undefined) return;
  const bits = inheritedBits(context.memory.serversI32[tracked.index * SERVER_WORDS + V_ADMIN]);
  await changeAdmin(context, server, bits, ~bits & (AdminState.INHERITED_MAINT | AdminState.INHERITED_DRAIN));
}

export const inheritedBits = (admin: number): number =>
  ((admin & ADMIN_MAINT) !== 0 ? AdminState.INHERITED_MAINT : 0) |
  ((admin & ADMIN_DRAIN) !== 0 ? AdminState.INHERITED_DRAIN : 0);

/** Takes a server up, down, or out of new sessions, unless it is in maintenance; servers that track it follow. */
export async function changeOper(
  context: CommitContext,
  server: ServerEntry,
  oper: Oper,
  note: string,
): Promise<Receipt> {
  const state = healthStateOf(context.memory, server);
  if ((state.admin & ADMIN_MAINT) !== 0 || state.oper === oper) return done();
  // One that starts slowly is up already.
  if (isUp(state.oper) && isUp(oper)) return done();
  await move(context, server, { admin: state.admin, oper }, note + viaText(server));
  for (const tracker of [...server.health.trackers]) await changeOper(context, tracker, oper, "");
  return done();
}

/** Everything up to the first order is written in one turn, so that nobody sees half of a change. */
async function move(context: CommitContext, server: ServerEntry, next: ServerCondition, note: string): Promise<void> {
  const { memory } = context;
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  const before: ServerCondition = { admin: table[row + V_ADMIN], oper: table[row + V_OPER] };
  const slowly = next.oper === OperState.RUNNING && !isUp(before.oper as Oper) && startsSlowly(server);
  const after: ServerCondition = slowly ? { ...next, oper: OperState.STARTING } : next;
  if (leavesMaintenance(before, after)) endOnReturn(context, server);
  const sessions = Atomics.load(table, row + V_SERVED);
  const requeued = Atomics.load(table, row + V_QUEUE_LENGTH);
  const wasUsable = table[row + V_USABLE] === 1;
  writeServerState(memory, server.index, after.admin, after.oper);
  settleLoad(memory, server, context.nowMs());
  noteServerTimes(server, before.oper, after.oper);
  const lastOne = noteBackendTimes(memory, server.backend);
  bumpEpoch(memory, server.backend.index);
  const isUsable = table[row + V_USABLE] === 1;
  context.events.onHealthChange(server, "both");
  await letRelaysLook(context, server);
  context.events.onServerState(server, { before, after, note, sessions, requeued });
  if (lastOne) context.events.onBackendDown(server.backend);
  // By now no thread gives a server that went down sessions any more, so none is left after a cut, and none comes.
  noteAdmin(context, server, before.admin, after.admin);
  if (after.oper !== OperState.STOPPED) noteNotDown(context, server);
  else if (goesDown(server, before, after)) noteDown(context, server);
  if (isUsable && !wasUsable) noteUsable(context, server);
  if (after.oper === OperState.STARTING) server.backend.policies.attention.add(server);
  if (isUsable && comesUp(before, after) && server.config.policy.onMarkedUpShutdownBackupSessions) {
    if (!server.config.backup && table[row + V_WEIGHT] > 0) await cutBackups(context, server.backend);
  }
  await reconcileServer(context, server);
}

const leavesMaintenance = (before: ServerCondition, after: ServerCondition): boolean =>
  (before.admin & ADMIN_MAINT) !== 0 && (after.admin & ADMIN_MAINT) === 0;

/** From now on `on-marked-down` says who ends: it was not down before, or `on-maint` said so until now. */
const goesDown = (server: ServerEntry, before: ServerCondition, after: ServerCondition): boolean =>
  !maintenanceDecides(server, after.admin) &&
  (before.oper !== OperState.STOPPED || maintenanceDecides(server, before.admin));

const comesUp = (before: ServerCondition, after: ServerCondition): boolean =>
  (!isUp(before.oper as Oper) && isUp(after.oper as Oper)) || leavesMaintenance(before, after);

/**
 * Sessions that wait for the server move on. Twice: the first round ends all granting, the second makes sure that what was
 * granted before it has been taken, so that afterwards nothing of the server is under way between threads.
 */
async function letRelaysLook(context: CommitContext, server: ServerEntry): Promise<void> {
  const order = { kind: "server-changed", server: server.index, backend: server.backend.index } as const;
  await context.orders.order(order);
  await context.orders.order(order);
}

/** An active server is back: sessions on backups end and come again. Backups are given none while it is there. */
async function cutBackups(context: CommitContext, backend: ProxyEntry): Promise<void> {
  for (const server of backend.servers) {
    if (!server.config.backup) continue;
    await letRelaysLook(context, server);
    await cutUnasked(context, server, CutReason.ON_MARKED_UP);
  }
}

function noteServerTimes(server: ServerEntry, before: number, after: number): void {
  if (before === after) return;
  const now = Date.now();
  server.lastChangeMs = now;
  if (after === OperState.STOPPED) {
    server.downSinceMs = now;
    server.health.downTransitions++;
  } else if (server.downSinceMs !== undefined) {
    server.downMs += now - server.downSinceMs;
    server.downSinceMs = undefined;
  }
}

/** Writes a server's weight; with 0 it gets no new session from load balancing, but stays up. */
export async function changeWeight(context: CommitContext, server: ServerEntry, weight: number): Promise<Receipt> {
  const { memory, orders } = context;
  const backend = server.backend.index;
  Atomics.store(memory.serversI32, server.index * SERVER_WORDS + V_WEIGHT, weight);
  settleLoad(memory, server, context.nowMs());
  if (noteBackendTimes(memory, server.backend)) context.events.onBackendDown(server.backend);
  bumpEpoch(memory, backend);
  await orders.order({ kind: "server-changed", server: server.index, backend });
  await reconcileServer(context, server);
  return done();
}

/** Writes a server's limit of sessions, 0: none. Those who wait have their turn if it grew. */
export async function changeMaxconn(context: CommitContext, server: ServerEntry, maxconn: number): Promise<Receipt> {
  const { memory, orders } = context;
  const backend = server.backend.index;
  Atomics.store(memory.serversI32, server.index * SERVER_WORDS + V_MAXCONN, maxconn);
  settleLoad(memory, server, context.nowMs());
  bumpEpoch(memory, backend);
  await orders.order({ kind: "server-changed", server: server.index, backend });
  return done();
}
