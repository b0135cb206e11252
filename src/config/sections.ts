// Cuts the text of the files into sections: a header line and the lines under it. Control thread.
// Each file begins outside any section, as in HAProxy. What cannot belong anywhere is reported here and left out.

import { CONFIG_LINE_CHARACTERS_MAX } from "../base/limits.ts";
import type { Steps } from "../base/turns.ts";
import { type DiagnosticList, lineSpan, type SourceLine, tokenSpan } from "./diagnostics.ts";
import type { SectionKind } from "./drafts.ts";
import { UNSUPPORTED_SECTIONS } from "./keywords/known-unsupported.ts";
import { didYouMean } from "./nearest.ts";
import { tokenizeLine } from "./tokenize.ts";

export interface RawSection {
  readonly kind: SectionKind;
  readonly header: SourceLine;
  readonly lines: readonly SourceLine[];
}

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

const SECTION_KINDS: readonly SectionKind[] = ["global", "defaults", "frontend", "backend", "listen", "resolvers"];

/** Where the reader stands while it goes down a file. */
interface Cursor {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly diagnostics: DiagnosticList;
  readonly sections: RawSection[];
  lines: SourceLine[] | undefined;
  section: string;
  /** Depth of `.if` blocks being left out. */
  skippedIfs: number;
}

/** Lines between two occasions to rest. */
const PART = 64;

/** Reads one file. Lines with a lexical error are reported and left out. */
export function* readSections(
  file: SourceFile,
  env: Readonly<Record<string, string | undefined>>,
  diagnostics: DiagnosticList,
): Steps<readonly RawSection[]> {
  const cursor: Cursor = {
    file: file.name,
    env,
    diagnostics,
    sections: [],
    lines: undefined,
    section: "",
    skippedIfs: 0,
  };
  const texts = file.text.split("\n");
  const last = texts.pop() ?? "";
  for (const [index, text] of texts.entries()) {
    if (index % PART === PART - 1) yield;
    readLine(cursor, text.endsWith("\r") ? text.slice(0, -1) : text, index + 1);
  }
  if (last !== "") {
    const line = { file: file.name, number: texts.length + 1, text: last, tokens: [] };
    const hint = "end the last line with a line feed";
    diagnostics.error("truncated", "the last line has no end: the file may be cut off", lineSpan(line), hint);
  }
  return cursor.sections;
}

function readLine(cursor: Cursor, text: string, number: number): void {
  const { file, env, diagnostics } = cursor;
  const nul = text.indexOf("\0");
  if (nul >= 0) {
    const line: SourceLine = { file, number, text, tokens: [] };
    diagnostics.error("nul-byte", "the line holds a NUL byte", { line, column: nul + 1, length: 1 });
    return;
  }
  if (text.length > CONFIG_LINE_CHARACTERS_MAX) {
    const line: SourceLine = { file, number, text, tokens: [] };
    const message = `the line has ${text.length} characters; the longest is ${CONFIG_LINE_CHARACTERS_MAX}`;
    diagnostics.error("line-too-long", message, { line, column: 1, length: 1 });
    return;
  }
  const { tokens, error } = tokenizeLine(text, { env, file, line: number, section: cursor.section });
  const line: SourceLine = { file, number, text, tokens };
  const first = tokens[0]?.text ?? "";
  if (first.startsWith(".") && readDirective(cursor, line, first)) return;
  if (cursor.skippedIfs > 0) return;
  if (error !== undefined) {
    diagnostics.error(error.code, error.message, { line, column: error.column, length: error.length }, error.hint);
    // A broken header must not send its lines to the section before it.
    if (isHeader(first)) beginUnread(cursor, first);
    return;
  }
  if (first !== "") place(cursor, line, first);
}

function isHeader(word: string): boolean {
  return SECTION_KINDS.some((kind) => kind === word) || UNSUPPORTED_SECTIONS.has(word);
}

function beginUnread(cursor: Cursor, name: string): void {
  cursor.section = name;
  cursor.lines = [];
}

function place(cursor: Cursor, line: SourceLine, first: string): void {
  const { diagnostics } = cursor;
  const token = line.tokens[0];
  if (token === undefined) return;
  const kind = SECTION_KINDS.find((k) => k === first);
  if (kind !== undefined) {
    cursor.section = kind;
    cursor.lines = [];
    cursor.sections.push({ kind, header: line, lines: cursor.lines });
    return;
  }
  if (UNSUPPORTED_SECTIONS.has(first)) {
    const message = `sections of kind '${first}' are known to HAProxy but not supported by Headgate`;
    diagnostics.error("unsupported", message, tokenSpan(line, token));
    beginUnread(cursor, first);
    return;
  }
  if (cursor.lines === undefined) {
    const hint = didYouMean(first, SECTION_KINDS) ?? `begin with ${SECTION_KINDS.join(", ")}`;
    diagnostics.error("out-of-section", `'${first}' stands before any section`, tokenSpan(line, token), hint);
    return;
  }
  cursor.lines.push(line);
}

/**
 * HAProxy's preprocessor. None of it is supported; a whole `.if` block is left out after one message, because reading both of
 * its branches would give errors that are none. False where the word is no directive.
 */
function readDirective(cursor: Cursor, line: SourceLine, word: string): boolean {
  const token = line.tokens[0];
  if (token === undefined) return false;
  switch (word) {
    case ".if":
      if (cursor.skippedIfs === 0) refuseDirective(cursor, line, word);
      cursor.skippedIfs++;
      return true;
    case ".endif":
      if (cursor.skippedIfs === 0) refuseDirective(cursor, line, word);
      else cursor.skippedIfs--;
      return true;
    case ".elif":
    case ".else":
    case ".notice":
    case ".warning":
    case ".alert":
    case ".diag":
      if (cursor.skippedIfs === 0) refuseDirective(cursor, line, word);
      return true;
    default:
      return false;
  }
}

function refuseDirective(cursor: Cursor, line: SourceLine, word: string): void {
  const token = line.tokens[0];
  if (token === undefined) return;
  const message = `'${word}' is known to HAProxy but not supported by Headgate`;
  cursor.diagnostics.error("unsupported", message, tokenSpan(line, token));
}
