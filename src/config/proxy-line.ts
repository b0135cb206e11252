// One line of a defaults, frontend, backend or listen section: finds its keyword and lets it read. Control thread.

import type { DiagnosticList, SourceLine } from "./diagnostics.ts";
import type { ProxyDraft } from "./drafts.ts";
import { httpWord, MAY_BE_HTTP, servesStats } from "./keywords/http-words.ts";
import { type LookupPlace, type ProxyKeyword, type ProxySide, refuseWord } from "./keywords/keyword.ts";
import { PROXY_HINTS, UNSUPPORTED_PROXY_WORDS } from "./keywords/known-unsupported.ts";
import { PROXY_TABLE } from "./keywords/proxy.ts";
import type { Token } from "./tokenize.ts";
import { WordReader } from "./word-reader.ts";

const KNOWN = [...PROXY_TABLE.keys()];

/** Words that only make a name together with the next one. */
const PAIRED: ReadonlySet<string> = new Set(["option", "timeout"]);

export function readProxyLine(line: SourceLine, proxy: ProxyDraft, diagnostics: DiagnosticList): void {
  const isNegated = line.tokens[0]?.text === "no";
  const at = isNegated ? 1 : 0;
  const first = line.tokens[at];
  const words = new WordReader(line, diagnostics, at);
  words.keyword = line.tokens[0]?.text ?? "";
  if (first === undefined) {
    words.error("missing-argument", "'no' expects 'option <name>' or 'log'", line.tokens[0]);
    return;
  }
  words.take();
  words.keyword = first.text;
  const isPair = PAIRED.has(first.text);
  if (isPair) {
    const second = words.word(`the name of ${first.text === "option" ? "an option" : "a timeout"}`);
    if (second === undefined) return;
    words.keyword = `${first.text} ${second.text}`;
  }
  if (MAY_BE_HTTP.has(first.text) && keptForHttp(words, proxy)) return;
  const keyword = PROXY_TABLE.get(words.keyword);
  if (keyword === undefined) refuseWord(words, at, isPair ? 2 : 1, lookupPlace(proxy));
  else if (isAllowed(words, keyword, proxy)) apply(words, keyword, proxy, isNegated);
}

function lookupPlace(proxy: ProxyDraft): LookupPlace {
  const what = proxy.kind === "defaults" ? "in a defaults section" : `in ${proxy.kind} '${proxy.name}'`;
  return { what, known: KNOWN, unsupported: UNSUPPORTED_PROXY_WORDS, hints: PROXY_HINTS };
}

/** Keeps lines that belong to mode http: all that are known in a stats section and its defaults, `stats` in any defaults. */
function keptForHttp(words: WordReader, proxy: ProxyDraft): boolean {
  const texts = words.line.tokens.map(({ text }) => text);
  const name = httpWord(texts);
  if (name === undefined) return false;
  const token = words.line.tokens[0];
  if (proxy.mode === "http" || (proxy.kind === "defaults" && servesStats(texts))) {
    proxy.statsLines.push(texts);
    if (token !== undefined) {
      const what = proxy.kind === "defaults" ? name : `${proxy.kind} '${proxy.name}' (mode http)`;
      proxy.context.keep(what, words.spanOf(token));
    }
    return true;
  }
  if (texts[0] !== "stats") return false;
  words.warning("needs-http", `'stats' is ignored: ${proxy.kind} '${proxy.name}' is in mode tcp`, token);
  return true;
}

/** From the line's first word to the end of the keyword: "no option splice-auto". */
function keywordToken(words: WordReader): Token | undefined {
  const first = words.line.tokens[0];
  const last = words.line.tokens[words.position - 1];
  if (first === undefined || last === undefined) return first;
  return { text: words.keyword, column: first.column, length: last.column + last.length - first.column };
}

function isAllowed(words: WordReader, keyword: ProxyKeyword<ProxyDraft>, proxy: ProxyDraft): boolean {
  const token = keywordToken(words);
  if (proxy.kind === "defaults") {
    if (keyword.inDefaults) return true;
    words.error("not-in-defaults", `'${keyword.name}' belongs to one section: not in 'defaults'`, token);
    return false;
  }
  if (proxy.mode === "http" && !keyword.inStats) {
    const message = `'${keyword.name}' in section '${proxy.name}' of mode http: Headgate keeps mode http only to serve 'stats'`;
    words.error("http-section", message, token);
    return false;
  }
  if (hasSide(proxy, keyword.side)) return true;
  const missing = `${proxy.kind} '${proxy.name}' has no ${keyword.side} side`;
  if (keyword.name === "server" || keyword.name === "server-template") {
    words.error("wrong-section", `'${keyword.name}' is not possible: ${missing}`, token);
  } else {
    const hint = keyword.name === "maxconn" ? "'fullconn' is what backends have" : undefined;
    words.warning("wrong-section", `'${keyword.name}' is ignored: ${missing}`, token, hint);
  }
  return false;
}

function hasSide(proxy: ProxyDraft, side: ProxySide): boolean {
  if (side === "both" || proxy.kind === "listen") return true;
  return proxy.kind === side;
}

function apply(words: WordReader, keyword: ProxyKeyword<ProxyDraft>, proxy: ProxyDraft, isNegated: boolean): void {
  if (!isNegated) {
    keyword.read(words, proxy);
    if (proxy.mode === "http" && proxy.kind !== "defaults" && keyword.name !== "bind") {
      proxy.statsLines.push(words.line.tokens.map((token) => token.text));
    }
    return;
  }
  if (keyword.negate === undefined) {
    words.error("no-negation", `'no' cannot be used with '${keyword.name}'`, keywordToken(words));
  } else if (words.end()) keyword.negate(proxy);
}
