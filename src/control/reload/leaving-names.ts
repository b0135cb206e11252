// Names and numbers of what leaves: the configuration's own come first, so who leaves gets another one where they meet. Control thread.

import type { Steps } from "../../base/turns.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../registry.ts";

/** Gives every name and number once. */
export function* nameLeaving(registry: Registry): Steps<void> {
  const present = registry.proxies.filter(({ leaving }) => leaving === undefined);
  const ids = new Set([...present.map(({ id }) => id), ...registry.config.statsSections.map(({ id }) => id)]);
  const fronts = new Set(present.filter(({ isFrontend }) => isFrontend).map(({ name }) => name));
  const backs = new Set(present.filter(({ isBackend }) => isBackend).map(({ name }) => name));
  for (const proxy of registry.proxies) {
    yield;
    if (proxy.leaving !== undefined) {
      const isTaken = (name: string): boolean =>
        (proxy.isFrontend && fronts.has(name)) || (proxy.isBackend && backs.has(name));
      const { name, kind } = proxy.config;
      proxy.name = freeName(name, `${name}@${kind}`, proxy.index, isTaken);
      proxy.id = freeId(proxy.id, ids);
      if (proxy.isFrontend) fronts.add(proxy.name);
      if (proxy.isBackend) backs.add(proxy.name);
    }
    if (proxy.isBackend) nameLeavingServers(proxy);
  }
}

/** The same within one backend. */
export function nameLeavingServers(backend: ProxyEntry): void {
  if (!backend.servers.some(({ leaving }) => leaving !== undefined)) return;
  const present = backend.servers.filter(({ leaving }) => leaving === undefined);
  const names = new Set(present.map(({ name }) => name));
  const ids = new Set(present.map(({ id }) => id));
  for (const server of backend.servers) {
    if (server.leaving === undefined) continue;
    const { name } = server.config;
    server.name = freeName(name, otherName(server), server.index, (text) => names.has(text));
    server.id = freeId(server.id, ids);
    names.add(server.name);
  }
}

/** What a server that leaves is called where its name is another's: "s1@127.0.0.1:80". */
export const otherName = (server: ServerEntry): string => `${server.config.name}@${addressText(server)}`;

function addressText({ host, port, config: { endpoint } }: ServerEntry): string {
  if (endpoint.kind !== "inet") return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function freeName(own: string, other: string, row: number, isTaken: (name: string) => boolean): string {
  if (!isTaken(own)) return own;
  return isTaken(other) ? `${other}#${row}` : other;
}

function freeId(own: number, taken: Set<number>): number {
  let id = own;
  if (taken.has(id)) id = Math.max(...taken) + 1;
  taken.add(id);
  return id;
}
