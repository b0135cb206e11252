// Collects what is wrong with a configuration and shows it: place, line, caret, hint. Control thread.
// Nothing here throws: a reader reports and goes on, so that one run shows every error.

import type { Diagnostic, Severity, SourcePlace } from "./model.ts";
import type { Token } from "./tokenize.ts";

/** A line of a file with its words. */
export interface SourceLine {
  readonly file: string;
  /** Counts from 1. */
  readonly number: number;
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** The stretch of a line that a message underlines. */
export interface Span {
  readonly line: SourceLine;
  /** Counts from 1. */
  readonly column: number;
  readonly length: number;
}

/** The whole of a line's words: from the first to the end of the last. */
export function lineSpan(line: SourceLine): Span {
  const first = line.tokens[0];
  const last = line.tokens.at(-1);
  if (first === undefined || last === undefined) return { line, column: 1, length: Math.max(1, line.text.length) };
  return { line, column: first.column, length: last.column + last.length - first.column };
}

/** The stretch of its line that a word takes. */
export function tokenSpan(line: SourceLine, token: Token): Span {
  return { line, column: token.column, length: token.length };
}

/** Where a stretch begins. */
export function placeOf(span: Span): SourcePlace {
  return { file: span.line.file, line: span.line.number, column: span.column };
}

/** "file:line", for messages that point at a second place. */
export function shortPlace(place: SourcePlace): string {
  return `${place.file}:${place.line}`;
}

/** Where readers leave their messages. One for each load; its life is that load. */
export class DiagnosticList {
  readonly #list: Diagnostic[] = [];

  error(code: string, message: string, span: Span, hint?: string): void {
    this.#add("error", code, message, span, hint);
  }

  warning(code: string, message: string, span: Span, hint?: string): void {
    this.#add("warning", code, message, span, hint);
  }

  notice(code: string, message: string, span: Span, hint?: string): void {
    this.#add("notice", code, message, span, hint);
  }

  get hasErrors(): boolean {
    return this.#list.some((d) => d.severity === "error");
  }

  /** In the order of the text: by file as first met, then line, then column. */
  sorted(fileOrder: readonly string[]): readonly Diagnostic[] {
    const rank = new Map(fileOrder.map((file, index) => [file, index]));
    const rankOf = (d: Diagnostic): number => rank.get(d.place.file) ?? fileOrder.length;
    return [...this.#list].sort(
      (a, b) => rankOf(a) - rankOf(b) || a.place.line - b.place.line || a.place.column - b.place.column,
    );
  }

  #add(severity: Severity, code: string, message: string, span: Span, hint: string | undefined): void {
    this.#list.push({
      severity,
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      place: placeOf(span),
      lineText: span.line.text,
      length: Math.max(1, span.length),
    });
  }
}

/** Longest part of a source line that is shown; longer ones are cut around the caret. */
const MAX_SHOWN = 160;

const COLOURS: Readonly<Record<Severity, string>> = { error: "\x1b[31m", warning: "\x1b[33m", notice: "\x1b[36m" };

export interface RenderOptions {
  /** ANSI colours for a terminal; off unless asked for. */
  readonly colour?: boolean;
}

/**
 * One message as text, without a final line feed:
 * `file:line:column: severity: message [code]`, the line, a caret under the words it speaks of, and the hint.
 */
export function renderDiagnostic(d: Diagnostic, options: RenderOptions = {}): string {
  return renderMessage({ ...d, text: `${d.message} [${d.code}]` }, options);
}

/** What there is to show of a message: those that come from elsewhere than a line of a file have less. */
export interface ShownMessage {
  readonly severity: Severity;
  readonly text: string;
  readonly hint?: string;
  readonly place?: SourcePlace;
  readonly lineText?: string;
  readonly length?: number;
}

/** The same of any message. */
export function renderMessage(message: ShownMessage, options: RenderOptions = {}): string {
  const { severity: word, text, hint, place, lineText = "", length = 1 } = message;
  const severity = options.colour ? `${COLOURS[word]}${word}\x1b[0m` : word;
  const where = place === undefined ? "" : `${printable(place.file)}:${place.line}:${place.column}: `;
  const out = [`${where}${severity}: ${printable(text)}`];
  if (place !== undefined && lineText !== "") out.push(...underlined(place, lineText, length));
  if (hint !== undefined) out.push(`      = ${printable(hint)}`);
  return out.join("\n");
}

function underlined({ line, column }: SourcePlace, lineText: string, length: number): string[] {
  const gutter = String(line).padStart(5);
  const start = Math.max(0, Math.min(column - 1, lineText.length) - MAX_SHOWN / 2);
  const shown = lineText.slice(column - 1 < MAX_SHOWN / 2 ? 0 : start).slice(0, MAX_SHOWN);
  const before = column - 1 < MAX_SHOWN / 2 ? column - 1 : column - 1 - start;
  // Tabs stay tabs, so that the caret stands under its word whatever a tab's width is.
  const pad = shown.slice(0, before).replace(/[^\t]/g, " ").padEnd(before);
  const carets = "^".repeat(Math.max(1, Math.min(length, shown.length - before)));
  return [`${gutter} | ${printable(shown)}`, `${" ".repeat(gutter.length)} | ${pad}${carets}`];
}

/** Control characters of a config must not reach the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, "?");
}
