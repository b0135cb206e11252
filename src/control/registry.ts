// Names to rows: which proxies, servers and listeners exist, with what configuration. Control thread only; `commit` is the
// only writer. What relays need of it stands in shared memory; here is what only people need.

import type { BindConfig, Config, ProxyConfig, ServerConfig } from "../config/model.ts";
import type { HealthEntry } from "./health/health-entry.ts";
import type { BackendPolicies } from "./reconcile/policy-state.ts";

export interface ListenerEntry {
  /** Index, as in S_LISTENER. */
  readonly index: number;
  /** Number within its frontend, from 1, as shown where the bind line has no name. */
  readonly id: number;
  readonly bind: BindConfig;
  readonly proxy: ProxyEntry;
  /** -1 once closed. */
  fd: number;
  /** The protocol as shown in `show sess`. */
  readonly protocol: "tcpv4" | "tcpv6" | "unix_stream" | "abns_stream";
  /** The address as shown, e.g. "127.0.0.1:5000", with the port that the kernel chose where 0 was asked for. */
  address: string;
}

export interface ServerEntry {
  /** Row in the server table. */
  readonly index: number;
  readonly name: string;
  readonly id: number;
  readonly backend: ProxyEntry;
  readonly config: ServerConfig;
  /** Shown address: IP without port, path of a unix socket, or "-". */
  host: string;
  /** Shown port, 0 for a unix socket. */
  port: number;
  /** True where the port follows the client's. */
  readonly mapsPort: boolean;
  /** The name it was configured by, if it was not an address. */
  readonly fqdn: string | undefined;
  /** Wall clock ms of the last change of state. */
  lastChangeMs: number;
  /** ms spent down before the current state, and since when it is down (undefined while it is not). */
  downMs: number;
  downSinceMs: number | undefined;
  readonly health: HealthEntry;
  /** It has left its backend; changes that waited for their turn are refused. */
  isDeleted: boolean;
}

export interface ProxyEntry {
  /** Row in the proxy table. */
  readonly index: number;
  /** iid */
  readonly id: number;
  readonly name: string;
  readonly config: ProxyConfig;
  readonly isFrontend: boolean;
  readonly isBackend: boolean;
  readonly listeners: ListenerEntry[];
  /** In order of declaration, added ones at the end. */
  readonly servers: ServerEntry[];
  /** `shutdown frontend` or the soft stop closed its listeners for good. */
  stopped: boolean;
  /** Wall clock ms of the last change between usable and not. */
  lastChangeMs: number;
  /** As for a server: the backend had no usable server. */
  downMs: number;
  downSinceMs: number | undefined;
  /** Times it lost its last usable server. */
  downTransitions: number;
  readonly policies: BackendPolicies;
}

export interface Registry {
  readonly config: Config;
  /** In order of declaration. */
  readonly proxies: readonly ProxyEntry[];
  /** By row. A deleted server stays until its row is used again, so that records of its sessions still find its name. */
  readonly serversByIndex: readonly (ServerEntry | undefined)[];
  readonly proxiesByIndex: readonly (ProxyEntry | undefined)[];
  readonly listenersByIndex: readonly (ListenerEntry | undefined)[];
}

/** Finds a proxy by name, or by "#<id>"; `side` says which kind. */
export function findProxy(
  registry: Registry,
  name: string,
  side: "frontend" | "backend" | "any",
): ProxyEntry | undefined {
  const matches = (proxy: ProxyEntry): boolean =>
    side === "any" || (side === "frontend" ? proxy.isFrontend : proxy.isBackend);
  if (/^#\d+$/.test(name)) {
    const id = Number(name.slice(1));
    return registry.proxies.find((proxy) => matches(proxy) && proxy.id === id);
  }
  return registry.proxies.find((proxy) => matches(proxy) && proxy.name === name);
}

/** Finds a server of a backend by name, or by "#<id>". */
export function findServer(backend: ProxyEntry, name: string): ServerEntry | undefined {
  if (/^#\d+$/.test(name)) {
    const id = Number(name.slice(1));
    return backend.servers.find((server) => server.id === id);
  }
  return backend.servers.find((server) => server.name === name);
}
