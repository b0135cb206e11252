// `tcp-check expect` and `http-check expect`: one line to a rule. Control thread.

import type { ExpectCommon, HttpCheckStep, TcpCheckStep } from "../health-model.ts";
import type { Token } from "../tokenize.ts";
import type { WordReader } from "../word-reader.ts";
import { refuseRuleWord } from "./connect-rule.ts";
import { regexOf } from "./rule-regex.ts";
import { bytesOf, type RuleVariables } from "./rule-text.ts";
import { readFormat, readHex } from "./send-rule.ts";

export type HttpMatch = Extract<HttpCheckStep, { kind: "expect" }>["match"];
export type TcpMatch = Extract<TcpCheckStep, { kind: "expect" }>["match"];

const UNSUPPORTED: ReadonlySet<string> = new Set(["hdr", "fhdr", "status-code"]);
const HTTP_MATCHES: ReadonlySet<string> = new Set(["status", "rstatus", "string", "rstring", "string-lf"]);
const TCP_MATCHES: ReadonlySet<string> = new Set(["string", "rstring", "string-lf", "binary", "rbinary", "binary-lf"]);

const STATUSES: Readonly<Record<string, readonly string[]>> = {
  "ok-status": ["L7OK", "L7OKC", "L6OK", "L4OK"],
  "error-status": ["L7OKC", "L7RSP", "L7STS", "L6RSP", "L4CON"],
  "tout-status": ["L7TOUT", "L6TOUT", "L4TOUT"],
};

type Parts = { -readonly [K in Exclude<keyof ExpectCommon, "kind" | "place">]?: ExpectCommon[K] };

interface Reading<Match> {
  readonly words: WordReader;
  readonly matches: ReadonlySet<string>;
  readonly readMatch: (name: string, token: Token) => Match | undefined;
  readonly line: string;
  readonly variables: RuleVariables;
  readonly parts: Parts;
  negated: boolean;
  match?: Match;
}

/** The words behind `http-check expect`; undefined once an error has been reported. */
export function readHttpExpect(
  words: WordReader,
  variables: RuleVariables,
): (ExpectCommon & { readonly match: HttpMatch }) | undefined {
  return readExpect(words, HTTP_MATCHES, variables, (name, token) => readHttpMatch(words, name, token, variables));
}

/** The words behind `tcp-check expect`; undefined once an error has been reported. */
export function readTcpExpect(
  words: WordReader,
  variables: RuleVariables,
): (ExpectCommon & { readonly match: TcpMatch }) | undefined {
  return readExpect(words, TCP_MATCHES, variables, (name, token) => readTcpMatch(words, name, token, variables));
}

function readExpect<Match>(
  words: WordReader,
  matches: ReadonlySet<string>,
  variables: RuleVariables,
  readMatch: (name: string, token: Token) => Match | undefined,
): (ExpectCommon & { readonly match: Match }) | undefined {
  const line = words.keyword;
  const reading: Reading<Match> = { words, matches, readMatch, line, variables, parts: {}, negated: false };
  let isValid = true;
  for (let token = words.take(); token !== undefined && isValid; token = words.take())
    isValid = readPart(reading, token);
  words.keyword = line;
  if (!isValid) return undefined;
  if (reading.match === undefined) {
    words.error("missing-argument", `'${line}' expects something to look for: ${[...matches].join(", ")}`);
    return undefined;
  }
  return { kind: "expect", negated: reading.negated, ...reading.parts, match: reading.match, place: words.place() };
}

