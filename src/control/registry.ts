// Names to rows: which proxies, servers and listeners exist, with what configuration. Control thread only; `commit` is the
// only writer. What relays need of it stands in shared memory; here is what only people need.

import type { BindConfig, Config, ProxyConfig, ServerConfig } from "../config/model.ts";
import type { HealthEntry } from "./health/health-entry.ts";
import type { Leaving } from "./reconcile/leaving-state.ts";
import type { BackendPolicies } from "./reconcile/policy-state.ts";
import type { UnixPath } from "./unix-path.ts";

export interface ListenerEntry {
  /** Index, as in S_LISTENER. */
  readonly index: number;
  /** Number within its frontend, from 1, as shown where the bind line has no name. */
  id: number;
  bind: BindConfig;
  /** A reload may give a listening socket to another frontend. */
  proxy: ProxyEntry;
  /** -1 once closed. */
  fd: number;
  backlog: number;
  /** Equal for equal addresses as asked for: a reload keeps the socket of an address that stays. */
  readonly key: string;
  /** The protocol as shown in `show sess`. */
  readonly protocol: "tcpv4" | "tcpv6" | "unix_stream" | "abns_stream";
  /** The address as shown, e.g. "127.0.0.1:5000", with the port that the kernel chose where 0 was asked for. */
  address: string;
  /** Of a unix socket. */
  readonly path: UnixPath | undefined;
}

export interface ServerEntry {
  /** Row in the server table. */
  readonly index: number;
  /** As configured; `name@address` while it leaves and another server has its name. */
  name: string;
  id: number;
  readonly backend: ProxyEntry;
  /** Of the last reload that named it. */
  config: ServerConfig;
  /** Shown address: IP without port, path of a unix socket, or "-" while there is none. */
  host: string;
  /** Shown port, 0 for a unix socket. */
  port: number;
  /** True where the port follows the client's. */
  readonly mapsPort: boolean;
  /** Address and port that its row was last given, whatever is shown: what its older sessions go to. */
  route: string;
  /** Its name: of the configuration, of the operator, or of the service's place that it stands for. */
  fqdn: string | undefined;
  /** The service (SRV) whose places its backend's servers stand for. */
  readonly service: string | undefined;
  /** Wall clock ms of the last change of state. */
  lastChangeMs: number;
  /** ms spent down before the current state, and since when it is down (undefined while it is not). */
  downMs: number;
  downSinceMs: number | undefined;
  readonly health: HealthEntry;
  /** Address and words of the `add server` that made it; undefined: the configuration's. */
  addedAs: readonly string[] | undefined;
  /** It has left its backend; changes that waited for their turn are refused. */
  isDeleted: boolean;
  /** A reload removed it, and sessions are left. */
  leaving: Leaving | undefined;
}

export interface ProxyEntry {
  /** Row in the proxy table. */
  readonly index: number;
  /** iid */
  id: number;
  /** As configured; `name@kind` while it leaves and another proxy has its name. */
  name: string;
  /** Of the last reload that named it. */
  config: ProxyConfig;
  readonly isFrontend: boolean;
  readonly isBackend: boolean;
  listeners: ListenerEntry[];
  /** In order of declaration, then those added at runtime, then those that leave. A reload puts another list in its place. */
  servers: ServerEntry[];
  /** `shutdown frontend` or the soft stop closed its listeners for good. */
  stopped: boolean;
  /** `disable frontend`: the listeners' sockets are kept, but listen no more. */
  paused: boolean;
  /** It is paused for another process, not by an operator. */
  lendsPorts: boolean;
  /** Wall clock ms of the last change between usable and not. */
  lastChangeMs: number;
  /** As for a server: the backend had no usable server. */
  downMs: number;
  downSinceMs: number | undefined;
  /** Times it lost its last usable server. */
  downTransitions: number;
  readonly policies: BackendPolicies;
  /** Its row was given back; changes that waited for their turn are refused. */
  isDeleted: boolean;
  /** A reload removed it, and sessions are left. */
  leaving: Leaving | undefined;
}

export interface Registry {
  readonly config: Config;
  /** Limit of sessions of the process by configuration or command line; `set maxconn global` changes what is in force. */
  readonly maxconn: number;
  /** In order of declaration, then those that leave. A reload puts another list in its place. */
  readonly proxies: readonly ProxyEntry[];
  /** By row. What was deleted stays until its row is used again, so that records of its sessions still find its name. */
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
