// Drafts to the immutable model: numbers are given out, `log global` is replaced, each side keeps only what is its own.
// Control thread. Runs only when nothing is wrong.

import type { Drafts } from "./build.ts";
import { protocolOf } from "./checks/protocol.ts";
import { type BackendChecks, resolveHealth } from "./checks/resolve-health.ts";
import { lineSpan, placeOf } from "./diagnostics.ts";
import type { GlobalDraft, LogEntry, LogTargetDraft, ProxyDraft, ServerEntry } from "./drafts.ts";
import type { Config, GlobalConfig, LogTarget, ProxyConfig, ServerConfig, StatsSection, Timeouts } from "./model.ts";
import { DEFAULT_RESOLVERS, implicitResolvers, resolversOf } from "./resolvers-section.ts";
import { resolveNames } from "./server-resolution.ts";

/** HAProxy numbers proxies from 2; 0 is the Runtime API's own. */
const FIRST_PROXY_ID = 2;

/** `resolvConf`: the text of /etc/resolv.conf. */
export function assemble(drafts: Drafts, resolvConf: string | undefined): Config {
  const ids = proxyIds(drafts.proxies);
  const global = globalOf(drafts);
  const proxies: ProxyConfig[] = [];
  const statsSections: StatsSection[] = [];
  for (const [index, draft] of drafts.proxies.entries()) {
    const id = ids[index] ?? FIRST_PROXY_ID;
    if (draft.mode === "tcp") proxies.push(proxyOf(draft, id, drafts.global, global));
    else statsSections.push(statsSectionOf(draft, id));
  }
  const resolvers = drafts.resolvers.map(resolversOf);
  const hasDefault = resolvers.some(({ name }) => name === DEFAULT_RESOLVERS);
  const implicit = hasDefault ? undefined : implicitResolvers(resolvConf);
  if (implicit !== undefined) resolvers.push(implicit);
  return freeze({ global, proxies, statsSections, resolvers });
}

/** Forced numbers are set aside first; the others take the next free one in declaration order. */
function proxyIds(drafts: readonly ProxyDraft[]): readonly number[] {
  const taken = new Set(drafts.flatMap((draft) => (draft.forcedId === undefined ? [] : [draft.forcedId.id])));
  let next = FIRST_PROXY_ID;
  return drafts.map((draft) => {
    if (draft.forcedId !== undefined) return draft.forcedId.id;
    while (taken.has(next)) next++;
    return next++;
  });
}

/** As for proxies, but a server with a forced number still counts as a place (HAProxy: ids 2, 1 forced, 4, 5). */
function serversOf(entries: readonly ServerEntry[], checks: BackendChecks): readonly ServerConfig[] {
  const taken = new Set(entries.flatMap((entry) => (entry.id === undefined ? [] : [entry.id])));
  let next = 1;
  return entries.map(({ name, endpoint, portKind, settings, id, place }) => {
    if (id === undefined) while (taken.has(next)) next++;
    const number = id ?? next;
    next++;
    const { words, resolve, ...plain } = settings;
    const health = resolveHealth(words, checks);
    const names = resolveNames(endpoint, resolve);
    return { name, id: number, idForced: id !== undefined, endpoint, portKind, ...plain, ...names, ...health, place };
  });
}

function globalOf({ global }: Drafts): GlobalConfig {
  const { maxconn, nbthread, statsSockets, statsTimeoutMs, statsMaxconn, hardStopAfterMs, spreadChecksPercent } =
    global;
  const { logTag, logHostname, pidFile, uid, gid, chroot, stateFile, graceMs } = global;
  return withoutUndefined({
    maxconn,
    nbthread,
    statsSockets,
    statsTimeoutMs,
    statsMaxconn,
    hardStopAfterMs,
    logs: global.logs.map((draft) => targetOf(draft, logHostname)),
    logTag,
    logHostname,
    spreadChecksPercent,
    pidFile,
    uid,
    gid,
    chroot,
    stateFile,
    graceMs,
  });
}

/** HAProxy's default is the format without a host, unless there is a host to send. */
const targetOf = (draft: LogTargetDraft, hostname: string | undefined): LogTarget => ({
  ...draft,
  format: draft.format ?? (hostname === undefined ? "local" : "rfc3164"),
});

function logsOf(entries: readonly LogEntry[], global: GlobalConfig): readonly LogTarget[] {
  return entries.flatMap((entry) => (entry === "global" ? global.logs : [targetOf(entry, global.logHostname)]));
}

