// Turns a configuration into a registry and fills the tables from it. Control thread, at start.

import { ipSockaddr } from "../base/address.ts";
import { AppError } from "../base/errors.ts";
import { LISTENERS_MAX, PROXIES_MAX, SERVERS_MAX } from "../base/limits.ts";
import type { BindConfig, Config, ProxyConfig, ServerConfig } from "../config/model.ts";
import { ADMIN_MAINT, AdminState, OperState, SERVER_WORDS, V_ADMIN, V_OPER } from "../memory/server-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import { initialServerAddress, NameLookup, resolveBindAddress } from "./addresses.ts";
import { hasEligibleServer } from "./backend-times.ts";
import type { MutableRegistry } from "./commit-context.ts";
import { linkTrackers, startHealth } from "./health/health-entry.ts";
import { type ListenFrom, openFrontendListener, openPausedListener, pauseFrontendListeners } from "./listeners.ts";
import { newProxyEntry } from "./proxy-entry.ts";
import { nameFirstLeader } from "./reconcile/fence.ts";
import type { ListenerEntry, ProxyEntry, ServerEntry } from "./registry.ts";
import { freeServerRow } from "./rows.ts";
import { newServerEntry } from "./server-entry.ts";
import { inheritedBits } from "./server-state.ts";
import type { StatesByName } from "./state/haproxy-files.ts";
import { configuredAdmin, writeProxyRow, writeServerRow, writeServerState } from "./tables.ts";

/** In the row of a server that has no address yet, and gets no session before it has. */
export const NOWHERE = ipSockaddr("0.0.0.0", 0);

/** Proxies and servers, in tables and registry; listeners are opened by `openListeners`. `warn`: for the operator's terminal; `states`:
 * of server state files, for `init-addr last`. */
export async function buildRegistry(
  config: Config,
  memory: SharedMemory,
  maxconn: number,
  warn: (text: string) => void = () => {},
  states: StatesByName = new Map(),
): Promise<MutableRegistry> {
  const servers = config.proxies.reduce((sum, proxy) => sum + proxy.servers.length, 0);
  const binds = config.proxies.reduce((sum, proxy) => sum + proxy.binds.length, 0);
  checkLimit("proxies", config.proxies.length, PROXIES_MAX);
  checkLimit("servers", servers, SERVERS_MAX);
  checkLimit("listening addresses", binds, LISTENERS_MAX);
  const now = Date.now();
  const proxies = config.proxies.map((proxy, index): ProxyEntry => newProxyEntry(index, proxy));
  const serversByIndex: (ServerEntry | undefined)[] = [];
  const registry: MutableRegistry = {
    config,
    maxconn,
    proxies,
    proxiesByIndex: [...proxies],
    serversByIndex,
    listenersByIndex: [],
  };
  for (const proxy of proxies) {
    writeProxyRow(memory, proxy, frontendLimit(proxy.config, maxconn), defaultBackendOf(proxies, proxy));
  }
  const names = new NameLookup();
  for (const proxy of proxies) {
    for (const server of proxy.config.servers) {
      const last = states.get(proxy.name)?.get(server.name)?.host;
      await addServer(memory, serversByIndex, proxy, server, names, warn, last);
    }
  }
  linkTrackers(serversByIndex);
  for (const server of serversByIndex) {
    if (server !== undefined && server.health.tracked === undefined) followAtStart(memory, server);
  }
  for (const proxy of proxies) nameFirstLeader(memory, proxy);
  for (const proxy of proxies) if (!hasEligibleServer(memory, proxy)) proxy.downSinceMs = now;
  return registry;
}

/**
 * Opens the listeners of every frontend that is not disabled, nor shut down. Those of a paused one are given up again; where another
 * program has its port by now, that is said with `warn`.
 */
