// Which values of the running process are not those of its configuration, because an operator or an agent changed them; and which of
// them a new configuration overrules: where it says something else than the old one did. Reads only; control thread.

import { isIP } from "node:net";
import type { Steps } from "../../../base/turns.ts";
import { formatEndpoint } from "../../../config/address.ts";
import { endpointKey } from "../../../config/diff/server-settings.ts";
import type { Config, ProxyConfig, ServerConfig } from "../../../config/model.ts";
import { W_MAXCONN } from "../../../memory/control-words.ts";
import { P_FRONT_MAXCONN, PROXY_WORDS } from "../../../memory/proxy-row.ts";
import { AdminState, SERVER_WORDS, V_ADMIN, V_MAXCONN, V_WEIGHT } from "../../../memory/server-row.ts";
import type { SharedMemory } from "../../../memory/shared-memory.ts";
import { frontendLimit } from "../../build-registry.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../../registry.ts";
import type { Match } from "../match.ts";
import type { RuntimeValue } from "./model.ts";

/** What a setting is at runtime, was in the old file, and is in the new one. */
export interface ValueStory {
  readonly setting: string;
  readonly runtime: string;
  readonly old: string;
  readonly new: string;
}

/** What becomes of values that were changed at runtime, as a plan and a receipt have them. */
export interface RuntimeValues {
  readonly overruled: readonly RuntimeValue[];
  readonly staying: readonly RuntimeValue[];
}

/** In what stays, and in servers whose name goes to one with another address. To be asked before anything of it changes. */
export function* runtimeValues(memory: SharedMemory, { proxies }: Match, limits: ProcessLimits): Steps<RuntimeValues> {
  const values: Sorted = { overruled: [], staying: [] };
  sortStories("global", processStories(memory, limits), values);
  for (const { config: now, entry: proxy, servers, others } of proxies) {
    yield;
    if (proxy === undefined) continue;
    if (proxy.isFrontend) sortStories(`${now.kind} ${now.name}`, frontendStories(memory, proxy, now, limits), values);
    for (const { entry, config } of servers) {
      // Most are as their lines say, and there may be very many.
      if (entry === undefined || (entry.leaving === undefined && isAsConfigured(memory, entry))) continue;
      sortStories(`${now.name}/${config.name}`, serverStories(memory, entry, config), values);
    }
    if (others.length === 0) continue;
    const successors = new Map(servers.map(({ config }) => [config.name, config]));
    for (const server of others) {
      const successor = successors.get(server.config.name);
      if (successor === undefined || server.leaving !== undefined) continue;
      const of = `${now.name}/${server.name}`;
      sortStories(of, withKept(of, serverStories(memory, server, successor), values.staying), values, true);
    }
  }
  return values;
}

/** The server that takes the name may be one that left before and comes back, with what operators set on it. */
const withKept = (of: string, stories: readonly ValueStory[], staying: readonly RuntimeValue[]): ValueStory[] =>
  stories.map((story) => {
    const kept = staying.find((value) => value.of === of && value.setting === story.setting);
    return kept === undefined ? story : { ...story, new: kept.runtime };
  });

/** Where stories go. */
interface Sorted {
  readonly overruled: RuntimeValue[];
  readonly staying: RuntimeValue[];
}

/** Sorts the stories of one thing; those that nobody changed at runtime, and those that the file now agrees with, are none. */
function sortStories(of: string, stories: readonly ValueStory[], values: Sorted, isReaddressed = false): void {
  for (const { setting, runtime, old, new: file } of stories) {
    if (runtime === old || runtime === file) continue;
    const stays = old === file && !isReaddressed;
    (stays ? values.staying : values.overruled).push({ of, setting, runtime, file, isReaddressed });
  }
}

/** `now`: the same server in the new configuration, or the one that takes its name. */
export function serverStories(memory: SharedMemory, server: ServerEntry, now: ServerConfig): readonly ValueStory[] {
  const row = server.index * SERVER_WORDS;
  const table = memory.serversI32;
  const old = server.config;
  return [
    { setting: "state", runtime: adminText(table[row + V_ADMIN]), old: fileState(old), new: fileState(now) },
    { setting: "weight", runtime: `${table[row + V_WEIGHT]}`, old: `${old.weight}`, new: `${now.weight}` },
    { setting: "maxconn", runtime: `${table[row + V_MAXCONN]}`, old: `${old.maxconn}`, new: `${now.maxconn}` },
    ...addressStory(server, now),
  ];
}