function readPart<Match>(reading: Reading<Match>, word: Token): boolean {
  const { words, parts } = reading;
  const bangs = /^!*/.exec(word.text)?.[0].length ?? 0;
  const bare = { text: word.text.slice(bangs), column: word.column + bangs, length: word.length - bangs };
  const name = bangs > 0 && bare.text === "" ? words.word("what to look for after '!'") : bare;
  if (name === undefined) return false;
  if (bangs % 2 === 1) reading.negated = !reading.negated;
  words.keyword = name.text;
  if (reading.matches.has(name.text)) return readPattern(reading, name);
  if (bangs > 0 && !UNSUPPORTED.has(name.text)) {
    words.error("unexpected-word", `'!' stands before what to look for, not before '${name.text}'`, name);
    return false;
  }
  const statuses = Object.hasOwn(STATUSES, name.text) ? STATUSES[name.text] : undefined;
  if (statuses !== undefined) return readStatus(reading, name.text, statuses);
  if (name.text === "min-recv") {
    const bytes = words.integer("<bytes>", -1, 2_147_483_647);
    if (bytes !== undefined) parts.minRecv = bytes;
    return bytes !== undefined;
  }
  if (name.text === "comment" || name.text === "on-success" || name.text === "on-error") {
    const token = words.word("<text>");
    if (token === undefined) return false;
    const text = name.text === "comment" ? token.text : readFormat(words, token, reading.variables);
    if (text === undefined) return false;
    parts[name.text === "comment" ? "comment" : name.text === "on-success" ? "onSuccess" : "onError"] = text;
    return true;
  }
  refuseRuleWord(words, name, reading.line, UNSUPPORTED);
  return false;
}

function readPattern<Match>(reading: Reading<Match>, name: Token): boolean {
  const { words } = reading;
  if (reading.match !== undefined) {
    words.error("given-twice", `'${reading.line}' looks for one thing only: '${name.text}' is a second one`, name);
    return false;
  }
  const token = words.word("<pattern>");
  const match = token === undefined ? undefined : reading.readMatch(name.text, token);
  if (match !== undefined) reading.match = match;
  return match !== undefined;
}

/** A status that a rule names in place of the usual one; upper case, as shown. */
function readStatus<Match>({ words, parts }: Reading<Match>, name: string, statuses: readonly string[]): boolean {
  const token = words.word(`one of ${statuses.join(", ")}`);
  if (token === undefined) return false;
  const status = token.text.toUpperCase();
  if (!statuses.includes(status)) {
    words.error("unknown-value", `'${name}' expects one of ${statuses.join(", ")}, not '${token.text}'`, token);
    return false;
  }
  if (status === "L7OKC") {
    words.error("unsupported", `'${name} L7OKC' is known to HAProxy but not supported by Headgate`, token);
    return false;
  }
  parts[name === "ok-status" ? "okStatus" : name === "error-status" ? "errorStatus" : "timeoutStatus"] = status;
  return true;
}

function readRegex(words: WordReader, token: Token): { readonly pattern: RegExp; readonly source: string } | undefined {
  const result = regexOf(token.text);
  if (result.ok) return { pattern: result.pattern, source: token.text };
  words.error("bad-regex", `'${words.keyword}': the regular expression does not compile: ${result.message}`, token);
  return undefined;
}

function readHttpMatch(words: WordReader, name: string, token: Token, variables: RuleVariables): HttpMatch | undefined {
  if (name === "status") {
    const ranges = readRanges(words, token);
    return ranges === undefined ? undefined : { kind: "status", ranges };
  }
  if (name === "rstatus" || name === "rstring") {
    const regex = readRegex(words, token);
    return regex === undefined ? undefined : { kind: name, ...regex };
  }
  const text = name === "string" ? token.text : readFormat(words, token, variables);
  return text === undefined ? undefined : { kind: "string", text };
}

/** "200-299,304". */
function readRanges(words: WordReader, token: Token): readonly (readonly [number, number])[] | undefined {
  const parts = token.text.split(",").map((part) => /^([0-9]{1,3})(?:-([0-9]{1,3}))?$/.exec(part));
  const ranges = parts.map((match): readonly [number, number] => [
    Number(match?.[1]),
    Number(match?.[2] ?? match?.[1]),
  ]);
  if (ranges.every(([from, to]) => from <= to)) return ranges;
  const message = `'status' expects codes or ranges such as 200-299,304, not '${token.text}'`;
  words.error("unknown-value", message, token);
  return undefined;
}

function readTcpMatch(words: WordReader, name: string, token: Token, variables: RuleVariables): TcpMatch | undefined {
  if (name === "rstring" || name === "rbinary") {
    const regex = readRegex(words, token);
    return regex === undefined ? undefined : { kind: name, ...regex };
  }
  const text = name.endsWith("-lf") ? readFormat(words, token, variables) : token.text;
  if (text === undefined) return undefined;
  const isBinary = name.startsWith("binary");
  const bytes = isBinary ? readHex(words, token, text) : bytesOf(words.line, { ...token, text });
  return bytes === undefined ? undefined : { kind: isBinary ? "binary" : "string", bytes, source: text };
}
