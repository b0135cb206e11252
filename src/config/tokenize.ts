// HAProxy's lexical rules: one line of text to words, each with its place. Pure; control thread. Never throws on any text.
// The rules: blanks separate; "weak" quotes expand $VAR, 'strong' quotes keep all; backslash escapes outside strong quotes;
// '#' starts a comment outside quotes; a line ends at its first CR or LF, quoted or not.

import { CONFIG_WORDS_MAX } from "../base/limits.ts";

/** One word of a line, quotes and escapes resolved. */
export interface Token {
  readonly text: string;
  /** Counts from 1, in UTF-16 units of the line. */
  readonly column: number;
  /** Length as written, quotes included. */
  readonly length: number;
}

export interface LexicalError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly column: number;
  readonly length: number;
}

export interface TokenizeContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values of the pseudo-variables .FILE, .LINE and .SECTION. */
  readonly file: string;
  readonly line: number;
  readonly section: string;
}

export interface TokenizedLine {
  readonly tokens: readonly Token[];
  /** The first lexical error; the words before it are in `tokens`. */
  readonly error: LexicalError | undefined;
}

const BLANK = /[ \t\v\f\r\n]/;
const HEX = /^[0-9A-Fa-f]{2}$/;
const NAME_START = /[A-Za-z_.]/;
const NAME_PART = /[A-Za-z0-9_]/;

/** What stands between the words; `text` grows until a blank ends the word. */
interface Scanner {
  readonly input: string;
  readonly tokens: Token[];
  at: number;
  start: number;
  text: string;
  inWord: boolean;
  quote: "" | '"' | "'";
  quoteAt: number;
  /** False once a `${VAR[*]}` inside the quotes gave nothing: the quotes then make no word either. */
  emptyQuoteCounts: boolean;
  unknownVariable: string;
  error: LexicalError | undefined;
}

