// A small configuration as the control thread holds it: one or two proxies and their servers, for `commit` to work on.

import { SERVER_DEFAULTS } from "../../src/config/drafts.ts";
import type { ProxyConfig, ServerConfig } from "../../src/config/model.ts";
import type { MutableRegistry } from "../../src/control/commit-context.ts";
import { createHealth } from "../../src/control/health/health-entry.ts";
import { createBackendPolicies } from "../../src/control/reconcile/policy-state.ts";
import type { ProxyEntry, ServerEntry } from "../../src/control/registry.ts";

const place = { file: "test", line: 1, column: 1 } as const;
/** No policy but HAProxy's defaults. */
export const NO_POLICY = { onMarkedUpShutdownBackupSessions: false, cutGuardPercent: 0, slowStartMs: 0 } as const;

/** What a test wants to say about a proxy; the rest is as if the file said nothing. */
export type ProxyWishes = Partial<
  Pick<
    ProxyConfig,
    | "maxconn"
    | "balance"
    | "retries"
    | "redispatchInterval"
    | "splice"
    | "timeouts"
    | "dontlognull"
    | "fence"
    | "allBackups"
    | "rebalancePerSecond"
  >
>;

export type ServerWishes = Partial<
  Pick<ServerConfig, "weight" | "maxconn" | "backup" | "disabled" | "endpoint" | "policy">
>;

export function serverConfig(id: number, wishes: ServerWishes): ServerConfig {
  return {
    name: `s${id}`,
    id,
    idForced: false,
    endpoint: { kind: "inet", host: "127.0.0.1", family: "any", port: 7000 + id },
    portKind: "fixed",
    weight: 1,
    maxconn: 0,
    backup: false,
    disabled: false,
    policy: NO_POLICY,
    place,
    ...wishes,
  };
}

/** A proxy without servers. A log target is named, so that each session leaves a record. */
export function proxyEntry(index: number, kind: ProxyConfig["kind"], wishes: ProxyWishes): ProxyEntry {
  const config: ProxyConfig = {
    kind,
    name: `p${index}`,
    id: index + 2,
    mode: "tcp",
    disabled: false,
    binds: [],
    clientTcpKeepalive: true,
    tcplog: true,
    dontlognull: false,
    logs: [
      { target: { kind: "fd", fd: 1 }, maxLength: 1024, format: "raw", facility: 16, maxLevel: 7, minLevel: 0, place },
    ],
    servers: [],
    defaultServer: { ...SERVER_DEFAULTS, checks: { backend: `p${index}`, protocol: { kind: "tcp" } } },
    balance: { algorithm: "roundrobin", draws: 2, explicit: true },
    retries: 3,
    serverTcpKeepalive: false,
    splice: false,
    timeouts: {},
    logHealthChecks: false,
    place,
    ...wishes,
  };
  return {
    index,
    id: config.id,
    name: config.name,
    config,
    isFrontend: kind !== "backend",
    isBackend: kind !== "frontend",
    listeners: [],
    servers: [],
    stopped: false,
    paused: false,
    lendsPorts: false,
    lastChangeMs: 0,
    downMs: 0,
    downSinceMs: undefined,
    downTransitions: 0,
    policies: createBackendPolicies(),
    isDeleted: false,
    leaving: undefined,
  };
}

export function serverEntry(index: number, backend: ProxyEntry, config: ServerConfig): ServerEntry {
  const { endpoint } = config;
  return {
    index,
    name: config.name,
    id: config.id,
    backend,
    config,
    host: endpoint.kind === "inet" ? endpoint.host : "",
    port: endpoint.kind === "inet" ? endpoint.port : 0,
    route: "",
    mapsPort: false,
    fqdn: undefined,
    service: undefined,
    lastChangeMs: 0,
    downMs: 0,
    downSinceMs: undefined,
    addedAs: undefined,
    health: createHealth(config, false),
    isDeleted: false,
    leaving: undefined,
  };
}

export function registryOf(proxies: readonly ProxyEntry[], servers: number): MutableRegistry {
  const serversByIndex: (ServerEntry | undefined)[] = new Array(servers).fill(undefined);
  for (const proxy of proxies) for (const server of proxy.servers) serversByIndex[server.index] = server;
  return {
    config: {
      global: { statsSockets: [], statsTimeoutMs: 0, logs: [] },
      proxies: [],
      statsSections: [],
      resolvers: [],
    },
    proxies,
    serversByIndex,
    proxiesByIndex: [...proxies],
    maxconn: 0,
    listenersByIndex: [],
  } as MutableRegistry;
}
