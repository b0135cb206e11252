// `on-maint` and `on-drain`: what becomes of the sessions of a server that was taken out of service by somebody's word. Decided anew at
// each look from what is so. Control thread, only called by `commit`.

import { CutReason } from "../../memory/cut-reason.ts";
import { lastActiveMs } from "../../memory/selector.ts";
import { ADMIN_DRAIN, ADMIN_MAINT } from "../../memory/server-row.ts";
import { S_SERVER } from "../../memory/session-row.ts";
import type { CommitContext } from "../commit-context.ts";
import { cutSome, forSessions, plainly } from "../cut.ts";
import type { ServerEntry } from "../registry.ts";
import { beginPace, paceStep } from "./cut-pace.ts";
import { cutUnasked } from "./cut-unasked.ts";
import { attachedTo } from "./eviction.ts";
import { say } from "./let-go.ts";
import { forgetDown } from "./marked-down.ts";
import type { Draining } from "./policy-state.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** Between two looks for quiet sessions: least time, and more with more sessions to look at. */
const LOOK_LEAST_MS = 20;
const SESSIONS_PER_LOOK_MS = 500;

export const isInMaintenance = (admin: number): boolean => (admin & ADMIN_MAINT) !== 0;
export const isDraining = (admin: number): boolean => !isInMaintenance(admin) && (admin & ADMIN_DRAIN) !== 0;

/** In maintenance `on-maint` decides over the server's sessions, and not `on-marked-down`. */
export const maintenanceDecides = ({ config }: ServerEntry, admin: number): boolean =>
  isInMaintenance(admin) && config.policy.sessions?.onMaint !== undefined;

/** The server's admin state has changed, and no thread gives it sessions that it is not to have. */
export function noteAdmin(context: CommitContext, server: ServerEntry, before: number, after: number): void {
  const { onMaint } = server.config.policy.sessions ?? {};
  if (!isInMaintenance(after)) endMaintenance(context, server);
  else if (!isInMaintenance(before)) {
    // It says who ends from now on.
    if (onMaint !== undefined && server.health.policy.eviction === undefined) forgetDown(server);
    beginMaintenance(context, server);
  }
  if (!isDraining(after)) endDrain(context, server);
  else if (!isDraining(before)) beginDrain(context, server);
}

/** The server is in maintenance: from now on its sessions are to end, if `on-maint` says so. */
export function beginMaintenance(context: CommitContext, server: ServerEntry): void {
  const { policy } = server.health;
  const { onMaint } = server.config.policy.sessions ?? {};
  if (onMaint === undefined || onMaint === "keep" || policy.eviction !== undefined) return;
  policy.maintenance = { sinceMs: context.nowMs() };
  server.backend.policies.attention.add(server);
  const sessions = attachedTo(context.memory, server);
  if (onMaint.afterMs > 0) say(context, server, `${sessions} sessions stay, and end in ${onMaint.afterMs} ms`);
}

/** The server drains: from now on its sessions are to end, if `on-drain` says so. */
export function beginDrain(context: CommitContext, server: ServerEntry): void {
  const { onDrain } = server.config.policy.sessions ?? {};
  if (onDrain === undefined || onDrain === "keep") return;
  const nowMs = context.nowMs();
  const pace = "overMs" in onDrain ? beginPace(nowMs, onDrain.overMs) : undefined;
  server.health.policy.draining = { pace, ended: 0 };
  server.backend.policies.attention.add(server);
  const how = "overMs" in onDrain ? `end within ${onDrain.overMs} ms` : `end when quiet for ${onDrain.idleMs} ms`;
  say(context, server, `${attachedTo(context.memory, server)} sessions ${how}`);
}

/** `on-maint` does not hold any more, because of `why`: who is left stays. */
export function endMaintenance(context: CommitContext, server: ServerEntry, why = "it leaves maintenance"): void {
  const { policy } = server.health;
  if (policy.maintenance === undefined) return;
  policy.maintenance = undefined;
  say(context, server, `${why}: its ${attachedTo(context.memory, server)} sessions stay`);
}

