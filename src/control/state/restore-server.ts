// Gives servers the states of a server state file, by HAProxy's rules of which values apply and when. Control thread, only called by
// `commit`, at start: no relay has a session yet, so none has to be told.

import { ipSockaddr, isIpAddress } from "../../base/address.ts";
import { AdminState, OperState, SERVER_WORDS, V_ADMIN, V_INITIAL_WEIGHT, V_WEIGHT } from "../../memory/server-row.ts";
import type { Receipt } from "../change.ts";
import { type CommitContext, done } from "../commit-context.ts";
import { highestHealth, type Oper } from "../health/state-machine.ts";
import { settleLoad } from "../reconcile/server-load.ts";
import type { ServerEntry } from "../registry.ts";
import { NO_ADDRESS, routeOf } from "../resolve/changes.ts";
import { changeAdmin, changeOper, changeWeight } from "../server-state.ts";
import { writeAddress, writeServerState } from "../tables.ts";
import { CheckBits } from "./state-columns.ts";
import type { StateRecord } from "./state-record.ts";

const NOTE = ", changed from server-state after a reload";

/** For changes where nobody has a session yet. What the operator had ordered is no news; that a server is down may be. */
export const withoutRelays = (context: CommitContext): CommitContext => ({
  ...context,
  orders: { order: async () => ({ matched: 0, ended: 0, discardedBytes: 0 }) },
  events: {
    ...context.events,
    onServerState: (server, change) => {
      if (change.before.admin === change.after.admin) context.events.onServerState(server, change);
    },
  },
});

/** Applies a record. `tell` hears of what could not be applied. */
export async function restoreServer(
  outer: CommitContext,
  server: ServerEntry,
  record: StateRecord,
  tell: (text: string) => void,
): Promise<Receipt> {
  const context = withoutRelays(outer);
  await restoreOper(context, server, record);
  await restoreAdmin(context, server, record);
  restoreChecks(context, server, record);
  const table = context.memory.serversI32;
  const row = server.index * SERVER_WORDS;
  // A weight that the configuration changed counts for more than that of run time.
  if (record.initialWeight === table[row + V_INITIAL_WEIGHT] && record.weight !== table[row + V_WEIGHT]) {
    await changeWeight(context, server, record.weight);
  }
  const faults = [...restoreName(context, server, record), ...restoreTargets(server, record)];
  if (faults.length > 0) {
    tell(`server-state partially applied for server '${server.backend.name}/${server.name}', ${faults.join(", ")}`);
  }
  return done();
}

async function restoreOper(context: CommitContext, server: ServerEntry, record: StateRecord): Promise<void> {
  const { check } = server.health;
  const { rise, fall } = check.counter;
  let { checkHealth: health } = record;
  let oper = record.oper as Oper;
  if (oper === OperState.STARTING && rise === 1) oper = OperState.RUNNING;
  if (oper === OperState.STOPPING && fall === 1) oper = OperState.STOPPED;
  if (oper === OperState.STOPPED) health = 0;
  else if (oper === OperState.RUNNING) health = highestHealth(check.counter);
  else if (oper === OperState.STARTING) health = health < 1 || health >= rise ? rise - 1 : health;
  else health = health < rise || health > rise + fall - 2 ? rise : health;
  check.counter = { ...check.counter, health };
  if (oper !== OperState.STARTING) await changeOper(context, server, oper, NOTE);
  else startSlowly(context, server, record.secondsSinceChange * 1000);
}

/** A slow start goes on where it was. */
function startSlowly(context: CommitContext, server: ServerEntry, sinceMs: number): void {
  const { memory } = context;
  const admin = memory.serversI32[server.index * SERVER_WORDS + V_ADMIN];
  const isWarm = sinceMs >= server.config.policy.slowStartMs;
  if (isWarm || (admin & AdminState.FORCED_MAINT) !== 0) return;
  writeServerState(memory, server.index, admin, OperState.STARTING);
  server.health.policy.startingSinceMs = context.nowMs() - sinceMs;
  settleLoad(memory, server, context.nowMs());
  server.backend.policies.attention.add(server);
  context.events.onReconcileAt(server.backend, context.nowMs());
}

