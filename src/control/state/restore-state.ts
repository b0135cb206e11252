// What was in force before the start is in force again: states of HAProxy's files first, then what operators had changed. Control thread,
// only called by `commit`, at start, before anything is accepted.

import { AdminState, SERVER_WORDS, V_ADMIN, V_INITIAL_WEIGHT, V_WEIGHT } from "../../memory/server-row.ts";
import type { Receipt } from "../change.ts";
import { type CommitContext, done } from "../commit-context.ts";
import { resumeEviction } from "../reconcile/begin-eviction.ts";
import { findProxy, findServer, type ServerEntry } from "../registry.ts";
import { setAddress } from "../resolve/changes.ts";
import { changeMaxconn, changeWeight } from "../server-state.ts";
import type { StatesByName } from "./haproxy-files.ts";
import { configuredAddress, configuredName, type OwnEviction, type OwnServer, type OwnState } from "./own-format.ts";
import { restoreAdmin, restoreEnabled, restoreServer, restoreTargets, withoutRelays } from "./restore-server.ts";

/** All that is known from before the start. */
export interface StartState {
  readonly servers: StatesByName;
  readonly own: OwnState | undefined;
}

export async function restoreState(
  context: CommitContext,
  { servers, own }: StartState,
  tell: (text: string) => void,
): Promise<Receipt> {
  for (const backend of context.registry.proxies) {
    const records = servers.get(backend.name);
    if (records === undefined || !backend.isBackend) continue;
    for (const server of backend.servers) {
      const record = records.get(server.name);
      if (record !== undefined) await restoreServer(context, server, record, tell);
    }
  }
  for (const saved of own?.servers ?? []) {
    const server = serverOf(context, saved.record.backend, saved.record.server);
    if (server !== undefined) await restoreIntent(withoutRelays(context), server, saved);
  }
  for (const saved of own?.evictions ?? []) await restoreEviction(context, saved, tell);
  return done();
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

/** An eviction goes on; one whose server is gone is over. */
async function restoreEviction(
  context: CommitContext,
  saved: OwnEviction,
  tell: (text: string) => void,
): Promise<void> {
  const server = serverOf(context, saved.backend, saved.server);
  if (server === undefined) {
    tell(`eviction ${saved.id} is over: there is no server ${saved.backend}/${saved.server} any more`);
    return;
  }
  await resumeEviction(context, server, saved);
}
