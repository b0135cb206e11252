// The words behind `evict server <b>/<s>` and `evict sessions`. Times need their unit: a command that cuts sessions does not guess.

import { parseTimeMs } from "../base/units.ts";
import { EVICT_NOW, type EvictionOrder, type EvictionRequest } from "../control/reconcile/eviction.ts";
import type { Registry } from "../control/registry.ts";
import type { Selector } from "../memory/selector.ts";
import { isFilterWord, NO_FILTER, SelectorWords } from "./selector-words.ts";
import type { Found } from "./targets.ts";

export interface EvictWords {
  readonly request: EvictionRequest;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export const EVICT_USAGE =
  "evict server <b>/<s> [drain <time>] [idle <time>] [over <time> | rate <n>] [order idle|oldest|random] " +
  "[deadline <time>] [client fin|rst] [dry-run] [delete] [destroy-foreign] [json]";

export const EVICT_SESSIONS_USAGE =
  "evict sessions <filter> [and <filter>]* [drain <time>] [idle <time>] [over <time> | rate <n>] [order idle|oldest|random] " +
  "[deadline <time>] [client fin|rst] [dry-run] [json]";

const RATE_MAX = 1_000_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What `evict sessions` was asked for. */
export interface EvictSessionsWords extends EvictWords {
  readonly selector: Selector;
  /** The filters as they were given, with "and" between them. */
  readonly filter: string;
}

/**
 * Reads filters, then options. `idle` is both: the filter where only a filter can stand, as the first word or behind "and", and the
 * option everywhere else.
 */
export function parseEvictSessions(registry: Registry, args: readonly string[]): Found<EvictSessionsWords> {
  const filters = new SelectorWords(registry);
  const given: string[] = [];
  let at = 0;
  while (at < args.length && !(args[at] === "idle" && at > 0)) {
    const taken = filters.take(args, at);
    if (taken.error !== undefined) return taken;
    if (taken.found === 0) break;
    given.push(
      args
        .slice(at, at + taken.found)
        .join(" ")
        .replace(/^and /, ""),
    );
    at += taken.found;
  }
  if (filters.isEmpty) return { error: `${NO_FILTER} Usage: ${EVICT_SESSIONS_USAGE}` };
  const misplaced = args.slice(at).find((word) => isFilterWord(word) && word !== "idle");
  if (misplaced !== undefined) return { error: `Filters come before options: '${misplaced}'.` };
  const words = parseEvictWords(args.slice(at), EVICT_SESSIONS_USAGE);
  if (words.error !== undefined) return words;
  const { request } = words.found;
  if (request.deleteServer || request.destroyForeign) {
    return { error: "'delete' and 'destroy-foreign' are for 'evict server'." };
  }
  return { found: { ...words.found, selector: filters.selector, filter: given.join(" and ") } };
}

/** Reads the options; each may stand once, in any order. */
export function parseEvictWords(args: readonly string[], usage = EVICT_USAGE): Found<EvictWords> {
  const request: Mutable<EvictionRequest> = { ...EVICT_NOW };
  const given = new Set<string>();
  for (let at = 0; at < args.length; ) {
    const word = args[at]!;
    if (given.has(word)) return { error: `'${word}' may be given once.` };
    given.add(word);
    if (FLAGS.has(word)) {
      at += 1;
      continue;
    }
    const read = Object.hasOwn(VALUES, word) ? VALUES[word] : undefined;
    if (read === undefined) return { error: `Unknown word '${word}'. Usage: ${usage}` };
    const error = read(request, args[at + 1]);
    if (error !== undefined) return { error };
    at += 2;
  }
  request.deleteServer = given.has("delete");
  request.destroyForeign = given.has("destroy-foreign");
  const error = contradiction(request);
  if (error !== undefined) return { error };
  return { found: { request, dryRun: given.has("dry-run"), json: given.has("json") } };
}

const FLAGS: ReadonlySet<string> = new Set(["dry-run", "delete", "destroy-foreign", "json"]);

type Reader = (request: Mutable<EvictionRequest>, value: string | undefined) => string | undefined;

const time =
  (word: "drain" | "idle" | "over" | "deadline"): Reader =>
  (request, value) => {
    if (value === undefined || !/^(\d+[a-z]+|0)$/.test(value))
      return `'${word}' expects a time with its unit, such as 30s.`;
    const read = parseTimeMs(value);
    if (!read.ok) return `'${word}': ${read.reason}.`;
    if (read.value === 0 && word !== "drain" && word !== "deadline") return `'${word}' expects a time above 0.`;
    request[`${word}Ms`] = read.value;
    return undefined;
  };

const ORDERS: readonly EvictionOrder[] = ["idle", "oldest", "random"];

const VALUES: Readonly<Record<string, Reader>> = {
  drain: time("drain"),
  idle: time("idle"),
  over: time("over"),
  deadline: time("deadline"),
  rate: (request, value) => {
    const rate = /^\d{1,7}$/.test(value ?? "") ? Number(value) : 0;
    if (rate < 1 || rate > RATE_MAX) return `'rate' expects a number of sessions a second from 1 to ${RATE_MAX}.`;
    request.ratePerSecond = rate;
    return undefined;
  },
  order: (request, value) => {
    const order = ORDERS.find((known) => known === value);
    if (order === undefined) return "'order' expects 'idle', 'oldest' or 'random'.";
    request.order = order;
    return undefined;
  },
  client: (request, value) => {
    if (value !== "fin" && value !== "rst") return "'client' expects 'fin' or 'rst'.";
    request.resetClients = value === "rst";
    return undefined;
  },
};

function contradiction(request: EvictionRequest): string | undefined {
  const { overMs, ratePerSecond, drainMs, deadlineMs } = request;
  if (overMs > 0 && ratePerSecond > 0) return "'over' and 'rate' say the same thing in two ways: give one of them.";
  if (deadlineMs !== undefined && deadlineMs < drainMs) return "The deadline is before the end of the drain.";
  return undefined;
}
