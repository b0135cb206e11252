// Headgate's own state file as text: the lines of `show servers state`, and behind them in comments, which HAProxy skips, what it has no
// columns for. Its last line has a checksum, so that a file that was cut off or altered is known. Pure.

import { crc32 } from "node:zlib";
import { formatEndpoint } from "../../config/address.ts";
import { AdminState, SERVER_WORDS, V_ADMIN, V_MAXCONN } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Evictions } from "../reconcile/eviction.ts";
import type { Registry, ServerEntry } from "../registry.ts";
import { evictionLine, type OwnEviction, readEviction } from "./own-eviction.ts";
import { frontendLine, type OwnFrontend, type OwnLimit, processLine, readFrontend, readLimit } from "./own-frontend.ts";
import { MARK, numberOf, ownLine, quoted, splitOwnLine, type Words } from "./own-lines.ts";
import { type AddedServer, changedServerLines, type DeletedServer, readAdded, readDeleted } from "./own-servers.ts";
import { STATE_HEADER, STATE_VERSION, stateLine } from "./state-columns.ts";
import { readStateRecord, type StateRecord, splitStateLine } from "./state-record.ts";

/** The second line: whose file it is. */
const TITLE = `${MARK}state 1: written while it runs and read at its start; do not edit`;
const BEGINNING = `${STATE_VERSION}\n${TITLE}\n`;

/** What the operator changed of a server, beside its record; each with the configuration's word at that time. */
export interface OwnServer {
  readonly record: StateRecord;
  readonly maxconn?: OwnLimit;
  /** The record's address is the operator's. */
  readonly configuredAddress?: string;
  /** The record's name is the operator's. */
  readonly configuredName?: string;
}

/** What a file says; lists in its order. */
export interface OwnState {
  readonly servers: readonly OwnServer[];
  readonly added: readonly AddedServer[];
  readonly deleted: readonly DeletedServer[];
  readonly frontends: readonly OwnFrontend[];
  /** The limit of the process. */
  readonly maxconn: OwnLimit | undefined;
  readonly evictions: readonly OwnEviction[];
  /** The number of the last eviction that there was. */
  readonly lastEviction: number;
}

/** What is in force. */
export interface StateSource {
  readonly memory: SharedMemory;
  readonly registry: Registry;
  readonly evictions: Evictions;
  /** Of this program. */
  readonly version: string;
}

