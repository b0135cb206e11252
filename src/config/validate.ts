// What only shows when all sections are read: names that must exist, names and numbers that must differ, what is missing.
// Control thread. Errors where HAProxy refuses, warnings where it warns; sections that are disabled are not asked for completeness.

import { LISTENERS_MAX, PROXIES_MAX, SERVERS_MAX } from "../base/limits.ts";
import type { Steps } from "../base/turns.ts";
import { formatEndpoint } from "./address.ts";
import { type Drafts, describeProxy } from "./build.ts";
import { validateHealth } from "./checks/validate-health.ts";
import { type DiagnosticList, lineSpan, placeOf, type Span, shortPlace } from "./diagnostics.ts";
import type { ProxyDraft } from "./drafts.ts";
import { didYouMean } from "./nearest.ts";
import { validateResolution } from "./validate-resolution.ts";

export function* validate(drafts: Drafts, diagnostics: DiagnosticList): Steps<void> {
  const { proxies } = drafts;
  checkSectionNames(proxies, diagnostics);
  checkSectionIds(proxies, diagnostics);
  for (const proxy of proxies) {
    yield;
    checkServers(proxy, diagnostics);
    checkBindIds(proxy, diagnostics);
    if (!proxy.disabled) {
      checkCompleteness(proxy, diagnostics);
      checkDefaultBackend(proxy, proxies, diagnostics);
      checkRebalance(proxy, diagnostics);
    }
  }
  yield* validateHealth(drafts, diagnostics);
  yield* validateResolution(drafts, diagnostics);
  checkAddresses(drafts, diagnostics);
  checkLimits(proxies, diagnostics);
}

const isFrontend = (proxy: ProxyDraft): boolean => proxy.kind !== "backend";
const isBackend = (proxy: ProxyDraft): boolean => proxy.kind !== "frontend";

function nameSpan(proxy: ProxyDraft): Span {
  const token = proxy.header.tokens[1];
  if (token === undefined) return lineSpan(proxy.header);
  return { line: proxy.header, column: token.column, length: token.length };
}

function checkSectionNames(proxies: readonly ProxyDraft[], diagnostics: DiagnosticList): void {
  const seen = new Map<string, ProxyDraft[]>();
  for (const proxy of proxies) {
    if (proxy.name === "") continue;
    const others = seen.get(proxy.name) ?? [];
    const same = others.find((o) => (isFrontend(o) && isFrontend(proxy)) || (isBackend(o) && isBackend(proxy)));
    const other = same ?? others[0];
    if (same !== undefined) {
      diagnostics.error(
        "duplicate-name",
        `${proxy.kind} '${proxy.name}' has the name of ${describeProxy(same)}`,
        nameSpan(proxy),
      );
    } else if (other !== undefined) {
      const message = `${proxy.kind} '${proxy.name}' has the name of ${describeProxy(other)}: HAProxy 3.3 and later refuse this`;
      diagnostics.warning("shared-name", message, nameSpan(proxy));
    }
    seen.set(proxy.name, [...others, proxy]);
  }
}

function checkSectionIds(proxies: readonly ProxyDraft[], diagnostics: DiagnosticList): void {
  const seen = new Map<number, ProxyDraft>();
  for (const proxy of proxies) {
    if (proxy.forcedId === undefined) continue;
    const { id, span } = proxy.forcedId;
    const other = seen.get(id);
    if (other === undefined) seen.set(id, proxy);
    else diagnostics.error("duplicate-id", `id ${id} is already that of ${describeProxy(other)}`, span);
  }
}

/** Where clients that come back go to the same server again, nothing is gained. */
function checkRebalance(proxy: ProxyDraft, diagnostics: DiagnosticList): void {
  if (!isBackend(proxy) || (proxy.rebalancePerSecond ?? 0) === 0) return;
  const { algorithm } = proxy.balance;
  const why = proxy.fence
    ? "'option fence'"
    : algorithm === "source" || algorithm === "first"
      ? `'balance ${algorithm}'`
      : "";
  if (why === "") return;
  const message = `'rebalance' has no effect in ${proxy.kind} '${proxy.name}' with ${why}`;
  diagnostics.warning("no-rebalance", message, nameSpan(proxy));
}

function checkServers(proxy: ProxyDraft, diagnostics: DiagnosticList): void {
  const names = new Map<string, Span>();
  const ids = new Map<number, string>();
  for (const server of proxy.servers) {
    const other = names.get(server.name);
    if (other === undefined) names.set(server.name, server.nameSpan);
    else {
      const message = `${proxy.kind} '${proxy.name}' already has a server '${server.name}' (at ${shortPlace(placeOf(other))})`;
      diagnostics.error("duplicate-name", message, server.nameSpan);
    }
    if (server.id === undefined || server.idSpan === undefined) continue;
    const owner = ids.get(server.id);
    if (owner === undefined) ids.set(server.id, server.name);
    else diagnostics.error("duplicate-id", `id ${server.id} is already that of server '${owner}'`, server.idSpan);
  }
}

