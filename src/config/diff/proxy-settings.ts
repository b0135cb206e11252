// The settings of a section, of its bind lines and of `global`, and how they are compared. Pure; any thread.

import { formatTimeMs } from "../../base/units.ts";
import type { HealthWords } from "../checks/health-words.ts";
import type { BackendChecks } from "../checks/resolve-health.ts";
import type {
  BindConfig,
  GlobalConfig,
  LogTarget,
  ProxyConfig,
  ServerSettings,
  ServerTemplate,
  StatsSection,
  StatsSocket,
  Timeouts,
} from "../model.ts";
import type { HoldConfig, ResolversConfig } from "../resolvers-model.ts";
import type { ResolveWords } from "../server-resolution.ts";
import type { Effect, GlobalChange, SettingChange } from "./model.ts";
import { sameValue } from "./same-value.ts";
import { SESSION_SETTINGS } from "./session-settings.ts";
import { changeOf, compareSettings, flag, nested, type SettingTable, setting, settingByText } from "./settings.ts";
import { balanceText, logFormatText, logTargetText, protocolText, removalText, valueText } from "./value-text.ts";

const TIMEOUTS: SettingTable<Timeouts> = {
  clientMs: setting("timeout client", formatTimeMs),
  serverMs: setting("timeout server", formatTimeMs),
  connectMs: setting("timeout connect", formatTimeMs),
  queueMs: setting("timeout queue", formatTimeMs),
  tunnelMs: setting("timeout tunnel", formatTimeMs),
  clientFinMs: setting("timeout client-fin", formatTimeMs),
  serverFinMs: setting("timeout server-fin", formatTimeMs),
  checkMs: setting("timeout check", formatTimeMs),
};

/** What a backend says of all its servers' checks; timeouts are the section's own, the name does not change. */
const CHECKS: SettingTable<BackendChecks> = {
  backend: null,
  protocol: setting("check rules", protocolText),
  timeoutMs: null,
  connectTimeoutMs: null,
  cutGuardPercent: setting("cut-guard"),
  sessions: nested(SESSION_SETTINGS),
  // The section's own.
  onRemoved: null,
};

const PROXY: SettingTable<ProxyConfig> = {
  kind: null,
  name: null,
  // Given out by position; `compareProxies` looks at forced ones.
  id: null,
  idForced: null,
  mode: null,
  disabled: flag("disabled"),
  description: setting("description"),
  binds: null,
  maxconn: setting("maxconn"),
  backlog: setting("backlog"),
  defaultBackend: setting("default_backend"),
  clientTcpKeepalive: flag("option clitcpka"),
  tcplog: flag("option tcplog"),
  dontlognull: flag("option dontlognull"),
  dontlogNormal: flag("option dontlog-normal"),
  logSeparateErrors: flag("option log-separate-errors"),
  // `log global` is not its own: `compareProxies` looks at them.
  logs: null,
  logFormat: setting("log-format", logFormatText),
  logFormatSd: setting("log-format-sd", logFormatText),
  logTag: setting("log-tag"),
  servers: null,
  defaultServer: null,
  // Naming the algorithm that is in effect anyway changes nothing.
  balance: settingByText("balance", balanceText),
  retries: setting("retries"),
  redispatchInterval: setting("option redispatch"),
  serverTcpKeepalive: flag("option srvtcpka"),
  splice: flag("option splice-auto"),
  fullconn: setting("fullconn"),
  timeouts: nested(TIMEOUTS),
  fence: flag("option fence"),
  allBackups: flag("option allbackups"),
  rebalancePerSecond: setting("rebalance"),
  // Read at the start only.
  serverState: setting("load-server-state-from-file", ({ from, file }) => `${from} (${file})`),
  logHealthChecks: flag("option log-health-checks"),
  onRemoved: setting("on-removed", removalText),
  place: null,
};

/** What is different between two sections of one kind and name, but for their servers and bind lines. */
export function compareProxies(
  old: ProxyConfig,
  now: ProxyConfig,
  oldGlobal: ReadonlySet<LogTarget>,
  nowGlobal: ReadonlySet<LogTarget>,
): SettingChange[] {
  const changes: SettingChange[] = [];
  compareSettings(PROXY, old, now, now.place, changes);
  compareSettings(CHECKS, old.defaultServer.checks, now.defaultServer.checks, now.place, changes);
  if (old.id !== now.id && (old.idForced || now.idForced)) {
    changes.push(changeOf("id", String(old.id), String(now.id), now.place));
  }
  const [logs, newLogs] = [logsText(old.logs, oldGlobal), logsText(now.logs, nowGlobal)];
  if (logs !== newLogs) changes.push(changeOf("log", logs, newLogs, now.place));
  if (!sameDefaults(old.defaultServer, now.defaultServer)) {
    const [words, newWords] = differingWords(settingsOf(old), settingsOf(now));
    changes.push(changeOf("default-server", words, newWords, now.place));
  }
  return changes;
}

/** Whether `default-server` says the same at the section's end; what goes for checks of the whole section is compared apart. */
function sameDefaults(old: ServerTemplate, now: ServerTemplate): boolean {
  const isSame = (key: string): boolean =>
    key === "checks" || sameValue(old[key as keyof ServerTemplate], now[key as keyof ServerTemplate]);
  for (const key in old) if (!isSame(key)) return false;
  for (const key in now) if (!isSame(key)) return false;
  return true;
}

