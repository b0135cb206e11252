// `server-template <prefix> <number | range> <name>[:<port>] [<server words>]`: several servers from one line. Control thread.

import { SERVERS_MAX } from "../base/limits.ts";
import type { LoadContext, ServerEntry } from "./drafts.ts";
import type { ServerSettings } from "./model.ts";
import { readServerRest, refuseBadName } from "./server-line.ts";
import type { Token } from "./tokenize.ts";
import type { WordReader } from "./word-reader.ts";

/** Reads what follows `server-template`; none after an error. */
export function readServerTemplate(
  words: WordReader,
  base: ServerSettings,
  context: LoadContext,
): readonly ServerEntry[] {
  const prefix = words.word("<prefix> <number or range> <name>:<port>");
  const count = prefix === undefined ? undefined : words.word("<number or range> <name>:<port>");
  if (prefix === undefined || count === undefined) return [];
  refuseBadName(words, prefix);
  const range = rangeOf(count);
  if (range === undefined) {
    const hint = "write 3 for 1 to 3, or 5-8";
    const message = `'server-template' expects a number or a range of at most ${SERVERS_MAX} servers, not '${count.text}'`;
    words.error("out-of-range", message, count, hint);
  }
  const server = readServerRest(words, prefix, base, context);
  if (server === undefined || range === undefined) return [];
  const [first, last] = range;
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const { id, idSpan, ...common } = server;
    // A number given to the line is the first one's.
    const own = index === 0 && id !== undefined ? { id, idSpan } : {};
    return { ...common, ...own, name: `${prefix.text}${first + index}` };
  });
}

function rangeOf({ text }: Token): readonly [first: number, last: number] | undefined {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  const first = match[2] === undefined ? 1 : Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return last < first || last - first >= SERVERS_MAX ? undefined : [first, last];
}
