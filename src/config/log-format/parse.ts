// The text of a log format to its items, with HAProxy's rules for names, flags and expressions. Pure; control thread, once
// when a file is read. Goes on after an error, so that one run shows every wrong item.

import { didYouMean } from "../nearest.ts";
import { LOG_TYPES, type LogFlags, type LogFormat, type LogItem, type LogType } from "./log-format.ts";
import { HTTP_ALTERNATIVES, HTTP_VARIABLES, isLogVariable, LOG_EXPRESSIONS, LOG_VARIABLES } from "./variables.ts";

/** Takes what is wrong, at a stretch of the format's text. */
export interface FormatReport {
  error(code: string, message: string, at: number, length: number, hint?: string): void;
  warning(code: string, message: string, at: number, length: number, hint?: string): void;
}

const FLAGS = { Q: "quote", X: "hex", E: "escape", json: "json", M: "dash" } as const;
type FlagName = keyof typeof FLAGS;
const UNSUPPORTED_FLAGS = ["cbor", "bin"];

type MutableFlags = { -readonly [K in keyof LogFlags]: LogFlags[K] };

interface Scanner {
  readonly text: string;
  readonly report: FormatReport;
  readonly items: LogItem[];
  at: number;
  /** Flags that `%o` set for the items after it. */
  defaults: MutableFlags;
  /** What every `%o` so far says of json; undefined while there was none. */
  jsonOfAll: boolean | undefined;
}

/** Where an item begins, and what stands before its variable or expression. */
interface ItemHead {
  readonly start: number;
  readonly name: string | undefined;
  readonly type: LogType | undefined;
  readonly flags: MutableFlags;
}

/** Reads a whole format. Where an item is wrong it is reported and missing in the result. */
export function parseLogFormat(text: string, report: FormatReport): LogFormat {
  const s: Scanner = { text, report, items: [], at: 0, defaults: { dash: true }, jsonOfAll: undefined };
  while (s.at < text.length) {
    if (text[s.at] === "%") readItem(s);
    else if (text[s.at] === " ") {
      if (s.items.at(-1)?.kind !== "blank") s.items.push({ kind: "blank" });
      s.at++;
    } else readText(s);
  }
  return s.jsonOfAll === true ? jsonFormat(s) : { items: s.items };
}

/** One object: only named values are in it, and all of them are written as JSON. */
function jsonFormat(s: Scanner): LogFormat {
  const isLeftOut = (item: LogItem): boolean => item.kind === "text" || (item.kind !== "blank" && !item.name);
  if (s.items.some(isLeftOut)) {
    const hint = "name a value: %(client)ci";
    s.report.warning("left-out", "what has no name is left out of a JSON line", 0, s.text.length, hint);
  }
  const items: LogItem[] = [];
  for (const item of s.items) {
    if ((item.kind === "value" || item.kind === "constant") && item.name) items.push({ ...item, json: true });
  }
  return { isJson: true, items };
}

function pushText(s: Scanner, text: string): void {
  const last = s.items.at(-1);
  if (last?.kind === "text") s.items[s.items.length - 1] = { kind: "text", text: last.text + text };
  else s.items.push({ kind: "text", text });
}

function readText(s: Scanner): void {
  const end = s.text.slice(s.at).search(/[% ]/);
  const text = end < 0 ? s.text.slice(s.at) : s.text.slice(s.at, s.at + end);
  pushText(s, text);
  s.at += text.length;
}

function readItem(s: Scanner): void {
  const start = s.at++;
  if (s.text[s.at] === "%") {
    pushText(s, "%");
    s.at++;
    return;
  }
  const named = readName(s, start);
  if (named === undefined) return;
  const flags = readFlags(s, start);
  if (flags === undefined) return;
  const head: ItemHead = { start, ...named, flags };
  if (s.text[s.at] === "[") readExpression(s, head);
  else readVariable(s, head);
}

/** `(<name>[:<type>])`, if there is one. Undefined after an error, with the scanner behind what is wrong. */
function readName(s: Scanner, start: number): Pick<ItemHead, "name" | "type"> | undefined {
  if (s.text[s.at] !== "(") return { name: undefined, type: undefined };
  const match = /^\(([A-Za-z0-9_-]*)(?::([A-Za-z0-9_-]*))?\)/.exec(s.text.slice(s.at));
  if (match === null) {
    const length = Math.max(2, (s.text.slice(start).match(/^[^)\s]*\)?/)?.[0] ?? "").length);
    const message = "the name of a log item takes letters, digits, '_' and '-', and a type after ':'";
    s.report.error("bad-log-format", message, start, length, "as in %(client:str)ci");
    s.at = start + length;
    return undefined;
  }
  s.at += match[0].length;
  const [, name, typed] = match;
  const type = LOG_TYPES.find((known) => known === typed);
  if (typed !== undefined && type === undefined) {
    const message = `unknown type '${typed}' of a log item: known are ${LOG_TYPES.join(", ")}`;
    s.report.error("bad-log-format", message, start, s.at - start);
  }
  return { name: name === "" ? undefined : name, type };
}