function checkBindIds(proxy: ProxyDraft, diagnostics: DiagnosticList): void {
  const seen = new Set<number>();
  for (const { config, idSpan } of proxy.binds) {
    if (config.id === undefined || idSpan === undefined) continue;
    if (seen.has(config.id)) {
      const message = `id ${config.id} is already that of another address of ${proxy.kind} '${proxy.name}'`;
      diagnostics.error("duplicate-id", message, idSpan);
    }
    seen.add(config.id);
  }
}

function checkCompleteness(proxy: ProxyDraft, diagnostics: DiagnosticList): void {
  const { kind, name, timeouts } = proxy;
  if (isFrontend(proxy) && proxy.bindLines === 0) {
    diagnostics.warning("no-bind", `${kind} '${name}' has no 'bind' line: nothing can connect to it`, nameSpan(proxy));
  }
  if (proxy.mode !== "tcp") return;
  const missing: string[] = [];
  if (isFrontend(proxy) && timeouts.clientMs === undefined) missing.push("client");
  if (isBackend(proxy) && proxy.servers.length > 0) {
    if (timeouts.connectMs === undefined) missing.push("connect");
    if (timeouts.serverMs === undefined) missing.push("server");
  }
  if (missing.length > 0) {
    const message = `${kind} '${name}' has no ${missing.map((t) => `'timeout ${t}'`).join(" and no ")}`;
    diagnostics.warning("missing-timeouts", message, nameSpan(proxy), "without it a silent session stays for ever");
  }
  if (kind === "frontend" && proxy.defaultBackend === undefined && proxy.binds.length > 0) {
    diagnostics.warning(
      "no-backend",
      `frontend '${name}' has no 'default_backend': it closes every session`,
      nameSpan(proxy),
    );
  }
}

function checkDefaultBackend(proxy: ProxyDraft, proxies: readonly ProxyDraft[], diagnostics: DiagnosticList): void {
  const ref = proxy.defaultBackend;
  if (ref === undefined || !isFrontend(proxy) || proxy.mode !== "tcp") return;
  const found = proxies.filter((p) => p.name === ref.name);
  const target = found.find(isBackend);
  if (target?.mode === "tcp") return;
  if (target !== undefined) {
    diagnostics.error(
      "bad-backend",
      `'default_backend' names ${describeProxy(target)}, which is in mode http`,
      ref.span,
    );
  } else if (found[0] !== undefined) {
    diagnostics.error(
      "bad-backend",
      `'default_backend' names ${describeProxy(found[0])}, which is no backend`,
      ref.span,
    );
  } else {
    const names = proxies.filter((p) => isBackend(p) && p.mode === "tcp").map((p) => p.name);
    diagnostics.error("unknown-backend", `there is no backend '${ref.name}'`, ref.span, didYouMean(ref.name, names));
  }
}

/** HAProxy takes the same address twice without a word, and the kernel spreads the connections; that is rarely meant. */
function checkAddresses(drafts: Drafts, diagnostics: DiagnosticList): void {
  const seen = new Map<string, Span>();
  for (const proxy of drafts.proxies) {
    if (proxy.disabled) continue;
    for (const { config, span } of proxy.binds) {
      const address = formatEndpoint(config.endpoint);
      const other = seen.get(address);
      if (other === undefined) seen.set(address, span);
      else {
        const message = `'${address}' is already bound at ${shortPlace(placeOf(other))}: the kernel decides who gets a connection`;
        diagnostics.warning("address-twice", message, span);
      }
    }
  }
}

function checkLimits(proxies: readonly ProxyDraft[], diagnostics: DiagnosticList): void {
  checkCount(proxies, () => 1, PROXIES_MAX, "sections", diagnostics);
  checkCount(proxies, (proxy) => proxy.servers.length, SERVERS_MAX, "servers", diagnostics);
  checkCount(proxies, (proxy) => proxy.binds.length, LISTENERS_MAX, "listening addresses", diagnostics);
}

function checkCount(
  proxies: readonly ProxyDraft[],
  countOf: (proxy: ProxyDraft) => number,
  max: number,
  what: string,
  diagnostics: DiagnosticList,
): void {
  let count = 0;
  for (const proxy of proxies) {
    count += countOf(proxy);
    if (count <= max) continue;
    diagnostics.error("too-many", `more than ${max} ${what} up to here`, nameSpan(proxy));
    return;
  }
}