/** What makes a line more than words between blanks; `$` only counts within quotes. */
const MARKED = /["'\\#\r\n]/;

/** Splits one line into words. An error ends the line; what was read before it is kept. */
export function tokenizeLine(input: string, context: TokenizeContext): TokenizedLine {
  if (!MARKED.test(input)) {
    const tokens = plainWords(input);
    if (tokens.length <= CONFIG_WORDS_MAX) return { tokens, error: undefined };
  }
  return scanLine(input, context);
}

const [TAB, VERTICAL_TAB, FORM_FEED, SPACE] = [9, 11, 12, 32];

/** Nearly all lines of a large file. */
function plainWords(input: string): Token[] {
  const tokens: Token[] = [];
  const end = input.length;
  let start = -1;
  for (let at = 0; at <= end; at++) {
    const code = at < end ? input.charCodeAt(at) : SPACE;
    if (code === SPACE || code === TAB || code === VERTICAL_TAB || code === FORM_FEED) {
      if (start >= 0) tokens.push({ text: input.slice(start, at), column: start + 1, length: at - start });
      start = -1;
    } else if (start < 0) start = at;
  }
  return tokens;
}

function scanLine(input: string, context: TokenizeContext): TokenizedLine {
  const end = input.search(/[\r\n]/);
  const s: Scanner = {
    input: end < 0 ? input : input.slice(0, end),
    tokens: [],
    at: 0,
    start: 0,
    text: "",
    inWord: false,
    quote: "",
    quoteAt: 0,
    emptyQuoteCounts: true,
    unknownVariable: "",
    error: undefined,
  };
  while (s.at < s.input.length && s.error === undefined) {
    const c = s.input[s.at] ?? "";
    if (c === "#" && s.quote === "") break;
    if ((c === '"' && s.quote !== "'") || (c === "'" && s.quote !== '"')) readQuote(s, c);
    else if (c === "\\" && s.quote !== "'") readEscape(s);
    else if (s.quote === "" && BLANK.test(c)) {
      endWord(s);
      s.at++;
    } else if (c === "$" && s.quote === '"') readVariable(s, context);
    else emit(s, c, 1);
  }
  if (s.error === undefined && s.quote !== "") {
    const name = s.quote === '"' ? "weak" : "strong";
    s.error = lexical("unmatched-quote", `unmatched ${name} quote`, s.quoteAt, s.input.length - s.quoteAt);
  }
  if (s.error === undefined) endWord(s);
  return { tokens: s.tokens, error: s.error };
}

function lexical(code: string, message: string, at: number, length: number, hint?: string): LexicalError {
  return { code, message, column: at + 1, length: Math.max(1, length), ...(hint === undefined ? {} : { hint }) };
}

function beginWord(s: Scanner, at: number): void {
  if (s.inWord) return;
  s.inWord = true;
  s.start = s.quote === "" ? at : Math.min(at, s.quoteAt);
}

function emit(s: Scanner, text: string, consumed: number): void {
  beginWord(s, s.at);
  s.text += text;
  s.at += consumed;
}

function endWord(s: Scanner): void {
  if (!s.inWord) return;
  const length = s.at - s.start;
  if (s.text === "") {
    const from = s.unknownVariable === "" ? "" : ` (environment variable '${s.unknownVariable}' is not set)`;
    s.error = lexical(
      "empty-word",
      `empty word${from}: it would hide every word after it`,
      s.start,
      length,
      s.unknownVariable === "" ? undefined : `give it a default: "\${${s.unknownVariable}-default}"`,
    );
  } else if (s.tokens.length === CONFIG_WORDS_MAX) {
    s.error = lexical("too-many-words", `more than ${CONFIG_WORDS_MAX} words on one line`, s.start, length);
  } else {
    s.tokens.push({ text: s.text, column: s.start + 1, length });
  }
  s.inWord = false;
  s.text = "";
  s.unknownVariable = "";
}

function readQuote(s: Scanner, c: '"' | "'"): void {
  if (s.quote === "") {
    s.quote = c;
    s.quoteAt = s.at;
    s.emptyQuoteCounts = true;
  } else {
    // An empty pair of quotes is a word of its own (an empty one), unless a `${VAR[*]}` inside it gave nothing.
    if (s.emptyQuoteCounts) beginWord(s, s.quoteAt);
    s.quote = "";
  }
  s.at++;
}

function readEscape(s: Scanner): void {
  const next = s.input[s.at + 1] ?? "";
  if (next === "x") {
    const digits = s.input.slice(s.at + 2, s.at + 4);
    if (!HEX.test(digits)) {
      s.error = lexical("bad-hex-escape", "'\\x' needs two hexadecimal digits", s.at, 2 + digits.length);
    } else if (digits === "00") {
      s.error = lexical("nul-byte", "a word cannot hold a NUL byte", s.at, 4);
    } else emit(s, String.fromCharCode(Number.parseInt(digits, 16)), 4);
    return;
  }
  const control = next === "n" ? "\n" : next === "t" ? "\t" : next === "r" ? "\r" : "";
  if (control !== "") emit(s, control, 2);
  else if (next !== "" && " \\#'\"".includes(next)) emit(s, next, 2);
  else if (next === "$" && s.quote === '"') emit(s, next, 2);
  else emit(s, "\\", 1); // Not an escape: the backslash stands for itself.
}

/** `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}` (its blanks split words) inside weak quotes. */
function readVariable(s: Scanner, context: TokenizeContext): void {
  const from = s.at;
  const brace = s.input[from + 1] === "{";
  let at = from + (brace ? 2 : 1);
  const nameAt = at;
  if (!NAME_START.test(s.input[at] ?? "")) {
    const hint = "write '\\$' for a dollar sign inside weak quotes";
    s.error = lexical("bad-variable", "'$' must be followed by a variable's name", from, at - from + 1, hint);
    return;
  }
  at++;
  while (NAME_PART.test(s.input[at] ?? "")) at++;
  const name = s.input.slice(nameAt, at);
  let value = variableValue(name, context);
  if (value === undefined && name.startsWith(".")) {
    const hint = "known are .FILE, .LINE and .SECTION";
    s.error = lexical("bad-variable", `unknown pseudo-variable '${name}'`, from, at - from, hint);
    return;
  }
  let expandsWords = false;
  if (brace) {
    if (s.input[at] === "[") {
      if (s.input.slice(at, at + 3) !== "[*]") {
        s.error = lexical("bad-variable", "only '[*]' may follow a variable's name", at, 3);
        return;
      }
      expandsWords = true;
      at += 3;
    }
    const close = s.input.indexOf("}", at);
    if (close < 0 || (s.input[at] !== "-" && close !== at)) {
      s.error = lexical("unmatched-brace", "unmatched brace in an environment variable", from + 1, at - from - 1);
      return;
    }
    if (s.input[at] === "-") value ??= s.input.slice(at + 1, close);
    at = close + 1;
  }
  expand(s, { name, value, expandsWords, length: at - from });
}

function expand(
  s: Scanner,
  variable: { name: string; value: string | undefined; expandsWords: boolean; length: number },
): void {
  const { name, value, expandsWords, length } = variable;
  const from = s.at;
  const end = from + length;
  if (expandsWords) {
    s.emptyQuoteCounts = false;
    const words = (value ?? "").split(/[ \t\v\f\r\n]+/);
    for (const [index, word] of words.entries()) {
      s.at = end;
      if (index > 0) endWord(s);
      s.at = from;
      if (word !== "") emit(s, word, 0);
    }
    s.at = end;
    return;
  }
  if (value === undefined && s.unknownVariable === "") s.unknownVariable = name;
  emit(s, value ?? "", length);
}

function variableValue(name: string, context: TokenizeContext): string | undefined {
  if (name === ".FILE") return context.file;
  if (name === ".LINE") return String(context.line);
  if (name === ".SECTION") return context.section;
  if (name.startsWith(".")) return undefined;
  return Object.hasOwn(context.env, name) ? context.env[name] : undefined;
}
