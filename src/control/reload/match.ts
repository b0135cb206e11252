// Who is who: the proxies and servers of a new configuration, and those that run. Pure; reads the registry only. Control thread.

import { runThrough, type Steps } from "../../base/turns.ts";
import { sameValue } from "../../config/diff/same-value.ts";
import { sameEndpoint } from "../../config/diff/server-settings.ts";
import type { Config, ProxyConfig, ServerConfig } from "../../config/model.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../registry.ts";

export interface MatchedServer {
  readonly config: ServerConfig;
  /** The one that runs, which may be leaving, or was added at runtime; undefined: it is new. */
  readonly entry: ServerEntry | undefined;
  /** An operator deleted it, and its line says what it said before: it is not to come back. */
  readonly staysDeleted: boolean;
}

export interface MatchedProxy {
  readonly config: ProxyConfig;
  readonly entry: ProxyEntry | undefined;
  readonly servers: readonly MatchedServer[];
  /** Servers of the entry that the configuration does not name, in their order. */
  readonly others: readonly ServerEntry[];
}

export interface Match {
  /** In the order of the configuration. */
  readonly proxies: readonly MatchedProxy[];
  /** Proxies that the configuration does not name, leaving ones among them. */
  readonly others: readonly ProxyEntry[];
}

/** By which proxies are the same. */
export const keyOf = ({ kind, name }: ProxyConfig): string => `${kind} ${name}`;

/** A proxy is the same by kind and name, a server of it by name and configured endpoint. */
export const matchConfig = (registry: Registry, config: Config): Match => runThrough(matchSteps(registry, config));

/** The same in parts; the registry must not change in between. */
export function* matchSteps(registry: Registry, config: Config): Steps<Match> {
  const left = new Map(registry.proxies.map((proxy) => [keyOf(proxy.config), proxy]));
  const proxies: MatchedProxy[] = [];
  for (const proxy of config.proxies) {
    yield;
    const key = keyOf(proxy);
    proxies.push(matchServers(proxy, left.get(key)));
    left.delete(key);
  }
  return { proxies, others: [...left.values()] };
}

function matchServers(config: ProxyConfig, entry: ProxyEntry | undefined): MatchedProxy {
  if (entry === undefined) {
    const servers = config.servers.map((server) => ({ config: server, entry: undefined, staysDeleted: false }));
    return { config, entry, servers, others: [] };
  }
  const inPlace = matchInPlace(config, entry);
  if (inPlace !== undefined) return inPlace;
  const byName = new Map<string, ServerEntry[]>();
  for (const server of entry.servers) {
    const namesakes = byName.get(server.config.name);
    if (namesakes === undefined) byName.set(server.config.name, [server]);
    else namesakes.push(server);
  }
  const before = new Map(entry.config.servers.map((server) => [server.name, server]));
  const matched = new Set<ServerEntry>();
  const servers = config.servers.map((server): MatchedServer => {
    const same = (byName.get(server.name) ?? []).filter((other) => sameEndpoint(other.config, server));
    const found = same.find((other) => other.leaving === undefined) ?? same[0];
    if (found !== undefined) matched.add(found);
    const isOut = found === undefined && staysDeleted(entry, before.get(server.name), server);
    return { config: server, entry: found, staysDeleted: isOut };
  });
  return { config, entry, servers, others: entry.servers.filter((server) => !matched.has(server)) };
}

/** Most sections have the servers that they had, in the same order: then no maps are needed, as each name stands there once. */
function matchInPlace(config: ProxyConfig, entry: ProxyEntry): MatchedProxy | undefined {
  if (entry.servers.length !== config.servers.length) return undefined;
  const servers: MatchedServer[] = [];
  const others: ServerEntry[] = [];
  for (const [i, server] of config.servers.entries()) {
    const found = entry.servers[i]!;
    if (found.config.name !== server.name) return undefined;
    if (sameEndpoint(found.config, server)) servers.push({ config: server, entry: found, staysDeleted: false });
    else {
      const old = entry.config.servers[i]?.name === server.name ? entry.config.servers[i] : formerOf(entry, server);
      servers.push({ config: server, entry: undefined, staysDeleted: staysDeleted(entry, old, server) });
      others.push(found);
    }
  }
  return { config, entry, servers, others };
}

const formerOf = (entry: ProxyEntry, { name }: ServerConfig): ServerConfig | undefined =>
  entry.config.servers.find((server) => server.name === name);

/** Of a server that does not run. */
const staysDeleted = (entry: ProxyEntry, old: ServerConfig | undefined, now: ServerConfig): boolean =>
  entry.leaving === undefined && old !== undefined && sayTheSame(old, now);

/** Apart from numbers that are given out by position. */
const sayTheSame = (old: ServerConfig, now: ServerConfig): boolean =>
  sameValue(old, now.idForced || old.idForced ? now : { ...now, id: old.id });