/** `on-drain` does not hold any more, because of `why`: who is left stays. */
export function endDrain(context: CommitContext, server: ServerEntry, why = "it drains no more"): void {
  const { policy } = server.health;
  if (policy.draining === undefined) return;
  const { ended } = policy.draining;
  policy.draining = undefined;
  const left = attachedTo(context.memory, server);
  say(context, server, `${why}: ${ended} sessions were ended, ${left} are left`);
}

/** Does what is due to the sessions of a server in maintenance; when to come again. */
export async function endInMaintenance(context: CommitContext, server: ServerEntry): Promise<number> {
  const { policy } = server.health;
  const { onMaint } = server.config.policy.sessions ?? {};
  if (policy.maintenance === undefined || onMaint === undefined || onMaint === "keep") return NEVER;
  const endsMs = policy.maintenance.sinceMs + onMaint.afterMs;
  if (context.nowMs() < endsMs) return endsMs;
  policy.maintenance = undefined;
  const receipt = await cutUnasked(context, server, CutReason.ON_MAINT);
  const ended = receipt.done ? receipt.ended : 0;
  if (onMaint.afterMs > 0) say(context, server, `it is still in maintenance: ${ended} sessions were ended`);
  return NEVER;
}

/** The same for one that drains. */
export async function endInDrain(context: CommitContext, server: ServerEntry): Promise<number> {
  const { draining } = server.health.policy;
  const { onDrain } = server.config.policy.sessions ?? {};
  if (draining === undefined || onDrain === undefined || onDrain === "keep") return NEVER;
  return "overMs" in onDrain
    ? endAtPace(context, server, draining, onDrain.overMs)
    : endQuiet(context, server, draining, onDrain.idleMs);
}

async function endAtPace(
  context: CommitContext,
  server: ServerEntry,
  draining: Draining,
  overMs: number,
): Promise<number> {
  const nowMs = context.nowMs();
  const sessions = attachedTo(context.memory, server);
  const step = paceStep(draining.pace ?? beginPace(nowMs, overMs), nowMs, sessions);
  if (step.due === "all") {
    const receipt = await cutUnasked(context, server, CutReason.ON_DRAIN);
    draining.ended += receipt.done ? receipt.ended : 0;
    endDrain(context, server);
    return NEVER;
  }
  draining.pace = step.pace;
  if (step.due > 0) {
    draining.ended += (await cutSome(context, server, step.due, plainly(CutReason.ON_DRAIN))).ended;
  }
  return step.nextMs;
}

async function endQuiet(
  context: CommitContext,
  server: ServerEntry,
  draining: Draining,
  idleMs: number,
): Promise<number> {
  const sessions = attachedTo(context.memory, server);
  if (sessions > 0) {
    const manner = { ...plainly(CutReason.ON_DRAIN), idleMs };
    draining.ended += (await cutSome(context, server, sessions, manner)).ended;
  }
  if (attachedTo(context.memory, server) === 0) {
    endDrain(context, server);
    return NEVER;
  }
  const soonestMs = context.nowMs() + LOOK_LEAST_MS + sessions / SESSIONS_PER_LOOK_MS;
  return Math.max(soonestMs, longestQuietSince(context, server) + idleMs);
}

/** When the server's session that has been quiet longest was last active. */
function longestQuietSince({ memory, nowMs }: CommitContext, server: ServerEntry): number {
  let sinceMs = nowMs();
  for (let thread = 0; thread < memory.threads; thread++) {
    forSessions(memory, thread, (base) => {
      if (memory.sessions[base + S_SERVER] !== server.index) return;
      sinceMs = Math.min(sinceMs, lastActiveMs(memory.sessionsF64, base / 2));
    });
  }
  return sinceMs;
}
