// `server` and `default-server` lines, and the words of the Runtime API's `add server`: one reader for all. Control thread.

import { type AddressResult, parseAddress } from "./address.ts";
import { healthProblems, resolveHealth } from "./checks/resolve-health.ts";
import { DiagnosticList, type SourceLine } from "./diagnostics.ts";
import { type LoadContext, newServerDraft, type ServerDraft, type ServerEntry, settingsOf } from "./drafts.ts";
import { refuseWord } from "./keywords/keyword.ts";
import { SERVER_HINTS, UNSUPPORTED_SERVER_WORDS } from "./keywords/known-unsupported.ts";
import { SERVER_TABLE } from "./keywords/server.ts";
import type { Endpoint, ServerConfig, ServerSettings, ServerTemplate } from "./model.ts";
import { invalidNameCharacter } from "./names.ts";
import { nearestWord } from "./nearest.ts";
import { isServiceName } from "./resolvers-model.ts";
import type { Token } from "./tokenize.ts";
import { WordReader } from "./word-reader.ts";

/** Reads what follows `server`; undefined after an error. `like`: the settings of the server before, which may be the same. */
export function readServerLine(
  words: WordReader,
  base: ServerSettings,
  context: LoadContext,
  like?: ServerSettings,
): ServerEntry | undefined {
  const name = words.word("<name> <address>");
  if (name === undefined) return undefined;
  refuseBadName(words, name);
  return readServerRest(words, name, base, context, like);
}

/** Reports a character that the name of a server, or the beginning of it, must not have. */
export function refuseBadName(words: WordReader, name: Token): void {
  const bad = invalidNameCharacter(name.text);
  if (bad === undefined) return;
  const hint = "allowed are letters, digits and . : - _";
  words.error("bad-name", `'${bad}' is not allowed in the name of a server`, name, hint);
}

/** Reads address and words; undefined after an error. `name`: the server's, or a template's prefix. */
export function readServerRest(
  words: WordReader,
  name: Token,
  base: ServerSettings,
  context: LoadContext,
  like?: ServerSettings,
): ServerEntry | undefined {
  const address = words.word("<address>[:<port>]");
  if (address === undefined) return undefined;
  const result = serverAddress(address.text, context.env);
  if (!result.ok) words.error(result.code, `'server ${name.text}': ${result.message}`, address);
  const draft = newServerDraft(base, context);
  readWords(words, draft, "on a 'server' line");
  if (!result.ok) return undefined;
  const { endpoint, followsClient } = result.address;
  // A service brings its ports along.
  const isService = endpoint.kind === "inet" && isServiceName(endpoint.host);
  return {
    name: name.text,
    endpoint,
    portKind: followsClient && !isService ? "client" : "fixed",
    settings: settingsOf(draft, like),
    id: draft.id,
    idSpan: draft.idSpan,
    nameSpan: words.spanOf(name),
    place: words.place(),
  };
}

/** A server's address: to HAProxy the wildcard means "where the client wanted to go", which needs a transparent proxy. */
function serverAddress(text: string, env: LoadContext["env"]): AddressResult {
  const result = parseAddress(text, { port: "offset" }, env);
  if (!result.ok || result.address.endpoint.kind !== "inet") return result;
  const { host } = result.address.endpoint;
  if (host !== "0.0.0.0" && host !== "::") return result;
  return { ok: false, code: "unsupported", message: `the wildcard address in '${text}' is not supported for a server` };
}

/** Reads what follows `default-server`: the template with these words applied. */
export function readDefaultServer(words: WordReader, base: ServerSettings, context: LoadContext): ServerSettings {
  const draft = newServerDraft(base, context);
  readWords(words, draft, "on a 'default-server' line");
  if (draft.idSpan !== undefined) {
    words.diagnostics.error("not-in-defaults", "'id' names one server: not for 'default-server'", draft.idSpan);
  }
  return settingsOf(draft);
}

function readWords(words: WordReader, draft: ServerDraft, what: string): void {
  const line = words.keyword;
  for (let token = words.take(); token !== undefined; token = words.take()) {
    const keyword = SERVER_TABLE.get(token.text);
    if (keyword === undefined) {
      refuseWord(words, words.position - 1, 1, {
        what,
        known: SERVER_TABLE.keys(),
        unsupported: UNSUPPORTED_SERVER_WORDS,
        hints: SERVER_HINTS,
      });
      // The arguments of a word that is not ours are unknown, so what follows cannot be judged.
      words.rest();
      break;
    }
    words.keyword = token.text;
    keyword.read(words, draft);
  }
  words.keyword = line;
}