export async function openListeners(
  registry: MutableRegistry,
  maxconn: number,
  from: ListenFrom = {},
  warn: (text: string) => void = () => {},
): Promise<ListenerEntry[]> {
  const opened: ListenerEntry[] = [];
  for (const proxy of registry.proxies) {
    if (!proxy.isFrontend || proxy.config.disabled || proxy.stopped) continue;
    for (const [i, bind] of proxy.config.binds.entries()) {
      const backlog = backlogOf(proxy.config, bind, maxconn);
      const open = proxy.paused ? openPausedListener : openFrontendListener;
      const listener = await open(proxy, bind, opened.length, i + 1, backlog, from, warn);
      proxy.listeners.push(listener);
      opened.push(listener);
    }
  }
  opened.push(...(await takeFurther(opened, from)));
  for (const proxy of registry.proxies) if (proxy.paused) pauseFrontendListeners(proxy);
  registry.listenersByIndex.push(...opened);
  return opened;
}

/**
 * The process before may have had several sockets on an address (`shards`), each with clients that wait: all of them are listened on, since
 * whoever closes one loses its clients.
 */
async function takeFurther(opened: readonly ListenerEntry[], from: ListenFrom): Promise<readonly ListenerEntry[]> {
  const { inherited } = from;
  const further: ListenerEntry[] = [];
  if (inherited === undefined) return further;
  for (const { proxy, bind, id, backlog } of opened) {
    const { sockaddr } = await resolveBindAddress(bind.endpoint);
    while (inherited.has(sockaddr, bind.v6only) && opened.length + further.length < LISTENERS_MAX) {
      const index = opened.length + further.length;
      const listener = await openFrontendListener(proxy, bind, index, id, backlog, from);
      proxy.listeners.push(listener);
      further.push(listener);
    }
  }
  return further;
}

async function addServer(
  memory: SharedMemory,
  serversByIndex: (ServerEntry | undefined)[],
  backend: ProxyEntry,
  config: ServerConfig,
  names: NameLookup,
  warn: (text: string) => void,
  last: string | undefined,
): Promise<void> {
  const index = freeServerRow(memory);
  const { file, line } = config.place;
  const where = `[${file}:${line}] : 'server ${backend.name}/${config.name}' :`;
  const address = await initialServerAddress(
    config,
    names,
    (host) => warn(`${where} could not resolve address '${host}', disabling server.`),
    last,
  ).catch((error: Error) => {
    throw new AppError("cannot-resolve", `${where} ${error.message}`);
  });
  const server = newServerEntry(index, backend, config, address, false);
  const admin = configuredAdmin(config.disabled) | (address === undefined ? AdminState.RESOLUTION_MAINT : 0);
  const oper = startHealth(server.health, config, admin);
  if (oper === OperState.STOPPED) server.downSinceMs = server.lastChangeMs;
  serversByIndex[index] = server;
  backend.servers.push(server);
  writeServerRow(memory, server, address?.sockaddr ?? NOWHERE, admin, oper, 0);
}

/** Servers that track another one start in its state, and so do those that track them. */
function followAtStart(memory: SharedMemory, server: ServerEntry): void {
  const table = memory.serversI32;
  const own = server.index * SERVER_WORDS;
  for (const tracker of server.health.trackers) {
    const row = tracker.index * SERVER_WORDS;
    const admin = table[row + V_ADMIN] | inheritedBits(table[own + V_ADMIN]);
    const oper = (admin & ADMIN_MAINT) !== 0 ? OperState.STOPPED : table[own + V_OPER];
    writeServerState(memory, tracker.index, admin, oper);
    if (oper === OperState.STOPPED) tracker.downSinceMs ??= tracker.lastChangeMs;
    followAtStart(memory, tracker);
  }
}

/** A frontend's limit of sessions, in a process with `maxconn`. */
export const frontendLimit = (config: ProxyConfig, maxconn: number): number =>
  Math.min(config.maxconn ?? maxconn, maxconn);

/** The backlog of a listening socket. */
export const backlogOf = (config: ProxyConfig, bind: BindConfig, maxconn: number): number =>
  bind.backlog || config.backlog || frontendLimit(config, maxconn);

function defaultBackendOf(proxies: readonly ProxyEntry[], proxy: ProxyEntry): number {
  const name = proxy.config.defaultBackend;
  if (name !== undefined) return proxies.find((other) => other.isBackend && other.name === name)?.index ?? -1;
  return proxy.isBackend ? proxy.index : -1;
}

function checkLimit(what: string, count: number, limit: number): void {
  if (count > limit)
    throw new AppError("too-many", `${count} ${what} are configured; ${limit} is the most that is supported.`);
}
