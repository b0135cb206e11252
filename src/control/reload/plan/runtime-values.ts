// Which values of the running process are not those of its configuration, because an operator or an agent changed them; and which of
// them a new configuration overrules: where it says something else than the old one did. Reads only; control thread.

import { isIP } from "node:net";
import { formatEndpoint } from "../../../config/address.ts";
import type { Config, ProxyConfig, ServerConfig } from "../../../config/model.ts";
import { W_MAXCONN } from "../../../memory/control-words.ts";
import { P_FRONT_MAXCONN, PROXY_WORDS } from "../../../memory/proxy-row.ts";
import { AdminState, SERVER_WORDS, V_ADMIN, V_MAXCONN, V_WEIGHT } from "../../../memory/server-row.ts";
import type { SharedMemory } from "../../../memory/shared-memory.ts";
import type { ProxyEntry, ServerEntry } from "../../registry.ts";
import type { RuntimeValue } from "./model.ts";

/** What a setting is at runtime, was in the old file, and is in the new one. */
export interface ValueStory {
  readonly setting: string;
  readonly runtime: string;
  readonly old: string;
  readonly new: string;
}

/** Where runtime values go: `overruled` by the file, or `staying`. */
export interface RuntimeValues {
  readonly overruled: RuntimeValue[];
  readonly staying: RuntimeValue[];
}

/** Sorts the stories of one thing; those that nobody changed at runtime, and those that the file now agrees with, are none. */
export function sortStories(
  of: string,
  stories: readonly ValueStory[],
  values: RuntimeValues,
  isReaddressed = false,
): void {
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

/** The limit of the process by its configuration. `-n` of the command line, or what the file limit allows, is how many rows there are. */
const processLimit = (memory: SharedMemory, { global }: Config): number =>
  Math.min(global.maxconn ?? memory.rowsPerThread, memory.rowsPerThread);

/** The limit in force as text; one that `-n` gave is not the file's, but nobody changed it at runtime either. */
const limitText = (memory: SharedMemory, inForce: number, old: number): string =>
  `${inForce === memory.rowsPerThread ? old : inForce}`;

/** Limit and state of a frontend. */
export function frontendStories(
  memory: SharedMemory,
  proxy: ProxyEntry,
  now: ProxyConfig,
  configs: { readonly old: Config; readonly new: Config },
): readonly ValueStory[] {
  const limitOf = (config: Config, { maxconn = Number.POSITIVE_INFINITY }: ProxyConfig): number =>
    Math.min(maxconn, processLimit(memory, config));
  const old = limitOf(configs.old, proxy.config);
  const runtime = limitText(memory, memory.proxiesI32[proxy.index * PROXY_WORDS + P_FRONT_MAXCONN], old);
  const state = proxy.stopped ? "shut down" : proxy.paused ? "disabled" : "enabled";
  const stateOf = ({ disabled }: ProxyConfig): string => (disabled ? "disabled" : "enabled");
  return [
    { setting: "maxconn", runtime, old: `${old}`, new: `${limitOf(configs.new, now)}` },
    {
      setting: "state",
      runtime: proxy.config.disabled ? "disabled" : state,
      old: stateOf(proxy.config),
      new: stateOf(now),
    },
  ];
}

/** The limit of the process, where `set maxconn global` changed it. */
export function processStories(memory: SharedMemory, old: Config, now: Config): readonly ValueStory[] {
  const before = processLimit(memory, old);
  const runtime = limitText(memory, memory.words[W_MAXCONN], before);
  return [{ setting: "maxconn", runtime, old: `${before}`, new: `${processLimit(memory, now)}` }];
}