function logsText(logs: readonly LogTarget[], global: ReadonlySet<LogTarget>): string | undefined {
  const texts = logs.map((log) => (global.has(log) ? "global" : logTargetText(log)));
  return texts.length === 0 ? undefined : [...new Set(texts)].join("; ");
}

type DefaultWords = Omit<ServerSettings, "words" | "resolve"> & HealthWords & ResolveWords;

function settingsOf({ defaultServer }: ProxyConfig): DefaultWords {
  const { words, resolve, checks: _, ...plain } = defaultServer;
  return { ...plain, ...words, ...resolve };
}

/** The words of `default-server` that differ, as two texts; servers that have them report them too. */
function differingWords(old: DefaultWords, now: DefaultWords): readonly [string | undefined, string | undefined] {
  const before: Readonly<Record<string, unknown>> = { ...old };
  const after: Readonly<Record<string, unknown>> = { ...now };
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const differing = names.filter((name) => valueText(before[name]) !== valueText(after[name]));
  const textOf = (side: Readonly<Record<string, unknown>>): string | undefined =>
    differing.flatMap((name) => (side[name] === undefined ? [] : [`${name} ${valueText(side[name])}`])).join(", ") ||
    undefined;
  return [textOf(before), textOf(after)];
}

const octal = (mode: number): string => mode.toString(8).padStart(3, "0");

const BIND: SettingTable<BindConfig> = {
  endpoint: null,
  name: setting("name"),
  maxconn: setting("maxconn"),
  backlog: setting("backlog"),
  v6only: flag("v6only"),
  mode: setting("mode", octal),
  uid: setting("uid"),
  gid: setting("gid"),
  id: setting("id"),
  place: null,
};

const STATS_SOCKET: SettingTable<StatsSocket> = {
  endpoint: null,
  mode: setting("mode", octal),
  uid: setting("uid"),
  gid: setting("gid"),
  level: setting("level"),
  exposesListeners: flag("expose-fd listeners"),
  place: null,
};

const HOLD: SettingTable<HoldConfig> = {
  valid: setting("hold valid", formatTimeMs),
  nx: setting("hold nx", formatTimeMs),
  refused: setting("hold refused", formatTimeMs),
  timeout: setting("hold timeout", formatTimeMs),
  other: setting("hold other", formatTimeMs),
  obsolete: setting("hold obsolete", formatTimeMs),
};

const RESOLVERS: SettingTable<ResolversConfig> = {
  name: null,
  nameservers: setting("nameserver"),
  hold: nested(HOLD),
  retries: setting("resolve_retries"),
  resolveTimeoutMs: setting("timeout resolve", formatTimeMs),
  retryTimeoutMs: setting("timeout retry", formatTimeMs),
  payloadBytes: setting("accepted_payload_size"),
  place: null,
};

const STATS_SECTION: SettingTable<StatsSection> = {
  name: null,
  id: null,
  binds: setting("bind"),
  lines: setting("stats", (lines) => lines.map((line) => line.join(" ")).join("; ")),
  place: null,
};

/** The changes between two things that have a table and a place. */
const comparing =
  <T extends { readonly place?: BindConfig["place"] }>(table: SettingTable<T>) =>
  (old: T, now: T): readonly SettingChange[] => {
    const changes: SettingChange[] = [];
    compareSettings(table, old, now, now.place, changes);
    return changes;
  };

export const compareBinds = comparing(BIND);
export const compareStatsSockets = comparing(STATS_SOCKET);
export const compareResolvers = comparing(RESOLVERS);
export const compareStatsSections = comparing(STATS_SECTION);

const GLOBAL: SettingTable<GlobalConfig> = {
  maxconn: setting("maxconn"),
  nbthread: setting("nbthread"),
  statsSockets: null,
  statsTimeoutMs: setting("stats timeout", formatTimeMs),
  statsMaxconn: setting("stats maxconn"),
  hardStopAfterMs: setting("hard-stop-after", formatTimeMs),
  graceMs: setting("grace", formatTimeMs),
  logs: null,
  logTag: setting("log-tag"),
  logHostname: setting("log-send-hostname"),
  spreadChecksPercent: setting("spread-checks"),
  pidFile: setting("pidfile"),
  uid: setting("user"),
  gid: setting("group"),
  chroot: setting("chroot"),
  stateFile: setting("state-file"),
};

/** What a process settles once, at its start. */
const AT_START: ReadonlySet<string> = new Set(["pidfile", "user", "group", "chroot", "state-file"]);

/** The changes of `global`, and whether a running process can take them in. */
export function compareGlobals(old: GlobalConfig, now: GlobalConfig): readonly GlobalChange[] {
  const changes: SettingChange[] = [];
  compareSettings(GLOBAL, old, now, undefined, changes);
  return changes.map((change) => ({ ...change, effect: effectOf(change.name) }));
}

function effectOf(name: string): Effect {
  return AT_START.has(name) ? "needs a restart" : "at once";
}
