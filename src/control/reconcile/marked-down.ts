// What `on-marked-down shutdown-sessions` does to a server that is down: waits, asks the guard, ends sessions at a pace or at once.
// It is decided anew each time from what is so, and so nothing that comes late is forgotten. Control thread, only called by `commit`.

import { CutReason } from "../../memory/cut-reason.ts";
import { OperState, SERVER_WORDS, V_OPER } from "../../memory/server-row.ts";
import type { CommitContext } from "../commit-context.ts";
import { cutSome, plainly } from "../cut.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ServerEntry } from "../registry.ts";
import { type BackendHealth, guardReason } from "./cut-guard.ts";
import { beginPace, paceStep } from "./cut-pace.ts";
import { cutUnasked } from "./cut-unasked.ts";
import { attachedTo } from "./eviction.ts";
import { say } from "./let-go.ts";
import type { MarkedDown } from "./policy-state.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** The server just went down: from now on its sessions are to end, as its words say. */
export function noteDown(context: CommitContext, server: ServerEntry): void {
  const { onMarkedDown } = server.config.policy;
  const { policy } = server.health;
  if (onMarkedDown === undefined || policy.eviction !== undefined) return;
  policy.down = { sinceMs: context.nowMs(), pace: undefined, ended: 0 };
  policy.keptBecause = undefined;
  server.backend.policies.attention.add(server);
  const { afterMs } = onMarkedDown;
  if (afterMs > 0) {
    const sessions = attachedTo(context.memory, server);
    say(context, server, `${sessions} sessions stay, and end if it is still down in ${afterMs} ms`);
  }
}

/** The server is not down any more: what is left of its sessions stays. */
export function noteNotDown(context: CommitContext, server: ServerEntry): void {
  const { policy } = server.health;
  if (policy.down === undefined) return;
  const { pace, ended } = policy.down;
  const kept = attachedTo(context.memory, server);
  const { onMarkedDown } = server.config.policy;
  if (pace !== undefined) say(context, server, `it is back: ${ended} sessions were ended, ${kept} stay`);
  else if (policy.keptBecause !== undefined || (onMarkedDown?.afterMs ?? 0) > 0) {
    say(context, server, `it is back: its ${kept} sessions stay`);
  }
  forgetDown(server);
}

/** `on-marked-down` has no say any more. */
export function forgetDown({ health: { policy } }: ServerEntry): void {
  policy.down = undefined;
  policy.keptBecause = undefined;
}

/** Does what is due to the sessions of a server that is down; when to come again. */
export async function endSessions(
  context: CommitContext,
  server: ServerEntry,
  health: () => BackendHealth,
): Promise<number> {
  const { policy } = server.health;
  const { down } = policy;
  const { onMarkedDown } = server.config.policy;
  if (down === undefined || onMarkedDown === undefined) return NEVER;
  if (context.memory.serversI32[server.index * SERVER_WORDS + V_OPER] !== OperState.STOPPED) return NEVER;
  const beginsMs = down.sinceMs + onMarkedDown.afterMs;
  if (context.nowMs() < beginsMs) return beginsMs;
  const reason = guardReason(context.memory, server, health);
  if (reason !== policy.keptBecause) tellOfGuard(context, server, reason);
  policy.keptBecause = reason;
  if (reason !== undefined) {
    // When it is over the pace begins anew. Nothing to wait for: any change of a server's state asks again.
    down.pace = undefined;
    return NEVER;
  }
  return onMarkedDown.overMs > 0
    ? endAtPace(context, server, down, onMarkedDown.overMs)
    : endAll(context, server, down);
}

async function endAtPace(
  context: CommitContext,
  server: ServerEntry,
  down: MarkedDown,
  overMs: number,
): Promise<number> {
  const sessions = attachedTo(context.memory, server);
  const nowMs = context.nowMs();
  if (down.pace === undefined) {
    down.pace = beginPace(nowMs, overMs);
    if (sessions > 0) say(context, server, `${sessions} sessions end within ${overMs} ms`);
  }
  const step = paceStep(down.pace, nowMs, sessions);
  if (step.due === "all") return endAll(context, server, down);
  down.pace = step.pace;
  if (step.due > 0) down.ended += (await cutSome(context, server, step.due, plainly(CutReason.ON_MARKED_DOWN))).ended;
  return step.nextMs;
}

async function endAll(context: CommitContext, server: ServerEntry, down: MarkedDown): Promise<number> {
  const { onMarkedDown } = server.config.policy;
  const receipt = await cutUnasked(context, server, CutReason.ON_MARKED_DOWN);
  const ended = down.ended + (receipt.done ? receipt.ended : 0);
  // A cut at once is told by the server's own line, as in HAProxy.
  if ((onMarkedDown?.afterMs ?? 0) + (onMarkedDown?.overMs ?? 0) > 0 || server.config.policy.cutGuardPercent > 0) {
    say(context, server, `it is still down: ${ended} sessions were ended`);
  }
  server.health.policy.down = undefined;
  return NEVER;
}

function tellOfGuard(context: CommitContext, server: ServerEntry, reason: string | undefined): void {
  if (reason === undefined) say(context, server, "cut-guard lets its sessions end");
  else {
    const text = `cut-guard keeps its ${attachedTo(context.memory, server)} sessions, because ${reason}`;
    say(context, server, text, LogLevel.WARNING);
  }
}
