// What a keyword is: the one declaration from which reading, suggestions and the reference are made. Control thread.

import { didYouMean } from "../nearest.ts";
import type { WordReader } from "../word-reader.ts";

/**
 * "supported": in effect. "kept": read and checked for form, in effect once the part it configures exists; the file's notice
 * names it. "inert": accepted because it changes nothing here, for a reason that another notice gives. What is not in a table is
 * refused, as unsupported or as unknown.
 */
export type KeywordStatus = "supported" | "kept" | "inert";

export interface Keyword<Target> {
  /** One word, or two: "timeout client". */
  readonly name: string;
  /** Arguments as the reference shows them. */
  readonly args: string;
  /** One or two sentences for the reference: what it does. */
  readonly doc: string;
  /** What holds where it is not given. */
  readonly byDefault?: string;
  readonly status: KeywordStatus;
  /** Reads the arguments after the name and writes to the target. Reports what is wrong and leaves the target as it was. */
  readonly read: (words: WordReader, target: Target) => void;
}

/** Which half of a proxy a keyword belongs to. */
export type ProxySide = "frontend" | "backend" | "both";

export interface ProxyKeyword<Target> extends Keyword<Target> {
  readonly side: ProxySide;
  /** False for what names one section: `bind`, `server`, `id`. */
  readonly inDefaults: boolean;
  /** `no <name>` turns it off. */
  readonly negate?: (target: Target) => void;
  /** Has a meaning in a stats section (mode http) too. */
  readonly inStats?: boolean;
}

/** A table indexed by name. */
export function indexKeywords<K extends { readonly name: string }>(
  ...tables: readonly (readonly K[])[]
): ReadonlyMap<string, K> {
  return new Map(tables.flat().map((keyword) => [keyword.name, keyword]));
}

/** Where a word was looked for in vain. */
export interface LookupPlace {
  /** Ends the sentence "unknown word 'x' ...": "on a 'bind' line". */
  readonly what: string;
  /** Names the tables have, of one word or two. */
  readonly known: Iterable<string>;
  readonly unsupported: ReadonlySet<string>;
  readonly hints: Readonly<Record<string, string>>;
}

/**
 * Refuses a word that no table of this place has: known to HAProxy, or to nobody. `at` is its index on the line; with `length`
 * 2 the word after it is the one in doubt ("option foo").
 */
export function refuseWord(words: WordReader, at: number, length: 1 | 2, place: LookupPlace): void {
  const tokens = words.line.tokens.slice(at, at + length);
  const name = tokens.map((token) => token.text).join(" ");
  const last = tokens.at(-1);
  if (last === undefined) return;
  if (place.unsupported.has(name)) {
    const hint = Object.hasOwn(place.hints, name) ? place.hints[name] : undefined;
    const span = { text: name, column: tokens[0]?.column ?? last.column, length: 0 };
    span.length = last.column + last.length - span.column;
    words.error("unsupported", `'${name}' is known to HAProxy but not supported by Headgate`, span, hint);
    return;
  }
  const prefix = length === 2 ? `${tokens[0]?.text} ` : "";
  const near =
    didYouMean(last.text, lastWords(place.known, prefix)) ??
    didYouMean(last.text, lastWords(place.unsupported, prefix));
  words.error("unknown-keyword", `unknown word '${name}' ${place.what}`, last, near);
}

/** The words that may stand at one position: the first ones, or the second ones after a prefix such as "option ". */
function lastWords(names: Iterable<string>, prefix: string): readonly string[] {
  const words = new Set<string>();
  for (const name of names) {
    if (prefix === "") words.add(name.split(" ")[0] ?? name);
    else if (name.startsWith(prefix)) words.add(name.slice(prefix.length));
  }
  return [...words];
}
