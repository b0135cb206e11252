// What was in force before the start is in force again: states of HAProxy's files first, then what operators had changed. Control thread,
// only called by `commit`, at start, before anything is accepted.

import { AdminState, SERVER_WORDS, V_ADMIN, V_INITIAL_WEIGHT, V_WEIGHT } from "../../memory/server-row.ts";
import { hasEligibleServer } from "../backend-times.ts";
import type { Receipt } from "../change.ts";
import { type CommitContext, done } from "../commit-context.ts";
import { enableCheck } from "../health/changes.ts";
import { resumeEviction } from "../reconcile/begin-eviction.ts";
import { findProxy, findServer, type ProxyEntry, type ServerEntry } from "../registry.ts";
import { setAddress } from "../resolve/changes.ts";
import { changeAdmin, changeMaxconn, changeWeight } from "../server-state.ts";
import type { StatesByName } from "./haproxy-files.ts";
import type { OwnEviction } from "./own-eviction.ts";
import { configuredAddress, configuredName, type OwnServer, type OwnState } from "./own-format.ts";
import { restoreFrontends } from "./restore-frontends.ts";
import { restoreAdmin, restoreEnabled, restoreServer, restoreTargets, withoutRelays } from "./restore-server.ts";
import { restoreServerLists } from "./restore-servers.ts";
import { CheckBits } from "./state-columns.ts";
import type { StateRecord } from "./state-record.ts";

/** Where what could not be restored, or is not as the configuration has it, is said. */
export type Tell = (severity: "NOTICE" | "WARNING", text: string) => void;

/** All that is known from before the start. */
export interface StartState {
  readonly servers: StatesByName;
  readonly own: OwnState | undefined;
  /** Of this program. */
  readonly version: string;
}

export async function restoreState(outer: CommitContext, state: StartState, tell: Tell): Promise<Receipt> {
  const down = new Set<ProxyEntry>();
  // Of a backend that has no server on the way only.
  const events = { ...outer.events, onBackendDown: (backend: ProxyEntry) => void down.add(backend) };
  await restoreAll({ ...outer, events }, state, tell);
  for (const backend of down) if (!hasEligibleServer(outer.memory, backend)) outer.events.onBackendDown(backend);
  return done();
}

async function restoreAll(context: CommitContext, { servers, own, version }: StartState, tell: Tell): Promise<void> {
  if (own !== undefined) await restoreServerLists(context, own, version, tell);
  for (const backend of context.registry.proxies) {
    const records = servers.get(backend.name);
    if (records === undefined || !backend.isBackend) continue;
    for (const server of backend.servers) {
      const record = records.get(server.name);
      if (record !== undefined && server.addedAs === undefined)
        await restoreServer(context, server, record, (text) => tell("WARNING", text));
    }
  }
  if (own === undefined) return;
  for (const saved of own.servers) {
    const server = serverOf(context, saved.record.backend, saved.record.server);
    if (server !== undefined) await restoreIntent(withoutRelays(context), server, saved);
  }
  await restoreFrontends(context, own, tell);
  for (const saved of own.evictions) await restoreEviction(context, saved, tell);
  context.evictions.skipTo(own.lastEviction);
}

function serverOf({ registry }: CommitContext, backend: string, name: string): ServerEntry | undefined {
  const proxy = findProxy(registry, backend, "backend");
  return proxy === undefined || proxy.config.disabled ? undefined : findServer(proxy, name);
}

/** Of each value the operator's word holds as long as the configuration says what it said then. */
async function restoreIntent(context: CommitContext, server: ServerEntry, saved: OwnServer): Promise<void> {
  const { record, maxconn } = saved;
  const table = context.memory.serversI32;
  const row = server.index * SERVER_WORDS;
  await restoreAdmin(context, server, record);
  if (server.addedAs !== undefined) await restoreAdded(context, server, record);
  if (record.initialWeight === table[row + V_INITIAL_WEIGHT] && record.weight !== table[row + V_WEIGHT]) {
    await changeWeight(context, server, record.weight);
  }
  if (maxconn !== undefined && maxconn.configured === server.config.maxconn) {
    await changeMaxconn(context, server, maxconn.value);
  }
  if (saved.configuredName === configuredName(server) && record.fqdn !== undefined) {
    server.fqdn = record.fqdn;
    table[row + V_ADMIN] |= AdminState.FQDN_CHANGED;
  }
  if (saved.configuredAddress === configuredAddress(server) && record.host !== undefined) {
    const port = server.mapsPort ? server.port : (record.port ?? server.port);
    await setAddress(context, { kind: "set-address", server, host: record.host, port });
  }
  restoreEnabled(server, record);
  restoreTargets(server, record);
  context.events.onHealthChange(server, "both");
}

/** A server begins in maintenance, its checks off, when it is added. */
async function restoreAdded(context: CommitContext, server: ServerEntry, record: StateRecord): Promise<void> {
  const { FORCED_MAINT } = AdminState;
  if ((record.admin & FORCED_MAINT) === 0) await changeAdmin(context, server, 0, FORCED_MAINT);
  for (const [source, bits] of [["check", record.checkState] as const, ["agent", record.agentState] as const]) {
    if ((bits & CheckBits.ENABLED) !== 0) await enableCheck(context, server, source, true);
  }
}

/** An eviction goes on; one whose server is gone, or that was of sessions, is over. */
async function restoreEviction(context: CommitContext, saved: OwnEviction, tell: Tell): Promise<void> {
  if (saved.filter !== undefined) {
    context.evictions.noteRestarted(saved.filter, saved, context.nowMs());
    tell(
      "NOTICE",
      `eviction ${saved.id} of sessions ${saved.filter} is over: they ended with the process that had them.`,
    );
    return;
  }
  const server = serverOf(context, saved.backend, saved.server);
  if (server === undefined) {
    tell("WARNING", `eviction ${saved.id} is over: there is no server ${saved.backend}/${saved.server} any more`);
    return;
  }
  await resumeEviction(context, server, saved);
}