/** What the configuration says counts for more where it has changed; else the operator's word of before. */
export async function restoreAdmin(
  context: CommitContext,
  server: ServerEntry,
  record: Pick<StateRecord, "admin" | "initialWeight">,
): Promise<void> {
  const { FORCED_MAINT, FORCED_DRAIN, CONFIG_MAINT } = AdminState;
  const table = context.memory.serversI32;
  const row = server.index * SERVER_WORDS;
  const isConfigured = (table[row + V_ADMIN] & CONFIG_MAINT) !== 0;
  const was = record.admin;
  if (((was & CONFIG_MAINT) !== 0) !== isConfigured) {
    if (isConfigured) await changeAdmin(context, server, FORCED_MAINT, 0);
    else await changeAdmin(context, server, 0, FORCED_MAINT | FORCED_DRAIN);
  } else if ((was & FORCED_MAINT) !== 0 && !isConfigured) await changeAdmin(context, server, FORCED_MAINT, 0);
  else if ((was & FORCED_MAINT) === 0 && isConfigured)
    await changeAdmin(context, server, 0, FORCED_MAINT | FORCED_DRAIN);
  const isInMaintenance = (table[row + V_ADMIN] & FORCED_MAINT) !== 0;
  // A drain that came of a configured weight of 0 ends with that weight.
  const drains = (was & FORCED_DRAIN) !== 0 && (record.initialWeight > 0 || table[row + V_INITIAL_WEIGHT] === 0);
  if (drains && !isInMaintenance) await changeAdmin(context, server, FORCED_DRAIN, 0);
}

function restoreChecks(context: CommitContext, server: ServerEntry, record: StateRecord): void {
  const { check } = server.health;
  server.lastChangeMs = Date.now() - record.secondsSinceChange * 1000;
  if (server.downSinceMs !== undefined) server.downSinceMs = server.lastChangeMs;
  const { checkStatus: status } = record;
  if (status !== undefined && status !== "UNK" && status !== "INI") {
    check.last = { status, code: 0, description: "", durationMs: 0 };
  }
  restoreEnabled(server, record);
  context.events.onHealthChange(server, "both");
}

/** `disable health` and `disable agent` hold; nothing enables a check that is not enabled. */
export function restoreEnabled(server: ServerEntry, record: Pick<StateRecord, "checkState" | "agentState">): void {
  const { check, agent } = server.health;
  const wasDisabled = (bits: number): boolean =>
    (bits & CheckBits.CONFIGURED) !== 0 && (bits & CheckBits.ENABLED) === 0;
  for (const [state, bits] of [[check, record.checkState] as const, [agent, record.agentState] as const]) {
    if (state.counter.configured && wasDisabled(bits)) state.counter = { ...state.counter, enabled: false };
  }
}

/** Name, place of a service, and port. */
function restoreName(context: CommitContext, server: ServerEntry, record: StateRecord): readonly string[] {
  const { memory } = context;
  const { fqdn, service, port } = record;
  const row = server.index * SERVER_WORDS;
  if (fqdn !== undefined && server.fqdn !== undefined) {
    if (fqdn !== server.fqdn && record.fqdnChanged) {
      server.fqdn = fqdn;
      memory.serversI32[row + V_ADMIN] |= AdminState.FQDN_CHANGED;
    }
  } else if (fqdn !== undefined && service !== undefined) {
    if (server.service === undefined)
      return [`no SRV resolution for server '${server.name}'. Previous state not applied`];
    if (server.service !== service)
      return [
        `SRV record mismatch between configuration ('${server.service}') and state file ('${service}') for server ` +
          `'${server.name}'. Previous state not applied`,
      ];
    server.fqdn = fqdn;
  }
  if (port !== undefined) restorePort(context, server, port);
  return [];
}

function restorePort(context: CommitContext, server: ServerEntry, port: number): void {
  if (server.config.endpoint.kind !== "inet" || server.mapsPort || server.port === port) return;
  server.port = port;
  if (server.host === NO_ADDRESS) return;
  server.route = routeOf(server.host, port);
  writeAddress(context.memory, server.index, ipSockaddr(server.host, port));
}

/** Where checks go. */
export function restoreTargets(server: ServerEntry, record: StateRecord): readonly string[] {
  const { check, agent } = server.health;
  const faults: string[] = [];
  const { checkHost, checkPort, agentHost, agentPort } = record;
  if (checkHost !== undefined || checkPort !== undefined) {
    if (!check.counter.enabled) return ["health checks are not enabled on this server"];
    if (checkHost !== undefined && isIpAddress(checkHost)) check.host = checkHost;
    check.port = checkPort ?? check.port;
  }
  if (agentHost !== undefined || agentPort !== undefined) {
    if (!agent.counter.enabled) return ["agent checks are not enabled on this server"];
    if (agentHost !== undefined && isIpAddress(agentHost)) agent.host = agentHost;
    agent.port = agentPort ?? agent.port;
  }
  return faults;
}
