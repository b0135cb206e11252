// Headgate's own state file as text: the lines of `show servers state`, and behind them in comments, which HAProxy skips, what it has no
// columns for. Its last line has a checksum, so that a file that was cut off or altered is known. Pure.

import { crc32 } from "node:zlib";
import { formatEndpoint } from "../../config/address.ts";
import { AdminState, SERVER_WORDS, V_ADMIN, V_MAXCONN } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Eviction, SavedEviction, ServerEviction } from "../reconcile/eviction.ts";
import type { Registry, ServerEntry } from "../registry.ts";
import { STATE_HEADER, STATE_VERSION, stateLine } from "./state-columns.ts";
import { readStateRecord, type StateRecord, splitStateLine } from "./state-record.ts";

const MARK = "# headgate ";
/** The second line: whose file it is. */
const TITLE = `${MARK}state 1: written while it runs and read at its start; do not edit`;
const BEGINNING = `${STATE_VERSION}\n${TITLE}\n`;

/** What the operator changed of a server, beside its record; each with the configuration's word at that time. */
export interface OwnServer {
  readonly record: StateRecord;
  readonly maxconn?: { readonly value: number; readonly configured: number };
  /** The record's address is the operator's. */
  readonly configuredAddress?: string;
  /** The record's name is the operator's. */
  readonly configuredName?: string;
}

export interface OwnEviction extends SavedEviction {
  readonly backend: string;
  readonly server: string;
}

export interface OwnState {
  readonly servers: readonly OwnServer[];
  readonly evictions: readonly OwnEviction[];
}

/** Why a file is refused. */
export interface Refusal {
  /** From 1. */
  readonly line: number;
  /** "expected ..., found ..." */
  readonly reason: string;
  /** It has not been written by Headgate, and must not be written over. */
  readonly isForeign: boolean;
}

/**
 * What is in force now, piece by piece: a table may be long. `isOperators`: the address of the server is the operator's choice.
 */
export function* ownStateParts(
  memory: SharedMemory,
  registry: Registry,
  evictions: readonly Eviction[],
  isOperators: (server: ServerEntry) => boolean,
): Generator<string> {
  let lines = 0;
  let checksum = 0;
  const counted = (part: string): string => {
    lines += part.split("\n").length - 1;
    checksum = crc32(part, checksum);
    return part;
  };
  yield counted(`${BEGINNING}${STATE_HEADER}\n`);
  const more: string[] = [];
  for (const backend of registry.proxies) {
    let part = "";
    for (const server of backend.servers) {
      if (isLeaving(server)) continue;
      part += `${stateLine(memory, server)}\n`;
      const words = serverWords(memory, server, isOperators(server));
      if (words !== "") more.push(`${MARK}server ${backend.name} ${server.name}${words}\n`);
    }
    if (part !== "") yield counted(part);
  }
  for (const eviction of evictions) {
    // The sessions of one without a server do not outlive the process.
    const { outcome, server } = eviction;
    if (outcome === "running" && server !== undefined && !isLeaving(server)) more.push(`${evictionLine(eviction)}\n`);
  }
  yield counted(more.join(""));
  yield `${endLine(lines, checksum)}\n`;
}

/** What leaves does not come back, and another server may have its name by now. */
const isLeaving = ({ leaving, backend }: ServerEntry): boolean =>
  leaving !== undefined || backend.leaving !== undefined;

/** The last line: how many there are before it, and their checksum. */
const endLine = (lines: number, checksum: number): string =>
  `${MARK}end ${lines} ${checksum.toString(16).padStart(8, "0")}`;

function serverWords(memory: SharedMemory, server: ServerEntry, isOperators: boolean): string {
  const { config } = server;
  const row = server.index * SERVER_WORDS;
  const maxconn = memory.serversI32[row + V_MAXCONN];
  const isRenamed = (memory.serversI32[row + V_ADMIN] & AdminState.FQDN_CHANGED) !== 0 && server.service === undefined;
  const words: Record<string, string | number> = {
    ...(maxconn === config.maxconn ? {} : { maxconn, "configured-maxconn": config.maxconn }),
    ...(isOperators ? { "configured-address": configuredAddress(server) } : {}),
    ...(isRenamed ? { "configured-name": configuredName(server) } : {}),
  };
  return wordsText(words);
}

