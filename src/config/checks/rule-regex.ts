// PCRE patterns of check rules as JavaScript's, to be matched against bytes written as latin-1 characters. Pure; control thread.
// JavaScript reads some of PCRE's syntax as something else without a word: that is translated here, or refused.

export type RegexResult =
  | { readonly ok: true; readonly pattern: RegExp }
  | { readonly ok: false; readonly message: string };

/** [:name:] inside a class, as PCRE has them for ASCII. */
const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7f",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\t-\\r ",
  upper: "A-Z",
  word: "\\w",
  xdigit: "0-9A-Fa-f",
};

const SPACE = "\\t-\\r ";
const BLANK = " \\t";

/** What follows a backslash and means the same to both. */
const SAME_ESCAPE = /^(?:[^A-Za-z0-9]|[bBdDwWnrtf]|x[0-9A-Fa-f]{2}|[1-9][0-9]?|0)/;

interface Flags {
  ignoreCase: boolean;
  dotAll: boolean;
  multiline: boolean;
}

class Unsupported extends Error {}

/** `pattern` is as written; each of its characters above ASCII is matched as its UTF-8 bytes. */
export function regexOf(pattern: string): RegexResult {
  const flags: Flags = { ignoreCase: false, dotAll: false, multiline: false };
  const bytes = Buffer.from(pattern, "utf8").toString("latin1");
  const inline = /^\(\?([ims]+)\)/.exec(bytes);
  if (inline !== null) {
    flags.ignoreCase = inline[1]?.includes("i") ?? false;
    flags.dotAll = inline[1]?.includes("s") ?? false;
    flags.multiline = inline[1]?.includes("m") ?? false;
  }
  try {
    const source = translate(bytes.slice(inline?.[0].length ?? 0), flags);
    return { ok: true, pattern: new RegExp(source, flags.ignoreCase ? "i" : "") };
  } catch (error) {
    if (!(error instanceof Unsupported) && !(error instanceof SyntaxError)) throw error;
    const reason = error.message.replace(/^Invalid regular expression: \/.*\/[a-z]*: /s, "");
    return { ok: false, message: reason.charAt(0).toLowerCase() + reason.slice(1) };
  }
}

function translate(text: string, flags: Flags): string {
  let out = "";
  for (let at = 0; at < text.length; ) {
    const c = text[at] ?? "";
    let piece: readonly [written: string, length: number] = [c, 1];
    if (c === "\\") piece = escapeAt(text, at);
    else if (c === "[") piece = classAt(text, at);
    else if (c === "(") piece = groupAt(text, at);
    else if (c === ".") piece = [flags.dotAll ? "[^]" : "[^\\n]", 1];
    else if (c === "^") piece = [flags.multiline ? "(?:^|(?<=\\n))" : "^", 1];
    // PCRE's end is before a last line feed too.
    else if (c === "$") piece = [flags.multiline ? "(?=\\n|$)" : "(?=\\n?$)", 1];
    else if ("*+?}".includes(c) && text[at + 1] === "+")
      throw new Unsupported("possessive quantifiers are not supported");
    out += piece[0];
    at += piece[1];
  }
  return out;
}

function escapeAt(text: string, at: number): readonly [string, number] {
  const rest = text.slice(at + 1);
  const c = rest[0] ?? "";
  if (c === "Q") return quotedAt(rest);
  const other: Readonly<Record<string, string>> = {
    A: "^",
    z: "$",
    Z: "(?=\\n?$)",
    s: `[${SPACE}]`,
    S: `[^${SPACE}]`,
    h: `[${BLANK}\\xa0]`,
    H: `[^${BLANK}\\xa0]`,
    v: "[\\n-\\r\\x85]",
    V: "[^\\n-\\r\\x85]",
    N: "[^\\n]",
    R: "(?:\\r\\n|[\\n-\\r\\x85])",
    a: "\\x07",
    e: "\\x1b",
  };
  if (Object.hasOwn(other, c)) return [other[c] ?? "", 2];
  const same = SAME_ESCAPE.exec(rest)?.[0];
  if (same === undefined) throw new Unsupported(c === "" ? "\\ at end of pattern" : `'\\${c}' is not supported`);
  return [`\\${same}`, 1 + same.length];
}

/** `\Q...\E`: literally. */
function quotedAt(rest: string): readonly [string, number] {
  const end = rest.indexOf("\\E");
  const literal = rest.slice(1, end < 0 ? rest.length : end);
  return [literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), 1 + (end < 0 ? rest.length : end + 2)];
}

function groupAt(text: string, at: number): readonly [string, number] {
  if (text[at + 1] === "*") throw new Unsupported("verbs such as '(*UTF8)' are not supported");
  if (text[at + 1] !== "?") return ["(", 1];
  const rest = text.slice(at);
  const named = /^\(\?P?(<[A-Za-z_]\w*>)/.exec(rest);
  if (named !== null) return [`(?${named[1]}`, named[0].length];
  const plain = /^\(\?(?::|=|!|<=|<!)/.exec(rest);
  if (plain !== null) return [plain[0], plain[0].length];
  const comment = /^\(\?#[^)]*\)/.exec(rest);
  if (comment !== null) return ["", comment[0].length];
  throw new Unsupported(
    `'${/^\(\?.{0,2}/.exec(rest)?.[0]}...' is not supported${/^\(\?[a-z]/.test(rest) ? " but at the start" : ""}`,
  );
}

function classAt(text: string, at: number): readonly [string, number] {
  let out = "[";
  let i = at + 1;
  if (text[i] === "^") {
    out += "^";
    i++;
  }
  // A bracket that comes first is one of the class.
  if (text[i] === "]") {
    out += "\\]";
    i++;
  }
  for (; i < text.length; ) {
    const c = text[i] ?? "";
    if (c === "]") return [`${out}]`, i + 1 - at];
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(text.slice(i));
    if (posix !== null) {
      const members = POSIX_CLASSES[posix[2] ?? ""];
      if (members === undefined || posix[1] === "^") throw new Unsupported(`'${posix[0]}' is not supported`);
      out += members;
      i += posix[0].length;
    } else if (c === "\\") {
      const [piece, length] = classEscapeAt(text, i);
      out += piece;
      i += length;
    } else {
      out += c === "[" ? "\\[" : c;
      i++;
    }
  }
  throw new Unsupported("missing ']' of a character class");
}

function classEscapeAt(text: string, at: number): readonly [string, number] {
  const rest = text.slice(at + 1);
  const c = rest[0] ?? "";
  if (c === "s") return [SPACE, 2];
  if (c === "h") return [`${BLANK}\\xa0`, 2];
  if (c === "a") return ["\\x07", 2];
  if (c === "e") return ["\\x1b", 2];
  const same = /^(?:[^A-Za-z0-9]|[bdDwWSnrtf]|x[0-9A-Fa-f]{2}|0)/.exec(rest)?.[0];
  if (same === undefined) throw new Unsupported(`'\\${c}' in a character class is not supported`);
  return [`\\${same}`, 1 + same.length];
}
