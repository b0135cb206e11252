// `tcp-check send*` and `http-check send`: one line to a rule. Control thread.

import type { Token } from "../tokenize.ts";
import type { WordReader } from "../word-reader.ts";
import { refuseRuleWord } from "./connect-rule.ts";
import { bytesOf, hexBytes, type RuleVariables, settleFormat } from "./rule-text.ts";
import type { HttpSendRule, TcpRule } from "./rules.ts";

/** The text of a log-format word; reports what cannot be settled. */
export function readFormat(words: WordReader, token: Token, variables: RuleVariables): string | undefined {
  const result = settleFormat(token.text, variables);
  if (result.ok) return result.text;
  words.error(result.unsupported ? "unsupported" : "bad-format", `'${words.keyword}': ${result.message}`, token);
  return undefined;
}

/** Bytes written as hexadecimal digits; reports what is none. */
export function readHex(words: WordReader, token: Token, text = token.text): Uint8Array | undefined {
  const bytes = hexBytes(text);
  if (bytes === undefined) {
    words.error("bad-hex", `'${words.keyword}' expects an even number of hexadecimal digits, not '${text}'`, token);
  }
  return bytes;
}

export type TcpSendKind = "send" | "send-lf" | "send-binary" | "send-binary-lf";

/** Reads what follows `tcp-check send`, `send-lf`, `send-binary` or `send-binary-lf`; undefined after an error. */
export function readTcpSend(words: WordReader, kind: TcpSendKind, variables: RuleVariables): TcpRule | undefined {
  const token = words.word(kind.startsWith("send-binary") ? "<hexadecimal digits>" : "<text>");
  if (token === undefined) return undefined;
  const bytes = sendBytes(words, kind, token, variables);
  const comment = words.takeIf("comment") ? words.word("comment <text>") : undefined;
  if (bytes === undefined || !words.end()) return undefined;
  return { kind: "send", bytes, ...(comment === undefined ? {} : { comment: comment.text }), place: words.place() };
}

function sendBytes(
  words: WordReader,
  kind: TcpSendKind,
  token: Token,
  variables: RuleVariables,
): Uint8Array | undefined {
  if (kind === "send") return bytesOf(words.line, token);
  if (kind === "send-binary") return readHex(words, token);
  const text = readFormat(words, token, variables);
  if (text === undefined) return undefined;
  return kind === "send-lf" ? bytesOf(words.line, { ...token, text }) : readHex(words, token, text);
}

type Parts = { -readonly [K in keyof HttpSendRule]?: HttpSendRule[K] };

/** Reads what follows `http-check send`; undefined after an error. */
export function readHttpSend(words: WordReader, variables: RuleVariables): HttpSendRule | undefined {
  const parts: Parts = {};
  const headers: [string, string][] = [];
  const line = words.keyword;
  let isValid = true;
  for (let token = words.take(); token !== undefined && isValid; token = words.take()) {
    words.keyword = token.text;
    isValid =
      token.text === "hdr" ? readHeader(words, headers, variables) : readPart(words, token, parts, variables, line);
  }
  words.keyword = line;
  if (!isValid) return undefined;
  return { kind: "send", fromOption: false, headers, ...parts, place: words.place() };
}

function readPart(words: WordReader, word: Token, parts: Parts, variables: RuleVariables, line: string): boolean {
  const field = (
    {
      meth: "method",
      uri: "uri",
      "uri-lf": "uri",
      ver: "version",
      body: "body",
      "body-lf": "body",
      comment: "comment",
    } as const
  )[word.text];
  if (field === undefined) {
    refuseRuleWord(words, word, line, new Set());
    return false;
  }
  const token = words.word("<text>");
  if (token === undefined) return false;
  if (field === "version" && !/^HTTP\/[0-9](?:\.[0-9])?$/i.test(token.text)) {
    words.error("unknown-value", `'ver' expects HTTP/1.0 or HTTP/1.1, not '${token.text}'`, token);
    return false;
  }
  const text = word.text.endsWith("-lf") ? readFormat(words, token, variables) : token.text;
  if (text === undefined) return false;
  parts[field] = text;
  return true;
}

