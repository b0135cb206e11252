// The argument of `log-format` and `log-format-sd`: one word of a line to a log format, with each message at the very item
// that it is about. Control thread.

import type { Token } from "../tokenize.ts";
import type { WordReader } from "../word-reader.ts";
import type { LogFormat } from "./log-format.ts";
import { parseLogFormat } from "./parse.ts";

/** Undefined after an error. */
export function readLogFormat(words: WordReader): LogFormat | undefined {
  const token = words.word("<format>");
  if (token === undefined) return undefined;
  const extra = words.peek();
  if (extra !== undefined) {
    words.rest();
    const message = `'${words.keyword}' expects one word: the whole format`;
    words.error("unexpected-word", message, extra, "put the format in quotes");
    return undefined;
  }
  let failed = false;
  const at = (start: number, length: number): Token => tokenWithin(words.line.text, token, start, length);
  const format = parseLogFormat(token.text, {
    error(code, message, start, length, hint) {
      failed = true;
      words.diagnostics.error(code, message, words.spanOf(at(start, length)), hint);
    },
    warning(code, message, start, length, hint) {
      words.diagnostics.warning(code, message, words.spanOf(at(start, length)), hint);
    },
  });
  return failed ? undefined : format;
}

/**
 * A stretch of a word as it stands in its line. Quotes, escapes and variables make the two differ, so it is looked for: the
 * n-th time it occurs in the word is the n-th time in the line. The whole word where it is not found.
 */
function tokenWithin(line: string, token: Token, start: number, length: number): Token {
  const part = token.text.slice(start, start + length);
  const written = line.slice(token.column - 1, token.column - 1 + token.length);
  let found = -1;
  for (let inText = -1; part !== "" && inText < start; ) {
    inText = token.text.indexOf(part, inText + 1);
    found = written.indexOf(part, found + 1);
    if (inText < 0 || found < 0) return token;
  }
  return found < 0 ? token : { text: part, column: token.column + found, length: part.length };
}
