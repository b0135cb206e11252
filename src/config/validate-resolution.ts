// What only shows about names when all sections are read: sections that must exist, names that must differ. Control thread.

import { isIP } from "node:net";
import type { Steps } from "../base/turns.ts";
import { type Drafts, describeProxy } from "./build.ts";
import { type DiagnosticList, placeOf, type Span, shortPlace, tokenSpan } from "./diagnostics.ts";
import type { ProxyDraft, ServerEntry } from "./drafts.ts";
import { didYouMean } from "./nearest.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import { isServiceName } from "./resolvers-model.ts";
import { DEFAULT_RESOLVERS } from "./resolvers-section.ts";

export function* validateResolution({ proxies, resolvers, global }: Drafts, diagnostics: DiagnosticList): Steps<void> {
  const names = new Map<string, Span>();
  for (const { name, nameSpan } of resolvers) {
    const other = names.get(name);
    if (other === undefined) names.set(name, nameSpan);
    else {
      const where = shortPlace(placeOf(other));
      diagnostics.error("duplicate-name", `there is a resolvers section '${name}' already (at ${where})`, nameSpan);
    }
  }
  const hasDefault = (): boolean => parseResolvConf(global.context.resolvConf() ?? "").nameservers.length > 0;
  const known = [...names.keys()];
  for (const proxy of proxies) {
    yield;
    if (proxy.disabled || proxy.kind === "frontend" || proxy.mode !== "tcp") continue;
    for (const server of proxy.servers) checkServer(server, proxy, known, hasDefault, diagnostics);
  }
}

function checkServer(
  server: ServerEntry,
  proxy: ProxyDraft,
  names: readonly string[],
  hasDefault: () => boolean,
  diagnostics: DiagnosticList,
): void {
  const name = server.settings.resolve?.resolvers;
  const { endpoint } = server;
  if (name !== undefined && !names.includes(name) && !(name === DEFAULT_RESOLVERS && hasDefault())) {
    const message = `server '${server.name}' of ${describeProxy(proxy)}: there is no resolvers section '${name}'`;
    diagnostics.error("unknown-resolvers", message, argumentSpan(server, name), didYouMean(name, names));
  }
  if (endpoint.kind !== "inet" || isIP(endpoint.host) !== 0) return;
  if (isServiceName(endpoint.host) && name === undefined) {
    const message = `server '${server.name}': '${endpoint.host}' names a service, which only 'resolvers' can resolve`;
    diagnostics.error("needs-resolvers", message, server.nameSpan);
  }
}

/** Where the section's name stands on the server's line; the server's name where `default-server` said it. */
function argumentSpan(server: ServerEntry, name: string): Span {
  const { line } = server.nameSpan;
  const at = line.tokens.findLastIndex((token) => token.text === "resolvers");
  const token = line.tokens[at + 1];
  return at > 2 && token?.text === name ? tokenSpan(line, token) : server.nameSpan;
}