/** As in HAProxy there is one Host, and the lengths of the body are never the user's. */
function readHeader(words: WordReader, headers: [string, string][], variables: RuleVariables): boolean {
  const name = words.word("<name> <value>");
  const value = name === undefined ? undefined : words.word("<value>");
  if (name === undefined || value === undefined) return false;
  const lower = name.text.toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name.text)) {
    words.error("bad-header", `'${name.text}' is no name of a header`, name);
    return false;
  }
  if (lower === "host" && headers.some(([other]) => other.toLowerCase() === "host")) {
    words.error("given-twice", "'hdr Host' is already given on this line", name);
    return false;
  }
  const text = readFormat(words, value, variables);
  if (text === undefined) return false;
  if (/[\r\n]/.test(text)) {
    words.error("bad-header", "a header's value cannot hold a line break", value);
    return false;
  }
  if (lower === "content-length" || lower === "transfer-encoding") {
    words.warning("ignored", `'hdr ${name.text}' is ignored: it follows from the body`, name);
  } else headers.push([name.text, text]);
  return true;
}

/** `option httpchk [<method>] <uri> [<version> [<host>]]` to the request it stands for; undefined after an error. */
export function readHttpOption(words: WordReader): HttpSendRule | undefined {
  const [first, second, third, fourth] = [words.take(), words.take(), words.take(), words.take()];
  if (!words.end()) return undefined;
  const method = second === undefined ? undefined : first?.text;
  const uri = (second ?? first)?.text;
  const headers: [string, string][] = [];
  let version = third?.text;
  let body: string | undefined;
  if (third !== undefined && /[\r\n]/.test(third.text)) {
    const hidden = readHiddenHeaders(words, third, headers);
    if (hidden === undefined) return undefined;
    version = hidden.version;
    body = hidden.body;
  } else if (third !== undefined && !/^HTTP\/[0-9](?:\.[0-9])?$/i.test(third.text)) {
    words.error("unknown-value", `'option httpchk' expects HTTP/1.0 or HTTP/1.1, not '${third.text}'`, third);
    return undefined;
  }
  const host = fourth === undefined ? undefined : readFormat(words, fourth, new Map());
  if (fourth !== undefined && host === undefined) return undefined;
  if (host !== undefined) headers.push(["host", host]);
  return {
    kind: "send",
    fromOption: true,
    ...(method === undefined ? {} : { method }),
    ...(uri === undefined ? {} : { uri }),
    ...(version === undefined ? {} : { version }),
    headers,
    ...(body === undefined ? {} : { body }),
    place: words.place(),
  };
}

/** `HTTP/1.1\r\nHost:\ www`: how requests got their headers before `http-check send`. */
function readHiddenHeaders(
  words: WordReader,
  token: Token,
  headers: [string, string][],
): { readonly version: string; readonly body?: string } | undefined {
  const [head = "", ...rest] = token.text.split("\r\n\r\n");
  const [version = "", ...lines] = head.split("\r\n");
  const split = lines.filter((line) => line !== "").map((line) => /^([^:\s]+):\s*(.*)$/s.exec(line));
  const isBad = split.some((match) => match === null || /[\r\n]/.test(match[2] ?? ""));
  if (isBad || !/^HTTP\/[0-9](?:\.[0-9])?$/i.test(version)) {
    words.error(
      "bad-header",
      "the version is not followed by lines of headers",
      token,
      "use 'http-check send hdr <name> <value>'",
    );
    return undefined;
  }
  words.warning(
    "hidden-headers",
    "headers in the version's word are refused by HAProxy 3.0 and later",
    token,
    "use 'http-check send hdr <name> <value>'",
  );
  for (const match of split) headers.push([match?.[1] ?? "", match?.[2] ?? ""]);
  const body = rest.join("\r\n\r\n");
  return body === "" ? { version } : { version, body };
}
