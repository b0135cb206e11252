// A cursor over the words of one line: takes arguments, checks them, and reports what is wrong at the word it is about.
// Control thread. Every taker returns undefined after it has reported, so that callers only leave.

import { parseTimeMs, type TimeUnit } from "../base/units.ts";
import { type DiagnosticList, lineSpan, type SourceLine, type Span, tokenSpan } from "./diagnostics.ts";
import type { SourcePlace } from "./model.ts";
import { didYouMean } from "./nearest.ts";
import type { Token } from "./tokenize.ts";

export class WordReader {
  readonly line: SourceLine;
  readonly diagnostics: DiagnosticList;
  /** The keyword whose arguments are read, for messages. */
  keyword = "";
  #at: number;

  constructor(line: SourceLine, diagnostics: DiagnosticList, at = 0) {
    this.line = line;
    this.diagnostics = diagnostics;
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at >= this.line.tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.line.tokens[this.#at + ahead];
  }

  take(): Token | undefined {
    const token = this.line.tokens[this.#at];
    if (token !== undefined) this.#at++;
    return token;
  }

  /** Takes the next word if it is exactly this one. */
  takeIf(text: string): boolean {
    if (this.peek()?.text !== text) return false;
    this.#at++;
    return true;
  }

  /** All words that are left. */
  rest(): readonly Token[] {
    const rest = this.line.tokens.slice(this.#at);
    this.#at = this.line.tokens.length;
    return rest;
  }

  /** The place of the line's first word. */
  place(): SourcePlace {
    return { file: this.line.file, line: this.line.number, column: this.line.tokens[0]?.column ?? 1 };
  }

  spanOf(token: Token): Span {
    return tokenSpan(this.line, token);
  }

  error(code: string, message: string, token?: Token, hint?: string): void {
    const span = token === undefined ? lineSpan(this.line) : tokenSpan(this.line, token);
    this.diagnostics.error(code, message, span, hint);
  }

  warning(code: string, message: string, token?: Token, hint?: string): void {
    const span = token === undefined ? lineSpan(this.line) : tokenSpan(this.line, token);
    this.diagnostics.warning(code, message, span, hint);
  }

  /** A word that must be there. `what` names it: "<name>". */
  word(what: string): Token | undefined {
    const token = this.take();
    if (token === undefined) {
      const last = this.line.tokens[this.#at - 1];
      this.error("missing-argument", `'${this.keyword}' expects ${what}`, last);
    }
    return token;
  }

  /** A whole number within the range; anything else is refused with the range. */
  integer(what: string, min: number, max: number): number | undefined {
    const token = this.word(what);
    if (token === undefined) return undefined;
    const value = /^[+-]?[0-9]+$/.test(token.text) ? Number(token.text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      this.error(
        "out-of-range",
        `'${this.keyword}' expects a number from ${min} to ${max}, not '${token.text}'`,
        token,
      );
      return undefined;
    }
    return value;
  }

  /** A time in milliseconds; `min` 1 refuses zero. */
  time(min: 0 | 1 = 0, bareUnit: TimeUnit = "ms"): number | undefined {
    const token = this.word("a time (a number and us, ms, s, m, h or d)");
    if (token === undefined) return undefined;
    const result = parseTimeMs(token.text, bareUnit);
    if (!result.ok) {
      this.error("bad-time", `'${this.keyword}': ${result.reason}, not '${token.text}'`, token);
      return undefined;
    }
    if (result.value < min) {
      this.error("out-of-range", `'${this.keyword}' expects a time above zero`, token);
      return undefined;
    }
    return result.value;
  }

  /** One of a closed set of words. */
  choice<T extends string>(words: readonly T[]): T | undefined {
    const list = words.length === 1 ? `'${words[0]}'` : `one of ${words.join(", ")}`;
    const token = this.word(list);
    if (token === undefined) return undefined;
    const found = words.find((word) => word === token.text);
    if (found === undefined) {
      this.error(
        "unknown-value",
        `'${this.keyword}' expects ${list}, not '${token.text}'`,
        token,
        didYouMean(token.text, words),
      );
    }
    return found;
  }

  /** Refuses what is left on the line. */
  end(): boolean {
    const extra = this.peek();
    if (extra === undefined) return true;
    this.error("unexpected-word", `'${this.keyword}' does not expect '${extra.text}' here`, extra);
    this.#at = this.line.tokens.length;
    return false;
  }
}
