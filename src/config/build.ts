// Sections to drafts: headers, inheritance from defaults, and each line to its keyword. Control thread.
// Goes on after every error, so that one run shows all of them.

import type { Steps } from "../base/turns.ts";
import { type DiagnosticList, lineSpan, placeOf, type SourceLine, shortPlace, tokenSpan } from "./diagnostics.ts";
import {
  type GlobalDraft,
  type LoadContext,
  newProxyDraft,
  type ProxyDraft,
  type ProxyKind,
  type ResolversDraft,
} from "./drafts.ts";
import { GLOBAL_TABLE } from "./keywords/global.ts";
import { servesStats } from "./keywords/http-words.ts";
import { type LookupPlace, refuseWord } from "./keywords/keyword.ts";
import { GLOBAL_HINTS, UNSUPPORTED_GLOBAL_WORDS } from "./keywords/known-unsupported.ts";
import { invalidNameCharacter } from "./names.ts";
import { didYouMean } from "./nearest.ts";
import { readProxyLine } from "./proxy-line.ts";
import { readResolvers } from "./resolvers-section.ts";
import type { RawSection } from "./sections.ts";
import type { Token } from "./tokenize.ts";
import { WordReader } from "./word-reader.ts";

export interface Drafts {
  readonly global: GlobalDraft;
  /** Frontends, backends and listen sections in declaration order, those of mode http included. */
  readonly proxies: readonly ProxyDraft[];
  readonly resolvers: readonly ResolversDraft[];
}

interface Builder {
  readonly context: LoadContext;
  readonly diagnostics: DiagnosticList;
  readonly proxies: ProxyDraft[];
  readonly namedDefaults: Map<string, ProxyDraft>;
  lastDefaults: ProxyDraft | undefined;
}

const DEFAULT_STATS_TIMEOUT_MS = 10_000;

/** Reads every section into drafts, through the keyword tables; what is wrong goes into `diagnostics`. */
export function* buildDrafts(
  sections: readonly RawSection[],
  context: LoadContext,
  diagnostics: DiagnosticList,
): Steps<Drafts> {
  const global: GlobalDraft = {
    context,
    statsTimeoutMs: DEFAULT_STATS_TIMEOUT_MS,
    statsMaxconn: undefined,
    externalCheck: false,
    statsSockets: [],
    logs: [],
  };
  const builder: Builder = {
    context,
    diagnostics,
    proxies: [],
    namedDefaults: new Map(),
    lastDefaults: undefined,
  };
  const resolvers: ResolversDraft[] = [];
  for (const section of sections) {
    if (section.kind === "global") readGlobal(section, global, diagnostics);
    else if (section.kind === "resolvers") {
      const draft = readResolvers(section, context, diagnostics);
      if (draft !== undefined) resolvers.push(draft);
    } else yield* readProxy(section, section.kind, builder);
  }
  return { global, proxies: builder.proxies, resolvers };
}

const GLOBAL_PLACE: LookupPlace = {
  what: "in the global section",
  known: [...GLOBAL_TABLE.keys()],
  unsupported: UNSUPPORTED_GLOBAL_WORDS,
  hints: GLOBAL_HINTS,
};

function readGlobal(section: RawSection, global: GlobalDraft, diagnostics: DiagnosticList): void {
  const header = new WordReader(section.header, diagnostics, 1);
  header.keyword = "global";
  header.end();
  for (const line of section.lines) {
    const [first, second] = line.tokens;
    if (first === undefined) continue;
    const isPair = first.text === "stats";
    const words = new WordReader(line, diagnostics, isPair ? 2 : 1);
    if (isPair && second === undefined) {
      words.error("missing-argument", "'stats' expects socket or timeout", first);
      continue;
    }
    const name = isPair ? `${first.text} ${second?.text}` : first.text;
    const keyword = GLOBAL_TABLE.get(name);
    if (keyword === undefined) refuseGlobalWord(words, first, isPair);
    else {
      words.keyword = name;
      keyword.read(words, global);
    }
  }
}

function refuseGlobalWord(words: WordReader, first: Token, isPair: boolean): void {
  if (first.text === "no" && words.peek() !== undefined) {
    const name = words.peek()?.text ?? "";
    const known = GLOBAL_TABLE.has(name) || UNSUPPORTED_GLOBAL_WORDS.has(name);
    if (known) words.error("no-negation", `'no ${name}' is not supported by Headgate in the global section`);
    else refuseWord(words, 1, 1, GLOBAL_PLACE);
    return;
  }
  refuseWord(words, 0, isPair ? 2 : 1, GLOBAL_PLACE);
}

/** Lines between two occasions to rest. */
const PART = 32;

