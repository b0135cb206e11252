// Drafts to the immutable model: numbers are given out, `log global` is replaced, each side keeps only what is its own.
// Control thread. Runs only when nothing is wrong.

import type { Steps } from "../base/turns.ts";
import type { Drafts } from "./build.ts";
import type { HealthWords } from "./checks/health-words.ts";
import { protocolOf } from "./checks/protocol.ts";
import { type BackendChecks, resolveHealth, type ServerHealth } from "./checks/resolve-health.ts";
import { lineSpan, placeOf } from "./diagnostics.ts";
import type { GlobalDraft, LogEntry, LogTargetDraft, ProxyDraft, ServerEntry } from "./drafts.ts";
import type { Config, GlobalConfig, LogTarget, ProxyConfig, ServerConfig, StatsSection, Timeouts } from "./model.ts";
import { DEFAULT_RESOLVERS, implicitResolvers, resolversOf } from "./resolvers-section.ts";
import { resolveNames } from "./server-resolution.ts";

/** HAProxy numbers proxies from 2; 0 is the Runtime API's own. */
const FIRST_PROXY_ID = 2;

/** `resolvConf`: the text of /etc/resolv.conf. */
export function* assemble(drafts: Drafts, resolvConf: string | undefined): Steps<Config> {
  const ids = proxyIds(drafts.proxies);
  const global = globalOf(drafts);
  const proxies: ProxyConfig[] = [];
  const statsSections: StatsSection[] = [];
  for (const [index, draft] of drafts.proxies.entries()) {
    const id = ids[index] ?? FIRST_PROXY_ID;
    yield;
    if (draft.mode === "tcp") proxies.push(yield* proxyOf(draft, id, drafts.global, global));
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

/** Servers between two occasions to rest. */
const PART = 64;

/** As for proxies, but a server with a forced number still counts as a place (HAProxy: ids 2, 1 forced, 4, 5). */
function* serversOf(entries: readonly ServerEntry[], checks: BackendChecks): Steps<readonly ServerConfig[]> {
  const taken = new Set<number>();
  for (const { id } of entries) if (id !== undefined) taken.add(id);
  // Most servers of a section have the same words.
  const healths = new Map<HealthWords, ServerHealth>();
  const servers: ServerConfig[] = [];
  let next = 1;
  for (const [index, { name, endpoint, portKind, settings, id: forced, place }] of entries.entries()) {
    if (index % PART === PART - 1) yield;
    if (forced === undefined) while (taken.has(next)) next++;
    const id = forced ?? next;
    next++;
    const { weight, maxconn, backup, disabled, words, resolve } = settings;
    let health = healths.get(words);
    if (health === undefined) {
      health = freeze(resolveHealth(words, checks));
      healths.set(words, health);
    }
    const { resolution, onAddressChange } = resolveNames(endpoint, resolve);
    if (resolution !== undefined) freeze(resolution);
    Object.freeze(endpoint);
    Object.freeze(place);
    // All with the same fields, set or not: that is what makes thousands of them cheap to make and to compare.
    servers.push(
      Object.freeze({
        name,
        id,
        idForced: forced !== undefined,
        endpoint,
        portKind,
        weight,
        maxconn,
        backup,
        disabled,
        resolution,
        onAddressChange,
        health: health.health,
        agent: health.agent,
        policy: health.policy,
        place,
      }),
    );
  }
  return Object.freeze(servers);
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

function* proxyOf(draft: ProxyDraft, id: number, global: GlobalDraft, globalConfig: GlobalConfig): Steps<ProxyConfig> {
  const hasFrontend = draft.kind !== "backend";
  const hasBackend = draft.kind !== "frontend";
  const { splice } = draft;
  const checks = backendChecksOf(draft);
  const servers = yield* serversOf(draft.servers, checks);
  return freeze({
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
    dontlogNormal: (hasFrontend && draft.dontlogNormal) || undefined,
    logSeparateErrors: (hasFrontend && draft.logSeparateErrors) || undefined,
    logs: logsOf(draft.logs, globalConfig),
    servers,
    defaultServer: { ...draft.defaultServer, checks },
    balance: draft.balance,
    retries: draft.retries,
    redispatchInterval: hasBackend ? draft.redispatchInterval : undefined,
    serverTcpKeepalive: hasBackend && draft.serverTcpKeepalive,
    splice: splice.auto || splice.request || splice.response,
    fullconn: hasBackend ? draft.fullconn : undefined,
    timeouts: timeoutsOf(draft, hasFrontend, hasBackend),
    fence: (hasBackend && draft.fence) || undefined,
    allBackups: (hasBackend && draft.allBackups) || undefined,
    rebalancePerSecond: (hasBackend && draft.rebalancePerSecond) || undefined,
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

/** Fields that are not set are absent. */
function withoutUndefined<T extends object>(value: T): T {
  const fields = value as Record<string, unknown>;
  const set: Record<string, unknown> = {};
  for (const key in fields) if (fields[key] !== undefined) set[key] = fields[key];
  return set as T;
}

/** Nobody may change a configuration, in fact and not only in its type. What is frozen already is so with all that it holds. */
function freeze<T extends object>(value: T): T {
  // Bytes and patterns cannot be frozen, or would not work.
  if (Object.isFrozen(value) || ArrayBuffer.isView(value) || value instanceof RegExp) return value;
  Object.freeze(value);
  for (const key in value) {
    const field = value[key];
    if (typeof field === "object" && field !== null) freeze(field);
  }
  return value;
}