/** What the writer of the file knows besides. */
export interface Writing {
  /** The address of the server is the operator's choice. */
  readonly isOperators: (server: ServerEntry) => boolean;
  /** The process ends in good order. */
  readonly isEnding: boolean;
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

/** What is in force now, piece by piece: a table may be long. */
export function* ownStateParts(source: StateSource, { isOperators, isEnding }: Writing): Generator<string> {
  const { memory, registry, evictions, version } = source;
  let lines = 0;
  let checksum = 0;
  const counted = (part: string): string => {
    lines += part.split("\n").length - 1;
    checksum = crc32(part, checksum);
    return part;
  };
  yield counted(`${BEGINNING}${STATE_HEADER}\n`);
  const more: string[] = [];
  for (const proxy of registry.proxies) {
    const frontend = frontendLine(memory, registry, proxy, isEnding);
    if (frontend !== undefined) more.push(frontend);
    if (proxy.leaving === undefined && proxy.isBackend) more.push(...changedServerLines(proxy, version));
    let part = "";
    for (const server of proxy.servers) {
      if (isLeaving(server)) continue;
      part += `${stateLine(memory, server)}\n`;
      const words = serverWords(memory, server, isOperators(server));
      if (Object.keys(words).length > 0) more.push(ownLine("server", [proxy.name, server.name], words));
    }
    if (part !== "") yield counted(part);
  }
  const ofProcess = processLine(memory, registry);
  if (ofProcess !== undefined) more.push(ofProcess);
  for (const eviction of evictions.all) {
    const { outcome, server } = eviction;
    const isOver = outcome !== "running" || (server !== undefined && isLeaving(server));
    if (!isOver) more.push(evictionLine(memory, eviction));
  }
  if (evictions.last > 0) more.push(ownLine("last-eviction", [], { id: evictions.last }));
  yield counted(more.map((line) => `${line}\n`).join(""));
  yield `${endLine(lines, checksum)}\n`;
}

/** What leaves does not come back, and another server may have its name by now. */
const isLeaving = ({ leaving, backend }: ServerEntry): boolean =>
  leaving !== undefined || backend.leaving !== undefined;

/** The last line: how many there are before it, and their checksum. */
const endLine = (lines: number, checksum: number): string =>
  `${MARK}end ${lines} ${checksum.toString(16).padStart(8, "0")}`;

function serverWords(
  memory: SharedMemory,
  server: ServerEntry,
  isOperators: boolean,
): Readonly<Record<string, string | number>> {
  const { config } = server;
  const row = server.index * SERVER_WORDS;
  const maxconn = memory.serversI32[row + V_MAXCONN];
  const isRenamed = (memory.serversI32[row + V_ADMIN] & AdminState.FQDN_CHANGED) !== 0 && server.service === undefined;
  return {
    ...(maxconn === config.maxconn ? {} : { maxconn, "configured-maxconn": config.maxconn }),
    ...(isOperators ? { "configured-address": configuredAddress(server) } : {}),
    ...(isRenamed ? { "configured-name": configuredName(server) } : {}),
  };
}

/** The address and the name of the configuration, to see whether it has changed since. */
export const configuredAddress = ({ config }: ServerEntry): string => formatEndpoint(config.endpoint);
export const configuredName = ({ config }: ServerEntry): string =>
  config.endpoint.kind === "inet" ? config.endpoint.host : "-";

/** Reads a file of `ownStateParts`. Undefined where it is refused says nothing of it holds. */
export function readOwnState(text: string): { readonly state: OwnState } | { readonly refused: Refusal } {
  const refuse = (line: number, reason: string, isForeign = false) => ({ refused: { line, reason, isForeign } });
  if (!text.startsWith(BEGINNING)) return refuseBeginning(text);
  const lines = text.split("\n");
  const draft = new StateDraft();
  for (let at = 2; at < lines.length - 2; at++) {
    const line = lines[at] ?? "";
    if (line.startsWith(`${MARK}end `)) return refuse(at + 1, "expected nothing behind the last line");
    const fault = line.startsWith(MARK) ? draft.readMore(line) : draft.readLine(line);
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
  return { state: draft.state() };
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

const keyOf = (backend: string, server: string): string => `${backend} ${server}`;

/** A file's state while its lines are read. */
class StateDraft {
  private readonly servers = new Map<string, OwnServer>();
  private readonly added: AddedServer[] = [];
  private readonly deleted: DeletedServer[] = [];
  private readonly frontends: OwnFrontend[] = [];
  private readonly evictions: OwnEviction[] = [];
  private maxconn: OwnLimit | undefined;
  private lastEviction = 0;

  state(): OwnState {
    const { added, deleted, frontends, maxconn, evictions, lastEviction } = this;
    return { servers: [...this.servers.values()], added, deleted, frontends, maxconn, evictions, lastEviction };
  }

  /** A server's line; what is wrong with it, if anything is. */
  readLine(line: string): string | undefined {
    const parsed = splitStateLine(line);
    if (parsed === undefined)
      return line === STATE_HEADER ? undefined : `expected a server's state, found ${quoted(line)}`;
    if ("fault" in parsed) return parsed.fault;
    const read = readStateRecord(parsed.fields);
    if ("faults" in read) return `expected values of 'show servers state', found ${read.faults.join(", ")}`;
    this.servers.set(keyOf(read.record.backend, read.record.server), { record: read.record });
    return undefined;
  }

  /** A line of what HAProxy has no columns for; what is wrong with it, if anything is. */
  readMore(line: string): string | undefined {
    const { kind, names, words } = splitOwnLine(line);
    const add = <T>(list: T[], read: T | undefined): string | undefined => {
      if (read === undefined) return `expected the names and values of '${MARK}${kind}', found ${quoted(line)}`;
      list.push(read);
      return undefined;
    };
    switch (kind) {
      case "server":
        return this.readServerWords(names, words);
      case "added":
        return add(this.added, readAdded(names, words));
      case "deleted":
        return add(this.deleted, readDeleted(names, words));
      case "frontend":
        return add(this.frontends, readFrontend(names, words));
      case "process":
        this.maxconn = readLimit(words) ?? undefined;
        return this.maxconn === undefined ? "expected numbers behind 'maxconn='" : undefined;
      case "last-eviction":
        this.lastEviction = numberOf(words, "id");
        return Number.isNaN(this.lastEviction) ? "expected a number behind 'id='" : undefined;
      case "eviction":
      case "sessions": {
        const read = readEviction(kind, names, words);
        return "fault" in read ? read.fault : add(this.evictions, read.eviction);
      }
      default:
        return `expected a word for what follows behind '${MARK.trim()}', found ${quoted(kind)}`;
    }
  }

  private readServerWords(names: readonly string[], words: Words): string | undefined {
    const [backend = "", name = ""] = names;
    const server = this.servers.get(keyOf(backend, name));
    if (server === undefined) return `expected a server of the lines above, found ${quoted(names.join("/"))}`;
    const maxconn = readLimit(words);
    if (maxconn === null) return "expected numbers behind 'maxconn='";
    const address = words.get("configured-address");
    const fqdn = words.get("configured-name");
    this.servers.set(keyOf(backend, name), {
      ...server,
      ...(maxconn === undefined ? {} : { maxconn }),
      ...(address === undefined ? {} : { configuredAddress: address }),
      ...(fqdn === undefined ? {} : { configuredName: fqdn }),
    });
    return undefined;
  }
}