/** Nobody changed it at runtime, as far as that shows at a glance. */
function isAsConfigured({ serversI32: table }: SharedMemory, { index, config, host, port }: ServerEntry): boolean {
  const { endpoint } = config;
  const row = index * SERVER_WORDS;
  return (
    table[row + V_WEIGHT] === config.weight &&
    table[row + V_MAXCONN] === config.maxconn &&
    adminText(table[row + V_ADMIN]) === fileState(config) &&
    (endpoint.kind !== "inet" || (endpoint.host === host && endpoint.port === port))
  );
}

/** A server's administrative state, as an operator asks for it. */
export function adminText(admin: number): "maint" | "drain" | "ready" {
  if ((admin & AdminState.FORCED_MAINT) !== 0) return "maint";
  return (admin & AdminState.FORCED_DRAIN) !== 0 ? "drain" : "ready";
}

const fileState = ({ disabled }: ServerConfig): string => (disabled ? "maint" : "ready");

/** Only where the file has an address itself: names and services are looked up, which is no operator's doing. */
function addressStory(server: ServerEntry, now: ServerConfig): readonly ValueStory[] {
  const { endpoint } = server.config;
  if (endpoint.kind !== "inet" || isIP(endpoint.host) === 0 || server.mapsPort || server.fqdn !== undefined) return [];
  const runtime = formatEndpoint({ ...endpoint, host: server.host, port: server.port });
  return [{ setting: "address", runtime, old: formatEndpoint(endpoint), new: formatEndpoint(now.endpoint) }];
}

/** The limit of the process before and after a reload. */
export interface ProcessLimits {
  readonly old: number;
  readonly new: number;
}

/** `-n` of the command line, where it is in force, outdoes the file; without either the limit stays as it was at the start. */
export function processLimits(
  { config: { global }, maxconn }: Pick<Registry, "config" | "maxconn">,
  now: Config,
): ProcessLimits {
  const isFixed = global.maxconn !== undefined && global.maxconn !== maxconn;
  return { old: maxconn, new: isFixed ? maxconn : (now.global.maxconn ?? maxconn) };
}

/** Limit and state of a frontend. */
function frontendStories(
  memory: SharedMemory,
  proxy: ProxyEntry,
  now: ProxyConfig,
  limits: ProcessLimits,
): readonly ValueStory[] {
  const runtime = `${memory.proxiesI32[proxy.index * PROXY_WORDS + P_FRONT_MAXCONN]}`;
  const old = frontendLimit(proxy.config, limits.old);
  const shut = shutStory(proxy, now);
  const state = shut !== undefined ? "shut down" : proxy.paused ? "disabled" : "enabled";
  const stateOf = ({ disabled }: ProxyConfig): string => (disabled ? "disabled" : "enabled");
  return [
    { setting: "maxconn", runtime, old: `${old}`, new: `${frontendLimit(now, limits.new)}` },
    {
      setting: "state",
      runtime: proxy.config.disabled ? "disabled" : state,
      old: stateOf(proxy.config),
      new: shut === "ends" && !now.disabled ? "other addresses" : stateOf(now),
    },
  ];
}

/** A frontend that an operator shut down stays so for as long as the file says the same about where it listens; undefined: it is not shut. */
export function shutStory(proxy: ProxyEntry, now: ProxyConfig): "stays" | "ends" | undefined {
  if (!proxy.stopped || proxy.leaving !== undefined || proxy.config.disabled) return undefined;
  const keysOf = ({ binds, disabled }: ProxyConfig): string =>
    [disabled, ...binds.map(({ endpoint, v6only }) => `${endpointKey(endpoint)} ${v6only}`)].join();
  return keysOf(proxy.config) === keysOf(now) ? "stays" : "ends";
}

/** The limit of the process, where `set maxconn global` changed it. */
function processStories(memory: SharedMemory, limits: ProcessLimits): readonly ValueStory[] {
  return [{ setting: "maxconn", runtime: `${memory.words[W_MAXCONN]}`, old: `${limits.old}`, new: `${limits.new}` }];
}
