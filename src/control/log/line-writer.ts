// Log formats as functions that write lines. Control thread. All choices (flags, types, JSON or not) are made when a format is
// compiled; a line is one pass over a list of functions and constant texts.

import type { LogFormat, LogItem } from "../../config/log-format/log-format.ts";
import { LOG_VALUE_KINDS } from "../../config/log-format/variables.ts";
import { hexOf, type NumberOf, type TextOf, VALUE_READERS } from "./line-values.ts";
import type { RecordView } from "./record-view.ts";

/** Writes the line of the record at which the view stands, without header and line feed. */
export type LineWriter = (view: RecordView) => string;

type ValueItem = Extract<LogItem, { kind: "value" }>;
type ConstantItem = Extract<LogItem, { kind: "constant" }>;

/** One blank, unless one was just written or nothing was yet. */
const BLANK = Symbol("blank");
type Piece = string | typeof BLANK | TextOf;

export function compileLine(format: LogFormat): LineWriter {
  return format.isJson ? jsonWriter(format.items) : plainWriter(format.items);
}

function plainWriter(items: readonly LogItem[]): LineWriter {
  const pieces: readonly Piece[] = items.map(pieceOf);
  return (view) => {
    let line = "";
    let atBlank = true;
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i];
      if (piece === BLANK) {
        if (!atBlank) line += " ";
        atBlank = true;
        continue;
      }
      const text = typeof piece === "string" ? piece : (piece as TextOf)(view);
      if (text === "") continue;
      line += text;
      atBlank = false;
    }
    return line;
  };
}

/** HAProxy's spacing: `{"key": value, "key": value}`. */
function jsonWriter(items: readonly LogItem[]): LineWriter {
  const keys: string[] = [];
  const values: Piece[] = [];
  for (const item of items) {
    if ((item.kind !== "value" && item.kind !== "constant") || item.name === undefined) continue;
    keys.push(`${keys.length === 0 ? "{" : ", "}${JSON.stringify(item.name)}: `);
    values.push(pieceOf(item));
  }
  return (view) => {
    let line = keys.length === 0 ? "{" : "";
    for (let i = 0; i < keys.length; i++) {
      const value = values[i];
      line += keys[i] + (typeof value === "string" ? value : (value as TextOf)(view));
    }
    return `${line}}`;
  };
}

function pieceOf(item: LogItem): Piece {
  switch (item.kind) {
    case "blank":
      return BLANK;
    case "text":
      return item.text;
    case "constant":
      return textWriter(() => item.text, item, true)(undefined as never);
    case "value":
      return valueWriter(item);
  }
}

function valueWriter(item: ValueItem): TextOf {
  const reader = VALUE_READERS[item.of];
  if (reader.kind === "text") {
    if (item.hex && !item.isExpression && reader.hex !== undefined) return hexText(reader.hex, reader.read, item);
    // Dates and states are never put in quotes, nor is a dash put in place of what is not captured, unless an expression names them.
    const kind = LOG_VALUE_KINDS.get(item.of);
    return textWriter(reader.read, item, item.isExpression === true || (kind !== "date" && kind !== "plain"));
  }
  if (item.json && item.hex && reader.kind === "number" && reader.hexDigits !== undefined && !item.isExpression) {
    return jsonHex(reader.read, reader.hexDigits);
  }
  if (item.json) return jsonNumber(reader.read, item.type ?? (reader.kind === "boolean" ? "bool" : "sint"));
  if (item.isExpression || reader.kind === "boolean") {
    return textWriter((v) => numberText(reader.read(v)), item, true);
  }
  if (item.hex && reader.hexDigits !== undefined) return hexWriter(reader.read, reader.hexDigits, item);
  if (reader.plain !== undefined) return reader.plain;
  const missing = missingText(item);
  const { read } = reader;
  return (v) => {
    const value = read(v);
    return Number.isNaN(value) ? missing : `${value}`;
  };
}

/** Bytes in hexadecimal are put in quotes only by JSON, or where there are none. */
function hexText(hex: TextOf, read: TextOf, item: ValueItem): TextOf {
  const plain = textWriter(read, item, true);
  const bytes = textWriter(hex, item, false);
  return (v) => bytes(v) || plain(v);
}

const numberText = (value: number): string => (Number.isNaN(value) ? "" : `${value}`);

function hexWriter(read: NumberOf, digits: number, item: ValueItem): TextOf {
  const missing = missingText(item);
  return (v) => {
    const value = read(v);
    return Number.isNaN(value) ? missing : hexOf(value, digits);
  };
}

/** `isText`: quotes and the dash are for it. */
function textWriter(read: TextOf, item: ValueItem | ConstantItem, isText: boolean): TextOf {
  if (item.json) {
    return (v) => {
      const text = read(v);
      return text === "" ? "null" : jsonText(text);
    };
  }
  const missing = isText ? missingText(item) : "";
  const before = isText && item.quote ? '"' : "";
  if (!item.escape) {
    if (before === "" && missing === "") return read;
    return (v) => {
      const text = read(v);
      return text === "" ? missing : before + text + before;
    };
  }
  return (v) => {
    const text = read(v);
    return text === "" ? missing : before + text.replaceAll(/["\\\]]/g, "\\$&") + before;
  };
}

/** Printable ASCII that a JSON string takes as it is: nearly every text, and much faster told than escaped. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;
const jsonText = (text: string): string => (PLAIN_TEXT.test(text) ? `"${text}"` : JSON.stringify(text));

/** Where there is no value: HAProxy writes empty quotes, or a dash. */
const missingText = ({ quote, dash }: ValueItem | ConstantItem): string => (quote ? '""' : dash ? "-" : "");

function jsonNumber(read: NumberOf, type: "str" | "sint" | "bool"): TextOf {
  return (v) => {
    const value = read(v);
    if (!Number.isFinite(value)) return "null";
    if (type === "bool") return value === 0 ? "false" : "true";
    return type === "str" ? `"${value}"` : `${value}`;
  };
}

/** JSON has no hexadecimal numbers. */
function jsonHex(read: NumberOf, digits: number): TextOf {
  return (v) => {
    const value = read(v);
    return Number.isNaN(value) ? "null" : `"${hexOf(value, digits)}"`;
  };
}
