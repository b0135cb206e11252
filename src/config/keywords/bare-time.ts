// A time without a unit that is so short that seconds were meant, perhaps. Control thread, when a file is read.

import type { Token } from "../tokenize.ts";
import type { WordReader } from "../word-reader.ts";

/** Below this a bare number looks like seconds meant. */
const SUSPICIOUS_MS = 100;

/** Warns of such a time. `name`: the words before it, as they are written; `token`: the time itself. */
export function warnOfBareTime(words: WordReader, code: string, name: string, token: Token, timeMs: number): void {
  if (!/^[0-9]+$/.test(token.text) || timeMs === 0 || timeMs >= SUSPICIOUS_MS) return;
  const message = `'${name} ${token.text}' is very short: a bare number is milliseconds`;
  words.warning(code, message, token, `write ${timeMs}ms if milliseconds are meant, ${timeMs}s for seconds`);
}
