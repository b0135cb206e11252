// What operators changed of frontends and of the process as lines of Headgate's own state file. Pure but for what it reads of the tables.

import { W_MAXCONN } from "../../memory/control-words.ts";
import { P_FRONT_MAXCONN, PROXY_WORDS } from "../../memory/proxy-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import { frontendLimit } from "../build-registry.ts";
import type { ProxyEntry, Registry } from "../registry.ts";
import { encodeTexts, numberOf, ownLine, type Words } from "./own-lines.ts";

/** A limit of sessions that an operator set, and the configuration's at that time. */
export interface OwnLimit {
  readonly value: number;
  readonly configured: number;
}

export interface OwnFrontend {
  readonly name: string;
  /** `disable frontend`. */
  readonly paused: boolean;
  /** `shutdown frontend`, and where it listened by its configuration. */
  readonly shutAt?: string;
  readonly maxconn?: OwnLimit;
}

/** Where a frontend listens, as its configuration says it. */
export const configuredBinds = ({ config }: ProxyEntry): string =>
  encodeTexts(config.binds.map(({ endpoint }) => JSON.stringify(endpoint)));

/** Undefined where all is as configured. `isEnding`: an orderly end, after which what was shut down is open again. */
export function frontendLine(
  memory: SharedMemory,
  registry: Registry,
  proxy: ProxyEntry,
  isEnding: boolean,
): string | undefined {
  if (!proxy.isFrontend || proxy.config.disabled || proxy.leaving !== undefined) return undefined;
  const configured = frontendLimit(proxy.config, registry.maxconn);
  const maxconn = memory.proxiesI32[proxy.index * PROXY_WORDS + P_FRONT_MAXCONN];
  const words: Record<string, string | number> = {
    ...(proxy.paused && !proxy.lendsPorts ? { paused: 1 } : {}),
    ...(proxy.stopped && !isEnding ? { "shut-at": configuredBinds(proxy) } : {}),
    ...(maxconn === configured ? {} : { maxconn, "configured-maxconn": configured }),
  };
  return Object.keys(words).length === 0 ? undefined : ownLine("frontend", [proxy.name], words);
}

/** Undefined where all is as configured. */
export function processLine(memory: SharedMemory, { maxconn: configured }: Registry): string | undefined {
  const maxconn = memory.words[W_MAXCONN];
  return maxconn === configured ? undefined : ownLine("process", [], { maxconn, "configured-maxconn": configured });
}

/** Undefined where the line is none of `frontendLine`. */
export function readFrontend([name = ""]: readonly string[], words: Words): OwnFrontend | undefined {
  const maxconn = readLimit(words);
  const shutAt = words.get("shut-at");
  if (name === "" || maxconn === null) return undefined;
  return {
    name,
    paused: words.get("paused") === "1",
    ...(shutAt === undefined ? {} : { shutAt }),
    ...(maxconn === undefined ? {} : { maxconn }),
  };
}

/** Undefined where the words have none, null where it is none. */
export function readLimit(words: Words): OwnLimit | undefined | null {
  if (!words.has("maxconn")) return undefined;
  const limit = { value: numberOf(words, "maxconn"), configured: numberOf(words, "configured-maxconn") };
  return Number.isNaN(limit.value) || Number.isNaN(limit.configured) ? null : limit;
}
