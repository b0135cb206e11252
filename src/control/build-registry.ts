// Turns a configuration into a registry and fills the tables from it. Control thread, at start.

import { AppError } from "../base/errors.ts";
import { LISTENERS_MAX, PROXIES_MAX, SERVERS_MAX } from "../base/limits.ts";
import type { Config, ServerConfig } from "../config/model.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import { resolveServerAddress } from "./addresses.ts";
import { freeServerRow, type MutableRegistry, newServerEntry } from "./commit.ts";
import { openFrontendListener } from "./listeners.ts";
import type { ListenerEntry, ProxyEntry, ServerEntry } from "./registry.ts";
import { configuredAdmin, writeProxyRow, writeServerRow } from "./tables.ts";

/** Proxies and servers, in tables and registry; listeners are opened by `openListeners`. */
export async function buildRegistry(config: Config, memory: SharedMemory, maxconn: number): Promise<MutableRegistry> {
  const servers = config.proxies.reduce((sum, proxy) => sum + proxy.servers.length, 0);
  const binds = config.proxies.reduce((sum, proxy) => sum + proxy.binds.length, 0);
  checkLimit("proxies", config.proxies.length, PROXIES_MAX);
  checkLimit("servers", servers, SERVERS_MAX);
  checkLimit("listening addresses", binds, LISTENERS_MAX);
  const now = Date.now();
  const proxies = config.proxies.map((proxy, index): ProxyEntry => {
    const isBackend = proxy.kind !== "frontend";
    return {
      index,
      id: proxy.id,
      name: proxy.name,
      config: proxy,
      isFrontend: proxy.kind !== "backend",
      isBackend,
      listeners: [],
      servers: [],
      stopped: false,
      paused: false,
      lastChangeMs: now,
      downMs: 0,
      downSinceMs: undefined,
    };
  });
  const serversByIndex: (ServerEntry | undefined)[] = [];
  const registry: MutableRegistry = {
    config,
    proxies,
    proxiesByIndex: proxies,
    serversByIndex,
    listenersByIndex: [],
  };
  for (const proxy of proxies) {
    const limit = Math.min(proxy.config.maxconn ?? maxconn, maxconn);
    writeProxyRow(memory, proxy, limit, defaultBackendOf(proxies, proxy));
  }
  for (const proxy of proxies) {
    for (const server of proxy.config.servers) await addServer(memory, serversByIndex, proxy, server);
  }
  return registry;
}

/** Opens the listeners of every frontend that is not disabled. */
export async function openListeners(registry: MutableRegistry, maxconn: number): Promise<ListenerEntry[]> {
  const opened: ListenerEntry[] = [];
  for (const proxy of registry.proxies) {
    if (!proxy.isFrontend || proxy.config.disabled) continue;
    const limit = Math.min(proxy.config.maxconn ?? maxconn, maxconn);
    for (const [i, bind] of proxy.config.binds.entries()) {
      const backlog = bind.backlog || proxy.config.backlog || limit;
      const listener = await openFrontendListener(proxy, bind, opened.length, i + 1, backlog);
      proxy.listeners.push(listener);
      opened.push(listener);
    }
  }
  (registry.listenersByIndex as (ListenerEntry | undefined)[]).push(...opened);
  return opened;
}

async function addServer(
  memory: SharedMemory,
  serversByIndex: (ServerEntry | undefined)[],
  backend: ProxyEntry,
  config: ServerConfig,
): Promise<void> {
  const index = freeServerRow(memory);
  const address = await resolveServerAddress(config.endpoint).catch((error: Error) => {
    const { file, line } = config.place;
    throw new AppError(
      "cannot-resolve",
      `[${file}:${line}] : 'server ${backend.name}/${config.name}' : ${error.message}`,
    );
  });
  const server = newServerEntry(index, backend, config, address, config.disabled);
  serversByIndex[index] = server;
  backend.servers.push(server);
  writeServerRow(memory, server, address, configuredAdmin(config.disabled), 0);
}

function defaultBackendOf(proxies: readonly ProxyEntry[], proxy: ProxyEntry): number {
  const name = proxy.config.defaultBackend;
  if (name !== undefined) return proxies.find((other) => other.isBackend && other.name === name)?.index ?? -1;
  return proxy.isBackend ? proxy.index : -1;
}

function checkLimit(what: string, count: number, limit: number): void {
  if (count > limit)
    throw new AppError("too-many", `${count} ${what} are configured; ${limit} is the most that is supported.`);
}
