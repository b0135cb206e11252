// `bind` and `stats socket` lines: the addresses first, then the words that go with them. Control thread.

import { LISTENERS_MAX } from "../base/limits.ts";
import { parseAddress } from "./address.ts";
import type { BindDraft, BindEntry, LoadContext } from "./drafts.ts";
import { BIND_TABLE, STATS_SOCKET_TABLE } from "./keywords/bind.ts";
import { type Keyword, refuseWord } from "./keywords/keyword.ts";
import { BIND_HINTS, UNSUPPORTED_BIND_WORDS } from "./keywords/known-unsupported.ts";
import type { Endpoint, StatsSocket } from "./model.ts";
import type { Token } from "./tokenize.ts";
import type { WordReader } from "./word-reader.ts";

const ADDRESS = "<address>:<port>[,...] or a socket path";

/** HAProxy takes the same words on both kinds of line; what only the other kind has here is unsupported, not unknown. */
const UNSUPPORTED_WORDS: ReadonlySet<string> = new Set([
  ...UNSUPPORTED_BIND_WORDS,
  ...BIND_TABLE.keys(),
  ...STATS_SOCKET_TABLE.keys(),
]);

/** Reads what follows `bind`. Each port of a range and each address of a list is an entry of its own. */
export function readBindLine(words: WordReader, context: LoadContext): readonly BindEntry[] {
  const addresses = words.word(ADDRESS);
  if (addresses === undefined) return [];
  const endpoints = readAddressList(words, addresses, context);
  const options = readOptions(words, BIND_TABLE, "on a 'bind' line", context);
  if (endpoints === undefined || options === undefined) return [];
  const place = words.place();
  return endpoints.map((endpoint) => ({
    config: {
      endpoint,
      ...(options.name === undefined ? {} : { name: options.name }),
      maxconn: options.maxconn,
      backlog: options.backlog,
      v6only: options.v6only && endpoint.kind === "inet" && endpoint.family === "ipv6",
      ...ownerOf(options),
      ...(options.id === undefined ? {} : { id: options.id }),
      place,
    },
    span: words.spanOf(addresses),
    ...(options.idSpan === undefined ? {} : { idSpan: options.idSpan }),
  }));
}

/** Reads what follows `stats socket`. A range or a list gives several sockets. */
export function readStatsSocket(words: WordReader, context: LoadContext): readonly StatsSocket[] {
  const addresses = words.word(ADDRESS);
  if (addresses === undefined) return [];
  const endpoints = readAddressList(words, addresses, context);
  const options = readOptions(words, STATS_SOCKET_TABLE, "on a 'stats socket' line", context);
  if (endpoints === undefined || options === undefined) return [];
  const place = words.place();
  return endpoints.map((endpoint) => ({
    endpoint,
    ...ownerOf(options),
    level: options.level ?? "operator",
    ...(options.exposesListeners ? { exposesListeners: true } : {}),
    place,
  }));
}

function ownerOf(options: BindDraft): Pick<StatsSocket, "mode" | "uid" | "gid"> {
  return {
    ...(options.mode === undefined ? {} : { mode: options.mode }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  };
}

function readAddressList(words: WordReader, token: Token, context: LoadContext): readonly Endpoint[] | undefined {
  const endpoints: Endpoint[] = [];
  let ok = true;
  let column = token.column;
  // Columns inside the word are exact only where it was written without quotes and escapes.
  const isPlain = token.length === token.text.length;
  for (const part of token.text.split(",")) {
    const result = parseAddress(part, { port: "range" }, context.env);
    if (result.ok) {
      for (const endpoint of portsOf(result.address.endpoint, result.address.lastPort)) endpoints.push(endpoint);
      // Here and not only in validate.ts: a line of ranges could ask for hundreds of millions.
      if (endpoints.length > LISTENERS_MAX) {
        words.error("too-many", `'${words.keyword}': more than ${LISTENERS_MAX} addresses on one line`, token);
        return undefined;
      }
    } else {
      const at = isPlain ? { text: part, column, length: part.length } : token;
      words.error(result.code, `'${words.keyword}': ${result.message}`, at);
      ok = false;
    }
    column += part.length + 1;
  }
  return ok ? endpoints : undefined;
}

function portsOf(endpoint: Endpoint, lastPort: number): readonly Endpoint[] {
  if (endpoint.kind !== "inet") return [endpoint];
  const count = lastPort - endpoint.port + 1;
  return Array.from({ length: count }, (_, i) => ({ ...endpoint, port: endpoint.port + i }));
}

/** Reads option words to the line's end; undefined if any was wrong. */
function readOptions(
  words: WordReader,
  table: ReadonlyMap<string, Keyword<BindDraft>>,
  what: string,
  context: LoadContext,
): BindDraft | undefined {
  const line = words.keyword;
  const draft: BindDraft = { context, maxconn: 0, backlog: 0, v6only: false };
  for (let token = words.take(); token !== undefined; token = words.take()) {
    const keyword = table.get(token.text);
    if (keyword === undefined) {
      refuseWord(words, words.position - 1, 1, {
        what,
        known: table.keys(),
        unsupported: UNSUPPORTED_WORDS,
        hints: BIND_HINTS,
      });
      words.rest();
      words.keyword = line;
      return undefined;
    }
    words.keyword = token.text;
    keyword.read(words, draft);
  }
  words.keyword = line;
  return draft;
}
