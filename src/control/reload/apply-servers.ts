// The servers of one backend under a new configuration: new ones get a row, those that stay take on their words and keep everything
// else, the others begin to leave. Relays are told by the caller. Control thread, only within `commit`.

import { sameValue } from "../../config/diff/same-value.ts";
import type { ServerConfig } from "../../config/model.ts";
import {
  AdminState,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_FLAGS,
  V_MAXCONN,
  V_OPER,
  V_USABLE,
  V_WEIGHT,
  VF_DYNAMIC,
  VF_LEAVING,
} from "../../memory/server-row.ts";
import { initialServerAddress, NameLookup } from "../addresses.ts";
import { NOWHERE } from "../build-registry.ts";
import type { ResolvedAddress } from "../change.ts";
import { startHealth } from "../health/health-entry.ts";
import { beginLeaving, closeToSessions, sessionsOfServer } from "../reconcile/leaving.ts";
import { noteNewWords } from "../reconcile/new-words.ts";
import { noteUsable } from "../reconcile/rebalance.ts";
import { settleLoad } from "../reconcile/server-load.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { freeServerRow } from "../rows.ts";
import { newServerEntry } from "../server-entry.ts";
import { configuredAdmin, relink, writeServerRow, writeServerSettings, writeServerState } from "../tables.ts";
import { keepAdmin, keepChecks } from "./apply-health.ts";
import type { MatchedProxy } from "./match.ts";
import { plannedServer } from "./plan/parts.ts";
import { removalPolicyOf } from "./removal-policy.ts";
import type { ReloadRun } from "./run.ts";

/** `backend`: the entry, new or kept. Its list of servers is as the configuration has it afterwards, then those that leave. */
export async function applyServers(run: ReloadRun, backend: ProxyEntry, matched: MatchedProxy): Promise<void> {
  const before = backend.servers;
  const named: ServerEntry[] = [];
  for (const { config, entry, staysDeleted } of matched.servers) {
    if (run.isLong) await run.nextTurn();
    if (staysDeleted) run.deeds.servers.staysDeleted.push(plannedServer(matched.config, config));
    else if (entry !== undefined) named.push(keepServer(run, entry, config));
    else named.push(await addServer(run, backend, config));
  }
  const names = new Set(named.map(({ name }) => name));
  const others = matched.others.filter((server) => !server.isDeleted);
  const stays = (server: ServerEntry): boolean => isDynamic(run, server) && !names.has(server.config.name);
  const dynamic = others.filter((server) => server.leaving === undefined && stays(server));
  const leaving = others.filter((server) => !dynamic.includes(server));
  run.deeds.servers.dynamic.push(...dynamic.map((server) => plannedServer(matched.config, server.config)));
  backend.servers = [...named, ...dynamic, ...leaving];
  if (!sameOrder(before, backend.servers)) relink(run.context.memory, backend);
  // Only now, so that relays find the new ones before they miss the old ones.
  for (const server of leaving) {
    if (server.leaving === undefined) removeServer(run, server, true);
    // The section was to go as a whole, with servers for those in it, and is named again, without this one.
    else if (isOpen(run, server)) {
      closeToSessions(run.context.memory, server);
      run.touched.add(backend);
    }
  }
}

const isOpen = (run: ReloadRun, { index }: ServerEntry): boolean =>
  (run.context.memory.serversI32[index * SERVER_WORDS + V_FLAGS] & VF_LEAVING) === 0;

/** The server's sessions stay or end as `on-removed` says, after the reload. `closes`: it gets no new session from here on. */
export function removeServer(run: ReloadRun, server: ServerEntry, closes: boolean): void {
  const { memory, nowMs } = run.context;
  const { hardStopAfterMs } = run.prepared.config.global;
  const policy = removalPolicyOf(server.config.policy.onRemoved);
  server.leaving = beginLeaving(policy, sessionsOfServer(memory, server), nowMs(), hardStopAfterMs);
  if (closes) closeToSessions(memory, server);
  server.backend.policies.attention.add(server);
  run.departing.servers.push(server);
  run.touched.add(server.backend);
  run.context.events.onServerReloaded(server, { checks: false, name: true });
}

/** "backend/server" */
export const fullName = ({ backend, name }: ServerEntry): string => `${backend.name}/${name}`;

const isDynamic = (run: ReloadRun, { index }: ServerEntry): boolean =>
  (run.context.memory.serversI32[index * SERVER_WORDS + V_FLAGS] & VF_DYNAMIC) !== 0;

const sameOrder = (a: readonly ServerEntry[], b: readonly ServerEntry[]): boolean =>
  a.length === b.length && a.every((server, i) => server === b[i]);

async function addServer(run: ReloadRun, backend: ProxyEntry, config: ServerConfig): Promise<ServerEntry> {
  const { memory, registry, events } = run.context;
  const address = await addressOf(run, config);
  const index = freeServerRow(memory);
  const server = newServerEntry(index, backend, config, address, false);
  const admin = configuredAdmin(config.disabled) | (address === undefined ? AdminState.RESOLUTION_MAINT : 0);
  const oper = startHealth(server.health, config, admin);
  if (oper === OperState.STOPPED) server.downSinceMs = server.lastChangeMs;
  registry.serversByIndex[index] = server;
  backend.servers = [...backend.servers, server];
  writeServerRow(memory, server, address?.sockaddr ?? NOWHERE, admin, oper, 0);
  if (memory.serversI32[index * SERVER_WORDS + V_USABLE] === 1) noteUsable(run.context, server);
  run.touched.add(backend);
  run.deeds.servers.added.push(plannedServer(backend.config, config));
  events.onServerAdded(server);
  events.onServerReloaded(server, { checks: true, name: true });
  return server;
}

/** It was looked up before, unless an operator deleted the server in the meantime. */
async function addressOf(run: ReloadRun, config: ServerConfig): Promise<ResolvedAddress | undefined> {
  const { addresses } = run.prepared;
  if (addresses.has(config)) return addresses.get(config);
  return initialServerAddress(config, new NameLookup()).catch(() => undefined);
}

function keepServer(run: ReloadRun, server: ServerEntry, now: ServerConfig): ServerEntry {
  const { memory, nowMs, events } = run.context;
  const old = server.config;
  const wasDynamic = isDynamic(run, server);
  const wasLeaving = server.leaving !== undefined;
  const adopted = wasDynamic || wasLeaving;
  const isSame = !adopted && run.isUnchanged(now) && server.name === now.name && server.id === now.id;
  server.config = now;
  if (isSame) return server;
  server.name = now.name;
  server.id = now.id;
  server.addedAs = undefined;
  server.leaving = undefined;
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  writeServerSettings(memory, server, 0);
  // An operator's value counts until the file says something else than it said before.
  if (old.weight !== now.weight) Atomics.store(table, row + V_WEIGHT, now.weight);
  if (old.maxconn !== now.maxconn) Atomics.store(table, row + V_MAXCONN, now.maxconn);
  settleLoad(memory, server, nowMs());
  if (wasLeaving) writeServerState(memory, server.index, table[row + V_ADMIN], table[row + V_OPER]);
  noteNewWords(run.context, server, old.policy);
  keepAdmin(run, server, old, now);
  const checks = keepChecks(run, server, old, now, wasDynamic);
  const name = wasLeaving || !sameValue(old.resolution, now.resolution);
  events.onServerReloaded(server, { checks, name });
  if (adopted) run.deeds.servers.adopted.push(plannedServer(server.backend.config, now));
  run.touched.add(server.backend);
  return server;
}
