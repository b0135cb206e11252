// The texts of check rules: bytes as written, hexadecimal bytes, and log-format texts as far as they are known
// beforehand. Pure; control thread.

import type { SourceLine } from "../diagnostics.ts";
import type { Token } from "../tokenize.ts";

export type TextResult =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly unsupported: boolean };

/** Values that `set-var` gave before this rule, by name. */
export type RuleVariables = ReadonlyMap<string, string>;

function unsupported(message: string): TextResult {
  return { ok: false, message, unsupported: true };
}

function known(text: string): TextResult {
  return { ok: true, text };
}

/** A sample expression whose value is known before the check runs: `str(..)`, `int(..)`, `var(..)` of a known variable. */
export function constantOf(expression: string, variables: RuleVariables): TextResult {
  const string = /^str\((?:'([^']*)'|"([^"]*)"|([^'"(),]*))\)$/.exec(expression);
  if (string !== null) return known(string[1] ?? string[2] ?? string[3] ?? "");
  const integer = /^int\(([+-]?[0-9]+)\)$/.exec(expression);
  if (integer !== null) return known(String(Number(integer[1])));
  const name = /^var\(([a-z]+\.[A-Za-z0-9_.]+)\)$/.exec(expression)?.[1];
  if (name === undefined) {
    return unsupported(`'${expression}' is no constant: Headgate knows str(..), int(..) and var(check...) in checks`);
  }
  const value = variables.get(name);
  return value === undefined ? unsupported(`no 'set-var(${name})' stands before this use of it`) : known(value);
}

/** Where the `%[` at `from` ends: at the `]` that no quote hides; -1 where there is none. */
function endOfExpression(text: string, from: number): number {
  let quote = "";
  for (let i = from + 2; i < text.length; i++) {
    const c = text[i] ?? "";
    if (quote !== "") quote = c === quote ? "" : quote;
    else if (c === "'" || c === '"') quote = c;
    else if (c === "]") return i;
  }
  return -1;
}

/** A log-format text, settled: `%%` and constant `%[...]`; log-format variables such as `%b` mean nothing in a check here. */
export function settleFormat(text: string, variables: RuleVariables): TextResult {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "%") {
      out += text[i];
      continue;
    }
    const next = text[i + 1];
    if (next === "%") {
      out += "%";
      i++;
      continue;
    }
    if (next !== "[") {
      const name = /^%(?:\{[^}]*\})?[A-Za-z]*/.exec(text.slice(i))?.[0] ?? "%";
      if (name === "%") return { ok: false, message: "a '%' of its own is written '%%'", unsupported: false };
      return unsupported(`log-format variable '${name}' is not supported in checks by Headgate`);
    }
    const end = endOfExpression(text, i);
    if (end < 0) return { ok: false, message: "'%[' has no ']'", unsupported: false };
    const value = constantOf(text.slice(i + 2, end).trim(), variables);
    if (!value.ok) return value;
    out += value.text;
    i = end;
  }
  return known(out);
}

/** The bytes of a word: UTF-8, but `\xHH` is the byte it names. */
export function bytesOf(line: SourceLine, token: Token): Uint8Array {
  const written = line.text.slice(token.column - 1, token.column - 1 + token.length);
  return encode(token.text, /\\x[89a-f]/i.test(written));
}

/** Characters up to U+00FF are single bytes where escapes wrote them. */
function encode(text: string, hasByteEscapes: boolean): Uint8Array {
  if (!hasByteEscapes) return new Uint8Array(Buffer.from(text, "utf8"));
  const parts = [...text].map((c) => Buffer.from(c, (c.codePointAt(0) ?? 0) <= 0xff ? "latin1" : "utf8"));
  return new Uint8Array(Buffer.concat(parts));
}

/** "5051" to bytes; undefined where it is no even number of hexadecimal digits. */
export function hexBytes(text: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, "hex"));
}