/** `{<flags>}`, if there are any, on top of those of `%o`. Undefined after an error that leaves no item. */
function readFlags(s: Scanner, start: number): MutableFlags | undefined {
  const flags = { ...s.defaults };
  if (s.text[s.at] !== "{") return flags;
  const end = s.text.indexOf("}", s.at);
  if (end < 0) {
    s.report.error("bad-log-format", "missing '}' in a log format", start, s.text.length - start);
    s.at = s.text.length;
    return undefined;
  }
  let at = s.at + 1;
  for (const part of s.text.slice(at, end).split(",")) {
    setFlag(s, flags, part, at);
    at += part.length + 1;
  }
  s.at = end + 1;
  return flags;
}

function setFlag(s: Scanner, flags: MutableFlags, part: string, at: number): void {
  const sign = /[+-](?=[^+-]*$)/.exec(part);
  const name = sign === null ? part.trim() : part.slice(sign.index + 1);
  const length = Math.max(1, part.length);
  if (UNSUPPORTED_FLAGS.includes(name)) {
    s.report.error("unsupported", `the flag '${name}' is known to HAProxy but not supported by Headgate`, at, length);
  } else if (!Object.hasOwn(FLAGS, name)) {
    const hint = didYouMean(name, Object.keys(FLAGS)) ?? "known are Q, X, E and json";
    s.report.error("unknown-flag", `unknown flag '${name}' of a log item`, at, length, hint);
  } else if (sign === null) {
    const message = `the flag '${name}' is ignored, as in HAProxy: it has no sign`;
    s.report.warning("no-sign", message, at, length, `'+${name}' turns it on, '-${name}' off`);
  } else if (sign[0] === "+") flags[FLAGS[name as FlagName]] = true;
  else delete flags[FLAGS[name as FlagName]];
}

function readVariable(s: Scanner, head: ItemHead): void {
  const { start } = head;
  const variable = /^[A-Za-z][A-Za-z0-9]*/.exec(s.text.slice(s.at))?.[0];
  if (variable === undefined) {
    const length = Math.max(1, s.at - start);
    const hint = "write '%%' for a percent sign";
    s.report.error("bad-log-format", "'%' must be followed by a variable of a log format", start, length, hint);
    return;
  }
  s.at += variable.length;
  if (variable === "o") {
    const isJson = head.flags.json === true;
    s.defaults = head.flags;
    s.jsonOfAll = s.jsonOfAll === undefined ? isJson : s.jsonOfAll && isJson;
  } else if (isLogVariable(variable)) {
    s.items.push({ kind: "value", of: variable, ...namesOf(head), ...head.flags });
  } else refuseVariable(s, variable, start);
}

function refuseVariable(s: Scanner, variable: string, start: number): void {
  const length = s.at - start;
  if (HTTP_VARIABLES.has(variable)) {
    const instead = HTTP_ALTERNATIVES[variable];
    const hint = instead === undefined ? undefined : `in mode tcp it is '${instead}'`;
    s.report.error(
      "http-variable",
      `'%${variable}' needs mode http: a TCP session has no such value`,
      start,
      length,
      hint,
    );
    return;
  }
  if (variable === "OG") {
    s.report.error("unsupported", "'%OG' is known to HAProxy but not supported by Headgate", start, length);
    return;
  }
  const near = didYouMean(
    `%${variable}`,
    [...LOG_VARIABLES].map(({ name }) => `%${name}`),
  );
  const hint = near ?? "write '%%' for a percent sign";
  s.report.error("unknown-variable", `unknown variable '%${variable}' in a log format`, start, length, hint);
}

function readExpression(s: Scanner, head: ItemHead): void {
  const end = expressionEnd(s.text, s.at + 1);
  if (end < 0) {
    s.report.error("bad-log-format", "missing ']' in a log format", head.start, s.text.length - head.start);
    s.at = s.text.length;
    return;
  }
  const expression = s.text.slice(s.at + 1, end);
  s.at = end + 1;
  const length = s.at - head.start;
  const constant = /^str\((?:'([^']*)'|"([^"\\$]*)"|([^(),'"\\]*))\)$/.exec(expression);
  const of = LOG_EXPRESSIONS.get(expression.replace(/\(\)$/, ""));
  if (constant !== null) {
    const { type: _type, ...named } = namesOf(head);
    s.items.push({ kind: "constant", text: constant[1] ?? constant[2] ?? constant[3] ?? "", ...named, ...head.flags });
  } else if (of !== undefined) {
    s.items.push({ kind: "value", of, isExpression: true, ...namesOf(head), ...head.flags });
  } else refuseExpression(s, expression, head.start, length);
}

function refuseExpression(s: Scanner, expression: string, start: number, length: number): void {
  const fetch = /^[A-Za-z0-9_.]*/.exec(expression)?.[0] ?? "";
  const known = [...LOG_EXPRESSIONS.keys(), "str"];
  if (known.includes(fetch)) {
    const message = `'%[${expression}]': arguments and converters are not supported by Headgate in a log format`;
    s.report.error("unsupported", message, start, length);
    return;
  }
  const hint = didYouMean(fetch, known) ?? `known are ${known.join(", ")}`;
  s.report.error(
    "unsupported",
    `the expression '${fetch}' is not supported by Headgate in a log format`,
    start,
    length,
    hint,
  );
}

/** The index of the `]` that ends an expression, -1 if there is none; one in parentheses is part of an argument. */
function expressionEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")") depth--;
    else if (text[at] === "]" && depth <= 0) return at;
  }
  return -1;
}

function namesOf({ name, type }: ItemHead): { name?: string; type?: LogType } {
  return { ...(name === undefined ? {} : { name }), ...(type === undefined ? {} : { type }) };
}
