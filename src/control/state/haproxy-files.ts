// Server state files as HAProxy reads them (`server-state-file`, `load-server-state-from-file`): which lines are for which server, and what
// is said about the rest. Nothing in them stops the start. Control thread, at start.

import { readFileSync } from "node:fs";
import type { Config, ProxyConfig } from "../../config/model.ts";
import { errorText } from "../../sys/libc.ts";
import { STATE_VERSION } from "./state-columns.ts";
import { readStateRecord, type StateRecord, splitStateLine } from "./state-record.ts";

/** Where messages go at start. */
export type Say = (severity: "NOTICE" | "WARNING", text: string) => void;

/** A server's state by the names of its backend and its own. */
export type StatesByName = ReadonlyMap<string, ReadonlyMap<string, StateRecord>>;

type Fields = readonly string[];

/** Reads the files that the configuration names; each once. */
export function readServerStates(config: Config, say: Say): StatesByName {
  const states = new Map<string, ReadonlyMap<string, StateRecord>>();
  let global: ReadonlyMap<string, Fields> | undefined;
  for (const proxy of config.proxies) {
    const { serverState } = proxy;
    if (serverState === undefined || proxy.disabled || proxy.servers.length === 0) continue;
    const { from, file } = serverState;
    if (from === "global") global ??= globalLines(file, say);
    const lines = from === "global" ? global : localLines(proxy, file, say);
    states.set(proxy.name, recordsOf(proxy, lines ?? new Map(), say));
  }
  return states;
}

/** The lines of the global file by "<backend> <server>". */
function globalLines(file: string, say: Say): ReadonlyMap<string, Fields> {
  const shown = `global server state file '${file}'`;
  const found = new Map<string, Fields>();
  const lines = linesOf(file, say, {
    unreadable: (why) => `config: Can't open ${shown}: ${why}`,
    empty: `config: Empty ${shown}.`,
    unversioned: `config: Can't get version of the ${shown}.`,
    corrupted: (line) => `config: corrupted ${shown} at line ${line}.`,
  });
  for (const fields of lines) addFirst(found, `${fields[1]} ${fields[3]}`, fields);
  return found;
}

/** The lines of a backend's own file, which may know it by another number, or by its number and another name. */
function localLines(proxy: ProxyConfig, file: string, say: Say): ReadonlyMap<string, Fields> {
  const start = `Proxy '${proxy.name}':`;
  const shown = `server state file '${file}'`;
  const found = new Map<string, Fields>();
  const lines = linesOf(file, say, {
    unreadable: (why) => `${start} Can't open ${shown}: ${why}.`,
    empty: `${start} Empty ${shown}.`,
    unversioned: `${start} Can't get version of the ${shown}.`,
    corrupted: (line) => `${start} corrupted ${shown} at line ${line}.`,
  });
  for (const fields of lines) {
    const isSameId = Number.parseInt(fields[0] ?? "", 10) === proxy.id;
    const isSameName = fields[1] === proxy.name;
    if (!isSameId && !isSameName) continue;
    const mismatch = (what: string, own: string | number): void =>
      say(
        "WARNING",
        `${start} backend ${what} mismatch: from server state file: '${fields[what === "ID" ? 0 : 1]}', from running config '${own}'`,
      );
    if (!isSameId) mismatch("ID", proxy.id);
    else if (!isSameName) {
      mismatch("name", proxy.name);
      if (fields[15] !== "1") continue;
    }
    addFirst(found, `${proxy.name} ${fields[3]}`, fields);
  }
  const known = new Set(proxy.servers.map(({ name }) => `${proxy.name} ${name}`));
  for (const [key, fields] of found) {
    if (!known.has(key)) say("WARNING", `${start} can't find server '${fields[3]}' in backend '${proxy.name}'`);
  }
  return found;
}

function addFirst(lines: Map<string, Fields>, key: string, fields: Fields): void {
  if (!lines.has(key)) lines.set(key, fields);
}

interface FileMessages {
  readonly unreadable: (why: string) => string;
  readonly empty: string;
  readonly unversioned: string;
  readonly corrupted: (line: number) => string;
}

/**
 * The fields of all lines; none, and a message, where anything is wrong with one of them. Lines count from 1 behind the
 * version, as in HAProxy.
 */
function linesOf(file: string, say: Say, messages: FileMessages): readonly Fields[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { errno = 0, code } = error as NodeJS.ErrnoException;
    say(code === "ENOENT" ? "NOTICE" : "WARNING", messages.unreadable(errorText(Math.abs(errno))));
    return [];
  }
  if (text === "") {
    say("NOTICE", messages.empty);
    return [];
  }
  const [version, ...lines] = text.split("\n");
  // What follows the last line feed is a line that is not complete, unless it is nothing.
  const rest = lines.pop();
  if (rest === undefined || version !== STATE_VERSION) {
    say("WARNING", messages.unversioned);
    return [];
  }
  const found: Fields[] = [];
  for (const [index, line] of lines.entries()) {
    const parsed = splitStateLine(line);
    if (parsed === undefined) continue;
    if ("fault" in parsed) {
      say("WARNING", messages.corrupted(index + 1));
      return [];
    }
    found.push(parsed.fields);
  }
  if (rest === "") return found;
  say("WARNING", messages.corrupted(lines.length + 1));
  return [];
}

function recordsOf(proxy: ProxyConfig, lines: ReadonlyMap<string, Fields>, say: Say): ReadonlyMap<string, StateRecord> {
  const records = new Map<string, StateRecord>();
  for (const { name } of proxy.servers) {
    const fields = lines.get(`${proxy.name} ${name}`);
    if (fields === undefined) continue;
    const read = readStateRecord(fields);
    if ("record" in read) records.set(name, read.record);
    else
      say("WARNING", `server-state application failed for server '${proxy.name}/${name}', ${read.faults.join(", ")}`);
  }
  return records;
}
