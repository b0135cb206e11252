// A server as the registry keeps it, made of its configuration and its first address. Control thread.

import { isIpAddress } from "../base/address.ts";
import type { ServerConfig } from "../config/model.ts";
import { isServiceName } from "../config/resolvers-model.ts";
import type { ResolvedAddress } from "./change.ts";
import { createHealth } from "./health/health-entry.ts";
import type { ProxyEntry, ServerEntry } from "./registry.ts";
import { NO_ADDRESS, routeOf } from "./resolve/changes.ts";

/**
 * A server as the registry keeps it. One added at runtime (`isDynamic`) starts in maintenance, its checks off; one that has no address
 * yet (undefined) waits for it in maintenance.
 */
export function newServerEntry(
  index: number,
  backend: ProxyEntry,
  config: ServerConfig,
  address: ResolvedAddress | undefined,
  isDynamic: boolean,
): ServerEntry {
  const now = Date.now();
  const { endpoint } = config;
  const mapsPort = config.portKind === "client";
  const name = endpoint.kind === "inet" && !isIpAddress(endpoint.host) ? endpoint.host : undefined;
  const isService = name !== undefined && isServiceName(name);
  const host = address?.host ?? NO_ADDRESS;
  const port = address?.port ?? (endpoint.kind === "inet" ? Math.max(0, endpoint.port) : 0);
  return {
    index,
    name: config.name,
    id: config.id,
    backend,
    config,
    host,
    port: mapsPort ? 0 : port,
    route: routeOf(host, mapsPort ? 0 : port),
    mapsPort,
    fqdn: isService ? undefined : name,
    service: isService ? name : undefined,
    lastChangeMs: now,
    downMs: 0,
    downSinceMs: isDynamic || address === undefined ? now : undefined,
    addedAs: undefined,
    health: createHealth(config, isDynamic, address === undefined),
    isDeleted: false,
    leaving: undefined,
  };
}