function timeoutsOf(draft: ProxyDraft, hasFrontend: boolean, hasBackend: boolean): Timeouts {
  const { clientMs, clientFinMs, serverMs, connectMs, queueMs, tunnelMs, serverFinMs, checkMs } = draft.timeouts;
  return withoutUndefined({
    ...(hasFrontend ? { clientMs, clientFinMs } : {}),
    ...(hasBackend ? { serverMs, connectMs, queueMs, tunnelMs, serverFinMs, checkMs } : {}),
  });
}

function backendChecksOf({
  name,
  checks,
  timeouts,
  cutGuardPercent,
  sessionPolicy,
  onRemoved,
}: ProxyDraft): BackendChecks {
  const { checkMs: timeoutMs, connectMs: connectTimeoutMs } = timeouts;
  return withoutUndefined({
    backend: name,
    protocol: protocolOf(checks),
    timeoutMs,
    connectTimeoutMs,
    cutGuardPercent,
    sessions: Object.keys(sessionPolicy).length === 0 ? undefined : sessionPolicy,
    onRemoved,
  });
}

/** Where the servers' states of a backend come from at start; undefined: nowhere. */
function serverStateOf(draft: ProxyDraft, global: GlobalDraft): ProxyConfig["serverState"] {
  const { serverStateSource: from, name, serverStateFileName } = draft;
  const path = from === "global" ? global.serverStateFile : (serverStateFileName ?? name);
  if (from === "none" || path === undefined) return undefined;
  const { serverStateBase: base } = global;
  if (path.startsWith("/") || base === undefined) return { from, file: path };
  return { from, file: base.endsWith("/") ? `${base}${path}` : `${base}/${path}` };
}

function proxyOf(draft: ProxyDraft, id: number, global: GlobalDraft, globalConfig: GlobalConfig): ProxyConfig {
  const hasFrontend = draft.kind !== "backend";
  const hasBackend = draft.kind !== "frontend";
  const { splice } = draft;
  const checks = backendChecksOf(draft);
  return withoutUndefined({
    kind: draft.kind === "defaults" ? "listen" : draft.kind,
    name: draft.name,
    id,
    idForced: draft.forcedId === undefined ? undefined : true,
    mode: "tcp",
    disabled: draft.disabled,
    description: draft.description,
    binds: draft.binds.map((bind) => bind.config),
    maxconn: hasFrontend ? draft.maxconn : undefined,
    backlog: hasFrontend ? draft.backlog : undefined,
    defaultBackend: hasFrontend ? draft.defaultBackend?.name : undefined,
    clientTcpKeepalive: hasFrontend && draft.clientTcpKeepalive,
    tcplog: hasFrontend && draft.tcplog,
    logFormat: hasFrontend ? draft.logFormat : undefined,
    logFormatSd: hasFrontend ? draft.logFormatSd : undefined,
    logTag: draft.logTag,
    dontlognull: hasFrontend && draft.dontlognull,
    dontlogNormal: hasFrontend && draft.dontlogNormal ? true : undefined,
    logSeparateErrors: hasFrontend && draft.logSeparateErrors ? true : undefined,
    logs: logsOf(draft.logs, globalConfig),
    servers: serversOf(draft.servers, checks),
    defaultServer: { ...draft.defaultServer, checks },
    balance: draft.balance,
    retries: draft.retries,
    redispatchInterval: hasBackend ? draft.redispatchInterval : undefined,
    serverTcpKeepalive: hasBackend && draft.serverTcpKeepalive,
    splice: splice.auto || splice.request || splice.response,
    fullconn: hasBackend ? draft.fullconn : undefined,
    timeouts: timeoutsOf(draft, hasFrontend, hasBackend),
    fence: hasBackend && draft.fence ? true : undefined,
    allBackups: hasBackend && draft.allBackups ? true : undefined,
    rebalancePerSecond: hasBackend ? draft.rebalancePerSecond || undefined : undefined,
    serverState: hasBackend ? serverStateOf(draft, global) : undefined,
    logHealthChecks: hasBackend && draft.logHealthChecks,
    onRemoved: draft.onRemoved?.kind === "keep" ? undefined : draft.onRemoved,
    place: placeOf(lineSpan(draft.header)),
  });
}

function statsSectionOf(draft: ProxyDraft, id: number): StatsSection {
  return {
    name: draft.name,
    id,
    binds: draft.binds.map((bind) => bind.config),
    lines: draft.statsLines,
    place: placeOf(lineSpan(draft.header)),
  };
}

/** Fields that are not set are absent, not present and undefined: the model prints and compares as it reads. */
function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

/** Nobody may change a configuration, in fact and not only in its type. */
function freeze<T>(value: T): T {
  // Bytes and patterns cannot be frozen, or would not work.
  if (ArrayBuffer.isView(value) || value instanceof RegExp) return value;
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const field of Object.values(value)) freeze(field);
  }
  return value;
}
