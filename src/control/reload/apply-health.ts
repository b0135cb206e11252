// Maintenance, checks and tracking of servers that a reload keeps: what runs goes on unless its words changed, and an operator's state
// stays unless the file says something else than before. Control thread, only within `commit`.

import { sameValue } from "../../config/diff/same-value.ts";
import type { ServerConfig } from "../../config/model.ts";
import {
  ADMIN_DRAIN,
  ADMIN_MAINT,
  AdminState,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_OPER,
} from "../../memory/server-row.ts";
import { link, unlink } from "../health/health-entry.ts";
import {
  AGENT_FALL,
  AGENT_RISE,
  type CheckCounter,
  DEFAULT_FALL,
  DEFAULT_RISE,
  isPassing,
  type Oper,
} from "../health/state-machine.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { changeAdmin, changeOper, inheritAdmin, inheritedBits } from "../server-state.ts";
import { writeServerState } from "../tables.ts";
import type { ReloadRun } from "./run.ts";

const { FORCED_MAINT, CONFIG_MAINT, FORCED_DRAIN, INHERITED_MAINT, INHERITED_DRAIN } = AdminState;

/** `disabled` came or went: after the reload the server enters or leaves maintenance. */
export function keepAdmin(run: ReloadRun, server: ServerEntry, old: ServerConfig, now: ServerConfig): void {
  if (old.disabled === now.disabled) return;
  const { context } = run;
  const set = now.disabled ? FORCED_MAINT | CONFIG_MAINT : 0;
  const clear = now.disabled ? FORCED_DRAIN : FORCED_MAINT | CONFIG_MAINT | FORCED_DRAIN;
  run.afterwards.push(() => changeAdmin(context, server, set, clear));
}

/**
 * Gives the server's checks their new words; true if one of them starts anew. `adopted`: it was added at runtime, where checks wait for
 * an operator, and is the file's now.
 */
export function keepChecks(
  run: ReloadRun,
  server: ServerEntry,
  old: ServerConfig,
  now: ServerConfig,
  adopted: boolean,
): boolean {
  const { check, agent } = server.health;
  const hasNewCheck = adopted || !sameValue(old.health, now.health);
  const hasNewAgent = adopted || !sameValue(old.agent, now.agent);
  const admin = run.context.memory.serversI32[server.index * SERVER_WORDS + V_ADMIN];
  if (hasNewCheck) {
    const { rise = DEFAULT_RISE, fall = DEFAULT_FALL } = now.health ?? {};
    const isConfigured = now.health !== undefined;
    const counter = renewed(check.counter, rise, fall, isConfigured, adopted);
    check.counter = { ...counter, paused: isConfigured && (admin & ADMIN_MAINT) !== 0 };
    if (old.health?.addr !== now.health?.addr) check.host = undefined;
    if (old.health?.port !== now.health?.port) check.port = undefined;
  }
  if (hasNewAgent) {
    agent.counter = renewed(agent.counter, AGENT_RISE, AGENT_FALL, now.agent !== undefined, adopted);
    if (old.agent?.addr !== now.agent?.addr) agent.host = undefined;
    if (old.agent?.port !== now.agent?.port) agent.port = undefined;
    if (old.agent?.send !== now.agent?.send) agent.send = undefined;
  }
  if (hasNewCheck || hasNewAgent) run.afterwards.push(() => riseUnchecked(run, server));
  return hasNewCheck || hasNewAgent;
}

/** Counts by the new numbers from where the check stood: passing or failing. */
function renewed(
  counter: CheckCounter,
  rise: number,
  fall: number,
  configured: boolean,
  adopted: boolean,
): CheckCounter {
  const isNew = configured && (!counter.configured || adopted);
  const enabled = configured && (isNew || counter.enabled);
  const health = !configured ? rise : isPassing(counter) ? rise + fall - 1 : 0;
  return { ...counter, rise, fall, health, configured, enabled };
}

/** A server that only a check held down, which is gone now, is up. */
async function riseUnchecked({ context }: ReloadRun, server: ServerEntry): Promise<void> {
  const row = server.index * SERVER_WORDS;
  const table = context.memory.serversI32;
  const { check, agent, tracked } = server.health;
  const isHeld = [check, agent].some(({ counter }) => counter.enabled && !isPassing(counter));
  const isDown = table[row + V_OPER] === OperState.STOPPED && (table[row + V_ADMIN] & ADMIN_MAINT) === 0;
  if (isDown && !isHeld && tracked === undefined) {
    await changeOper(context, server, OperState.RUNNING, ", its checks are gone from the configuration");
  }
}

/** Links servers to those that they track by the new configuration. New ones take on the state that they follow at once. */
export function followTracks(run: ReloadRun, backends: readonly ProxyEntry[]): void {
  const { memory } = run.context;
  const tracks = ({ config, health }: ServerEntry): boolean =>
    config.policy.track !== undefined || health.tracked !== undefined;
  if (!backends.some((backend) => backend.servers.some(tracks))) return;
  const present = backends.flatMap((backend) => backend.servers).filter(({ leaving }) => leaving === undefined);
  const byName = new Map(present.map((server) => [`${server.backend.name}/${server.name}`, server]));
  const table = memory.serversI32;
  for (const server of present) {
    const { track } = server.config.policy;
    const tracked = track === undefined ? undefined : byName.get(`${track.backend}/${track.server}`);
    if (tracked === server.health.tracked) continue;
    unlink(server);
    if (tracked !== undefined) link(server, tracked);
    const row = server.index * SERVER_WORDS;
    const isNew = server.health.check.last === undefined && table[row + V_ADMIN] === 0 && tracked !== undefined;
    if (isNew) {
      const own = tracked.index * SERVER_WORDS;
      const admin = table[row + V_ADMIN] | inheritedBits(table[own + V_ADMIN]);
      const isOut = (admin & (ADMIN_MAINT | ADMIN_DRAIN)) !== 0;
      if (isOut || table[own + V_OPER] === OperState.STOPPED) {
        writeServerState(
          memory,
          server.index,
          admin,
          (admin & ADMIN_MAINT) !== 0 ? OperState.STOPPED : table[own + V_OPER],
        );
      }
    }
    run.afterwards.push(() => follow(run, server, tracked));
  }
}

async function follow(run: ReloadRun, server: ServerEntry, tracked: ServerEntry | undefined): Promise<void> {
  const { context } = run;
  if (server.isDeleted) return;
  if (tracked === undefined) {
    await changeAdmin(context, server, 0, INHERITED_MAINT | INHERITED_DRAIN);
    await riseUnchecked(run, server);
    return;
  }
  await inheritAdmin(context, server);
  const oper = context.memory.serversI32[tracked.index * SERVER_WORDS + V_OPER] as Oper;
  await changeOper(context, server, oper, "");
}
