// The filter language of `show sess`, `shutdown sessions` and `evict sessions`: words to a Selector. Filters are combined by "and", which may be written.

import { parseNetwork } from "../base/address.ts";
import { parseSizeBytes, parseTimeMs } from "../base/units.ts";
import { findProxy, type Registry } from "../control/registry.ts";
import { EVERY_SESSION, type Selector } from "../memory/selector.ts";
import { SessionPhase } from "../memory/session-phase.ts";
import { type Found, findTarget } from "./targets.ts";

export const SELECTOR_USAGE: readonly string[] = [
  "   server <b/s>      only those of this server",
  "   backend <b>       only those of this backend",
  "   frontend <f>      only those of this frontend",
  "   from <cidr>       only clients of this network, or with this address",
  "   older <age>       only those accepted at least so long ago, in seconds by default",
  "   idle <time>       only those on which no byte has moved for so long, in seconds by default",
  "   bytes-over <size> only those that passed on more bytes than this",
  "   state <name>      only those in this state: queued, connecting, turn-around, established, half-closed",
];

const STATES: Readonly<Record<string, number>> = {
  queued: SessionPhase.QUEUED,
  connecting: SessionPhase.CONNECTING,
  "turn-around": SessionPhase.TURN_AROUND,
  established: SessionPhase.ESTABLISHED,
  "half-closed": SessionPhase.HALF_CLOSED,
};

const WORDS = ["server", "backend", "frontend", "from", "older", "idle", "bytes-over", "state"] as const;
type Word = (typeof WORDS)[number];

export const isFilterWord = (word: string | undefined): word is Word => WORDS.some((known) => known === word);

/** Collects filters, one after the other. */
export class SelectorWords {
  readonly #registry: Registry;
  readonly #given = new Set<Word>();
  #selector: Selector = EVERY_SESSION;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get selector(): Selector {
    return this.#selector;
  }

  /** No filter was given. */
  get isEmpty(): boolean {
    return this.#given.size === 0;
  }

  /** A name was given, which no management connection has. */
  get isNamed(): boolean {
    const { server, backend, frontend } = this.#selector;
    return Math.max(server, backend, frontend) >= 0;
  }

  /** Takes the filter at `args[at]` with its value: how many words it took, 0 if none stands there, or what is wrong with it. */
  take(args: readonly string[], at: number): Found<number> {
    if (args[at] === "and") {
      if (this.isEmpty || !isFilterWord(args[at + 1])) return { error: "'and' stands between two filters." };
      const next = this.take(args, at + 1);
      return next.error === undefined ? { found: 1 + next.found } : next;
    }
    const word = args[at];
    if (!isFilterWord(word)) return { found: 0 };
    if (this.#given.has(word)) return { error: `'${word}' may be given once.` };
    const value = args[at + 1];
    if (value === undefined) return { error: MISSING[word] };
    const part = this.#read(word, value);
    if (part.error !== undefined) return part;
    this.#given.add(word);
    this.#selector = { ...this.#selector, ...part.found };
    return { found: 2 };
  }

  #read(word: Word, value: string): Found<Partial<Selector>> {
    switch (word) {
      case "server": {
        const target = findTarget(this.#registry, value);
        return target.error !== undefined ? target : { found: { server: target.found.index } };
      }
      case "backend":
      case "frontend": {
        const proxy = findProxy(this.#registry, value, word);
        return proxy === undefined ? { error: `No such ${word}.` } : { found: { [word]: proxy.index } };
      }
      case "from": {
        const from = parseNetwork(value);
        return from === undefined
          ? { error: "Invalid network: an IP address or <address>/<bits>." }
          : { found: { from } };
      }
      case "older":
      case "idle": {
        const time = parseTimeMs(value, "s");
        if (!time.ok) return { error: word === "older" ? "Invalid age." : "Invalid idle time." };
        return { found: { [word === "older" ? "olderMs" : "idleMs"]: time.value } };
      }
      case "bytes-over": {
        const size = parseSizeBytes(value);
        return size.ok ? { found: { bytesOver: size.value } } : { error: `Invalid size: ${size.reason}.` };
      }
      case "state": {
        const phases = Object.hasOwn(STATES, value) ? STATES[value] : undefined;
        if (phases !== undefined) return { found: { phases } };
        return { error: `Unknown state '${value}': ${Object.keys(STATES).join(", ")}.` };
      }
    }
  }
}

const MISSING: Readonly<Record<Word, string>> = {
  server: "Missing server name (<backend>/<server>).",
  backend: "Missing backend name.",
  frontend: "Missing frontend name.",
  from: "Missing network (<address>[/<bits>]).",
  older: "Expects a minimum age (in seconds by default).",
  idle: "Expects a minimum idle time (in seconds by default).",
  "bytes-over": "Expects a size in bytes.",
  state: "Missing state name.",
};

export const NO_FILTER = `Which sessions? At least one filter is needed: ${WORDS.join(", ")}.`;

/** A selector of nothing but filters; at least one. */
export function parseSelector(registry: Registry, args: readonly string[]): Found<Selector> {
  const words = new SelectorWords(registry);
  for (let at = 0; at < args.length; ) {
    const taken = words.take(args, at);
    if (taken.error !== undefined) return taken;
    if (taken.found === 0) return { error: `Unknown filter '${args[at]}' (known: ${WORDS.join(", ")}).` };
    at += taken.found;
  }
  if (words.isEmpty) return { error: NO_FILTER };
  return { found: words.selector };
}