function* readProxy(section: RawSection, kind: ProxyKind, builder: Builder): Steps<void> {
  const { header, lines } = section;
  const words = new WordReader(header, builder.diagnostics, 1);
  words.keyword = kind;
  const name = readName(words, kind);
  const base = readBase(words, kind, builder);
  words.end();
  const { mode, modeSpan } = modeOf(lines, header, base);
  const draft = newProxyDraft({ context: builder.context, kind, name, header, mode, modeSpan }, base);
  const isPlainHttp = mode === "http" && kind !== "defaults" && !servesAnything(lines, base);
  if (isPlainHttp) {
    const message = `section '${name}' is in mode http: Headgate relays TCP and keeps mode http only where it serves 'stats'`;
    builder.diagnostics.error("http-section", message, modeSpan, "say 'mode tcp' if plain TCP is meant");
    draft.disabled = true; // Its lines are not read, so it cannot be asked for a 'bind' or a timeout.
  } else {
    for (const [index, line] of lines.entries()) {
      if (index % PART === 0) yield;
      readProxyLine(line, draft, builder.diagnostics);
    }
  }
  if (mode === "tcp" && kind !== "defaults") dropHttpDefaults(draft, builder.diagnostics);
  if (kind !== "defaults") builder.proxies.push(draft);
  else {
    if (name !== "") builder.namedDefaults.set(name, draft);
    builder.lastDefaults = draft;
  }
}

function readName(words: WordReader, kind: ProxyKind): string {
  const token = words.peek();
  if (
    kind === "defaults" &&
    (token === undefined || (token.text === "from" && words.peek(2) === undefined && words.peek(1)))
  ) {
    return "";
  }
  const named = words.word("<name>");
  if (named === undefined) return "";
  const bad = invalidNameCharacter(named.text);
  if (bad !== undefined) {
    const hint = "allowed are letters, digits and . : - _";
    words.error("bad-name", `'${bad}' is not allowed in the name of a section`, named, hint);
  }
  return named.text;
}

/** The defaults that the section starts from: those named by `from`, else the last ones. */
function readBase(words: WordReader, kind: ProxyKind, builder: Builder): ProxyDraft | undefined {
  if (!words.takeIf("from")) return kind === "defaults" ? undefined : builder.lastDefaults;
  const from = words.keyword;
  words.keyword = "from";
  const token = words.word("the name of a defaults section");
  words.keyword = from;
  if (token === undefined) return undefined;
  const base = builder.namedDefaults.get(token.text);
  if (base === undefined) {
    const hint = didYouMean(token.text, builder.namedDefaults.keys());
    words.error("unknown-defaults", `there is no defaults section named '${token.text}' above`, token, hint);
  }
  return base;
}

function modeOf(
  lines: readonly SourceLine[],
  header: SourceLine,
  base: ProxyDraft | undefined,
): Pick<ProxyDraft, "mode" | "modeSpan"> {
  const isMode = (line: SourceLine): boolean =>
    line.tokens[0]?.text === "mode" && (line.tokens[1]?.text === "tcp" || line.tokens[1]?.text === "http");
  const line = lines.findLast(isMode);
  if (line === undefined) return { mode: base?.mode ?? "tcp", modeSpan: lineSpan(header) };
  const token = line.tokens[1];
  const modeSpan = token === undefined ? lineSpan(line) : tokenSpan(line, token);
  return { mode: token?.text === "http" ? "http" : "tcp", modeSpan };
}

function servesAnything(lines: readonly SourceLine[], base: ProxyDraft | undefined): boolean {
  if (base?.statsLines.some(servesStats)) return true;
  return lines.some((line) => servesStats(line.tokens.map((token) => token.text)));
}

/** What defaults said for mode http does not reach a tcp section; `option httplog` becomes `option tcplog`, as in HAProxy. */
function dropHttpDefaults(draft: ProxyDraft, diagnostics: DiagnosticList): void {
  const httplog = draft.statsLines.some((line) => line[0] === "option" && line[1] === "httplog");
  draft.statsLines = [];
  if (!httplog || draft.kind === "backend" || draft.tcplog || draft.logFormat !== undefined) return;
  draft.tcplog = true;
  const message = `'option httplog' of the defaults needs mode http: ${draft.kind} '${draft.name}' uses 'option tcplog'`;
  diagnostics.warning("httplog-in-tcp", message, lineSpan(draft.header));
}

/** "frontend 'web' (at proxy.cfg:12)", for messages about a second section. */
export function describeProxy(draft: ProxyDraft): string {
  return `${draft.kind} '${draft.name}' (at ${shortPlace(placeOf(lineSpan(draft.header)))})`;
}