/** The address and the name of the configuration, to see whether it has changed since. */
export const configuredAddress = ({ config }: ServerEntry): string => formatEndpoint(config.endpoint);
export const configuredName = ({ config }: ServerEntry): string =>
  config.endpoint.kind === "inet" ? config.endpoint.host : "-";

const wordsText = (words: Readonly<Record<string, string | number>>): string =>
  Object.entries(words)
    .map(([name, value]) => ` ${name}=${value}`)
    .join("");

/** What an eviction's line says, by the word for it. */
const REQUEST_TIMES = { drain: "drainMs", idle: "idleMs", over: "overMs", rate: "ratePerSecond" } as const;
const REQUEST_FLAGS = { reset: "resetClients", delete: "deleteServer", foreign: "destroyForeign" } as const;
const STATES = ["queued", "connecting", "turnAround", "established", "halfClosed"] as const;
const COUNTS = ["matched", "cutIdle", "cutPaced", "cutAtDeadline", "discardedBytes"] as const;
const ORDERS = ["idle", "oldest", "random"] as const;

function evictionLine(eviction: ServerEviction): string {
  const { request, server } = eviction;
  const words: Record<string, string | number> = { begin: eviction.startedWallMs, order: request.order };
  for (const [word, field] of Object.entries(REQUEST_TIMES)) words[word] = request[field];
  for (const [word, field] of Object.entries(REQUEST_FLAGS)) words[word] = request[field] ? 1 : 0;
  if (request.deadlineMs !== undefined) words.deadline = request.deadlineMs;
  for (const field of COUNTS) words[field] = eviction[field];
  for (const field of STATES) words[field] = eviction.byState[field];
  return `${MARK}eviction ${eviction.id} ${server.backend.name} ${server.name}${wordsText(words)}`;
}

/** Reads a file of `ownStateParts`. Undefined where it is refused says nothing of it holds. */
export function readOwnState(text: string): { readonly state: OwnState } | { readonly refused: Refusal } {
  const refuse = (line: number, reason: string, isForeign = false) => ({ refused: { line, reason, isForeign } });
  if (!text.startsWith(BEGINNING)) return refuseBeginning(text);
  const lines = text.split("\n");
  const records = new Map<string, OwnServer>();
  const evictions: OwnEviction[] = [];
  for (let at = 2; at < lines.length - 2; at++) {
    const line = lines[at] ?? "";
    if (line.startsWith(`${MARK}end `)) return refuse(at + 1, "expected nothing behind the last line");
    const fault = line.startsWith(MARK) ? readMore(line, records, evictions) : readLine(line, records);
    if (fault !== undefined) return refuse(at + 1, fault);
  }
  const last = lines.length - 2;
  const end = lines[last] ?? "";
  const number = last + 1;
  if (lines.at(-1) !== "")
    return refuse(lines.length, `expected a whole line, found ${quoted(lines.at(-1))}: the file is cut off`);
  if (!end.startsWith(`${MARK}end `))
    return refuse(number, `expected '${MARK}end ...' as the last line, found ${quoted(end)}: the file is cut off`);
  const before = text.slice(0, text.length - end.length - 1);
  const expected = endLine(before.split("\n").length - 1, crc32(before));
  if (end !== expected) return refuse(number, `expected '${expected}', found ${quoted(end)}: the file was altered`);
  return { state: { servers: [...records.values()], evictions } };
}

function refuseBeginning(text: string): { readonly refused: Refusal } {
  const [first = "", second = ""] = text.split("\n");
  const refusal = (line: number, expected: string, found: string): { readonly refused: Refusal } => ({
    refused: { line, reason: `expected '${expected}', found ${found}`, isForeign: !BEGINNING.startsWith(text) },
  });
  if (first !== STATE_VERSION || !text.includes("\n"))
    return refusal(1, STATE_VERSION, text === "" ? "an empty file" : quoted(first));
  return refusal(2, TITLE, text.split("\n").length < 3 && second === "" ? "the end of the file" : quoted(second));
}

/** Text of a file in a message: at most so long, nothing that a terminal acts on. */
const QUOTED_MOST = 60;
function quoted(text = ""): string {
  const plain = JSON.stringify(text.slice(0, QUOTED_MOST)).slice(1, -1);
  return `'${plain}${text.length > QUOTED_MOST ? "..." : ""}'`;
}

