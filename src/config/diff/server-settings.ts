// The settings of a server and how they are compared; which server is the same one. Pure; any thread.

import { formatTimeMs } from "../../base/units.ts";
import type { ProtocolTemplate } from "../checks/protocol.ts";
import type { AgentConfig, CheckConfig, CheckTls, HealthPolicy } from "../health-model.ts";
import type { Endpoint, ProxyConfig, ServerConfig } from "../model.ts";
import type { ServerResolution } from "../resolvers-model.ts";
import type { SettingChange } from "./model.ts";
import { sameValue } from "./same-value.ts";
import { SESSION_SETTINGS, SESSION_SETTINGS_OF_SECTION } from "./session-settings.ts";
import { changeOf, compareSettings, flag, nested, type SettingTable, setting } from "./settings.ts";
import { markedDownText, protocolText, removalText } from "./value-text.ts";

/** A key that two endpoints share if they are the same. */
export function endpointKey(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix ${endpoint.path}`;
  if (endpoint.kind === "abns") return `abns ${endpoint.name}`;
  return `${endpoint.family} ${endpoint.host.toLowerCase()} ${endpoint.port}`;
}

/** Whether two servers of one name are the same. */
export function sameEndpoint(a: ServerConfig, b: ServerConfig): boolean {
  if (a.portKind !== b.portKind) return false;
  const [one, other] = [a.endpoint, b.endpoint];
  if (one.kind !== "inet" || other.kind !== "inet") return endpointKey(one) === endpointKey(other);
  if (one.port !== other.port || one.family !== other.family) return false;
  // Names of hosts are the same in either case.
  return one.host === other.host || one.host.toLowerCase() === other.host.toLowerCase();
}

const TLS: SettingTable<CheckTls> = {
  verify: setting("verify", (verify) => (verify ? "required" : "none")),
  verifyHost: setting("verifyhost"),
  caFile: setting("ca-file"),
  crtFile: setting("crt"),
  sni: setting("check-sni"),
  alpn: setting("check-alpn", (names) => (names.length === 0 ? undefined : names.join(","))),
};

const CHECK: SettingTable<CheckConfig> = {
  addr: setting("addr"),
  port: setting("port"),
  interMs: setting("inter", formatTimeMs),
  fastInterMs: setting("fastinter", formatTimeMs),
  downInterMs: setting("downinter", formatTimeMs),
  rise: setting("rise"),
  fall: setting("fall"),
  // The section's, and reported there.
  timeoutMs: null,
  connectTimeoutMs: null,
  sendProxy: flag("check-send-proxy"),
  tls: nested(
    TLS,
    setting("check-ssl", () => "on"),
  ),
  // The section's for the most part: `serverComparison` looks at it.
  protocol: null,
  initState: setting("init-state"),
};

const AGENT: SettingTable<AgentConfig> = {
  addr: setting("agent-addr"),
  port: setting("agent-port"),
  interMs: setting("agent-inter", formatTimeMs),
  send: setting("agent-send", (text) => JSON.stringify(text)),
};

const POLICY: SettingTable<HealthPolicy> = {
  onMarkedDown: setting("on-marked-down", markedDownText),
  onMarkedUpShutdownBackupSessions: setting("on-marked-up", (on) => (on ? "shutdown-backup-sessions" : undefined)),
  cutGuardPercent: setting("cut-guard"),
  slowStartMs: setting("slowstart", formatTimeMs),
  observe: setting("observe", ({ errorLimit, onError }) => `layer4 error-limit ${errorLimit} on-error ${onError}`),
  sessions: nested(SESSION_SETTINGS),
  onRemoved: setting("on-removed", removalText),
  track: setting("track", ({ backend, server }) => `${backend}/${server}`),
};

const list = (words: readonly string[]): string | undefined => (words.length === 0 ? undefined : words.join(","));

const RESOLUTION: SettingTable<ServerResolution> = {
  resolvers: setting("resolvers"),
  prefer: setting("resolve-prefer"),
  networks: setting("resolve-net", list),
  allowDuplicates: setting("resolve-opts allow-dup-ip", (on) => (on ? "on" : undefined)),
  ignoreWeight: setting("resolve-opts ignore-weight", (on) => (on ? "on" : undefined)),
  initAddr: setting("init-addr", list),
};

const SERVER: SettingTable<ServerConfig> = {
  name: null,
  // Given out by position; `serverComparison` looks at forced ones.
  id: null,
  idForced: null,
  endpoint: null,
  portKind: null,
  weight: setting("weight"),
  maxconn: setting("maxconn"),
  backup: flag("backup"),
  disabled: flag("disabled"),
  resolution: nested(
    RESOLUTION,
    setting("resolvers", ({ resolvers }) => resolvers ?? "none"),
  ),
  onAddressChange: setting("resolve-opts on-address-change"),
  health: nested(
    CHECK,
    setting("check", () => "on"),
  ),
  agent: nested(
    AGENT,
    setting("agent-check", () => "on"),
  ),
  policy: nested(POLICY),
  place: null,
};

/** What servers have from their section, where the change is reported, as the text of the server's setting. */
const INHERITED: Readonly<Record<string, (proxy: ProxyConfig) => string | undefined>> = {
  "cut-guard": (proxy) => String(proxy.defaultServer.checks.cutGuardPercent ?? 0),
  ...SESSION_SETTINGS_OF_SECTION,
  "on-removed": (proxy) => removalText(proxy.onRemoved ?? { kind: "keep" }),
};

type CompareServers = (old: ServerConfig, now: ServerConfig) => readonly SettingChange[];

/** Compares servers of one name and endpoint. What they share is looked at once for the section: it has thousands perhaps. */
export function serverComparison(old: ProxyConfig, now: ProxyConfig): CompareServers {
  const sections = Object.entries(INHERITED).map(([name, read]) => ({ name, old: read(old), new: read(now) }));
  const inherited = sections.filter((section) => section.old !== section.new);
  const isInherited = (change: SettingChange): boolean =>
    inherited.some(({ name, old, new: now }) => name === change.name && old === change.old && now === change.new);
  const template = now.defaultServer.checks.protocol;
  const looksAtRules = connectsOverTls(template) && sameValue(old.defaultServer.checks.protocol, template);
  return (before, after) => {
    const changes: SettingChange[] = [];
    compareSettings(SERVER, before, after, after.place, changes);
    if (before.id !== after.id && (before.idForced || after.idForced)) {
      changes.push(changeOf("id", String(before.id), String(after.id), after.place));
    }
    if (looksAtRules) compareProtocols(before, after, changes);
    return inherited.length === 0 ? changes : changes.filter((change) => !isInherited(change));
  };
}

/** Whether there are rules that depend on a server's own words. */
function connectsOverTls(protocol: ProtocolTemplate): boolean {
  if (protocol.kind !== "http" && protocol.kind !== "tcp-check") return false;
  return protocol.steps.some((step) => step.kind === "connect" && (step.isDefault || step.ssl));
}

/** With the section's check the same, a server's own TLS words can still change the connections of its rules. */
function compareProtocols(old: ServerConfig, now: ServerConfig, changes: SettingChange[]): void {
  const before = old.health?.protocol;
  const after = now.health?.protocol;
  if (before === undefined || after === undefined || sameValue(before, after)) return;
  changes.push(changeOf("check rules", protocolText(before), protocolText(after), now.place));
}