/** The parts of a server that words can set: all but its name and address. */
export interface ServerWords {
  readonly settings: Omit<ServerConfig, "name" | "id" | "idForced" | "endpoint" | "portKind" | "place">;
  /** `id <n>`, else undefined: the next free one. */
  readonly id: number | undefined;
}

export type ServerWordsResult =
  | { readonly ok: true; readonly server: ServerWords }
  | { readonly ok: false; readonly error: string };

const NOT_AT_RUNTIME: ReadonlySet<string> = new Set([
  "enabled",
  "no-check",
  "no-agent-check",
  "no-check-send-proxy",
  "no-check-ssl",
  "resolvers",
  "resolve-prefer",
  "resolve-net",
  "resolve-opts",
  "init-addr",
]);

/**
 * Reads the words after the address of `add server <b>/<s> <addr> ...`, starting from the backend's `defaultServer`. `ownPort`: the
 * address has a port of its own, or needs none. That the server named by `track` exists is the caller's to see. The
 * error is one line in HAProxy's wording, without a line feed.
 */
export function parseServerWords(words: readonly string[], base: ServerTemplate, ownPort = true): ServerWordsResult {
  const diagnostics = new DiagnosticList();
  const line = lineOf(words);
  const context: LoadContext = {
    env: {},
    accounts: { uidOf: () => undefined, gidOf: () => undefined },
    resolvConf: () => undefined,
    keep: () => {},
    ignore: () => {},
  };
  const draft = newServerDraft(base, context);
  const reader = new WordReader(line, diagnostics);
  for (let token = reader.take(); token !== undefined; token = reader.take()) {
    const keyword = SERVER_TABLE.get(token.text);
    if (keyword === undefined) return { ok: false, error: unknownServerWord(token.text) };
    if (NOT_AT_RUNTIME.has(token.text)) {
      return { ok: false, error: `'${token.text}' option is not accepted for dynamic server` };
    }
    reader.keyword = token.text;
    keyword.read(reader, draft);
    const first = diagnostics.sorted([])[0];
    if (first !== undefined) return { ok: false, error: first.message };
  }
  const { words: healthWords, resolve, ...plain } = settingsOf(draft);
  const problem = healthProblems(healthWords, base.checks.protocol, ownPort)[0];
  if (problem !== undefined) return { ok: false, error: problem.message };
  const settings = {
    ...plain,
    ...(resolve?.cutOnAddressChange ? { onAddressChange: "shutdown-sessions" as const } : {}),
    ...resolveHealth(healthWords, base.checks),
  };
  return { ok: true, server: { settings, id: draft.id } };
}

function unknownServerWord(word: string): string {
  if (UNSUPPORTED_SERVER_WORDS.has(word)) return `'${word}' is known to HAProxy but not supported by Headgate`;
  const best = nearestWord(word, [...SERVER_TABLE.keys(), ...UNSUPPORTED_SERVER_WORDS]);
  return best === undefined
    ? `unknown keyword '${word}'.`
    : `unknown keyword '${word}'; did you mean '${best}' maybe ?`;
}

function lineOf(words: readonly string[]): SourceLine {
  let column = 1;
  const tokens = words.map((text) => {
    const token = { text, column, length: text.length };
    column += text.length + 1;
    return token;
  });
  return { file: "", number: 1, text: words.join(" "), tokens };
}

export type ServerAddressResult =
  | { readonly ok: true; readonly endpoint: Endpoint; readonly portKind: "fixed" | "client" }
  | { readonly ok: false; readonly error: string };

/** Reads a server's address as a `server` line does; for `add server` and `set server ... addr`. */
export function parseServerAddress(text: string): ServerAddressResult {
  const result = serverAddress(text, {});
  if (!result.ok) return { ok: false, error: result.message };
  const { endpoint, followsClient } = result.address;
  return { ok: true, endpoint, portKind: followsClient ? "client" : "fixed" };
}