const keyOf = (backend: string, server: string): string => `${backend} ${server}`;

/** A server's line; what is wrong with it, if anything is. */
function readLine(line: string, records: Map<string, OwnServer>): string | undefined {
  const parsed = splitStateLine(line);
  if (parsed === undefined)
    return line === STATE_HEADER ? undefined : `expected a server's state, found ${quoted(line)}`;
  if ("fault" in parsed) return parsed.fault;
  const read = readStateRecord(parsed.fields);
  if ("faults" in read) return `expected values of 'show servers state', found ${read.faults.join(", ")}`;
  records.set(keyOf(read.record.backend, read.record.server), { record: read.record });
  return undefined;
}

/** A line of what HAProxy has no columns for. */
function readMore(line: string, records: Map<string, OwnServer>, evictions: OwnEviction[]): string | undefined {
  const [kind, ...rest] = line.slice(MARK.length).split(" ");
  const names = rest.filter((word) => !word.includes("="));
  const words = new Map(rest.filter((word) => word.includes("=")).map((word) => splitWord(word)));
  if (kind === "server") return readServerWords(names, words, records);
  if (kind === "eviction") return readEviction(names, words, evictions);
  return `expected 'server', 'eviction' or 'end' behind '${MARK.trim()}', found ${quoted(kind)}`;
}

const splitWord = (word: string): readonly [string, string] => {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
};

type Words = ReadonlyMap<string, string>;

/** A whole number of at least 0; NaN where there is none. */
const numberOf = (words: Words, name: string): number => {
  const text = words.get(name) ?? "";
  return /^\d{1,16}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
};

function readServerWords(names: readonly string[], words: Words, records: Map<string, OwnServer>): string | undefined {
  const [backend = "", name = ""] = names;
  const server = records.get(keyOf(backend, name));
  if (server === undefined) return `expected a server of the lines above, found ${quoted(names.join("/"))}`;
  const value = numberOf(words, "maxconn");
  const configured = numberOf(words, "configured-maxconn");
  if (words.has("maxconn") && (Number.isNaN(value) || Number.isNaN(configured)))
    return "expected numbers behind 'maxconn='";
  const address = words.get("configured-address");
  const fqdn = words.get("configured-name");
  records.set(keyOf(backend, name), {
    ...server,
    ...(words.has("maxconn") ? { maxconn: { value, configured } } : {}),
    ...(address === undefined ? {} : { configuredAddress: address }),
    ...(fqdn === undefined ? {} : { configuredName: fqdn }),
  });
  return undefined;
}

function readEviction(names: readonly string[], words: Words, evictions: OwnEviction[]): string | undefined {
  const [id = "", backend = "", server = ""] = names;
  const numbers = ["begin", ...Object.keys(REQUEST_TIMES), ...Object.keys(REQUEST_FLAGS), ...COUNTS, ...STATES];
  const missing = numbers.find((name) => Number.isNaN(numberOf(words, name)));
  if (missing !== undefined) return `expected a number behind '${missing}='`;
  const order = ORDERS.find((known) => known === words.get("order"));
  if (order === undefined) return `expected ${ORDERS.join(", ")} behind 'order=', found ${quoted(words.get("order"))}`;
  const number = (name: string): number => numberOf(words, name);
  const deadlineMs = words.has("deadline") ? number("deadline") : undefined;
  if (!/^\d{1,9}$/.test(id) || server === "" || Number.isNaN(deadlineMs))
    return "expected an eviction's number, backend and server";
  evictions.push({
    id: Number(id),
    backend,
    server,
    startedWallMs: number("begin"),
    request: {
      drainMs: number("drain"),
      idleMs: number("idle"),
      overMs: number("over"),
      ratePerSecond: number("rate"),
      order,
      deadlineMs,
      resetClients: number("reset") === 1,
      deleteServer: number("delete") === 1,
      destroyForeign: number("foreign") === 1,
    },
    matched: number("matched"),
    byState: {
      queued: number("queued"),
      connecting: number("connecting"),
      turnAround: number("turnAround"),
      established: number("established"),
      halfClosed: number("halfClosed"),
    },
    cutIdle: number("cutIdle"),
    cutPaced: number("cutPaced"),
    cutAtDeadline: number("cutAtDeadline"),
    discardedBytes: number("discardedBytes"),
  });
  return undefined;
}
