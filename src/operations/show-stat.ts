// `show stat`: a table of counters for each frontend, server and backend, as CSV, typed lines or JSON.

import type { Program } from "../control/program.ts";
import type { ProxyEntry } from "../control/registry.ts";
import { dump, failure } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { resolversCsv } from "./show-resolvers.ts";
import { csvLine, STAT_FIELDS, STAT_HEADER } from "./stat-fields.ts";
import { backendRow, frontendRow, type StatRow, serverRow } from "./stat-rows.ts";
import { isDown, isInMaintenance } from "./state-text.ts";
import type { Found } from "./targets.ts";
import { jsonItem, typedTail } from "./typed-values.ts";

const TYPE_FRONTEND = 1;
const TYPE_BACKEND = 2;
const TYPE_SERVER = 4;
const TYPE_ALL = -1;

interface Selection {
  readonly proxies: readonly ProxyEntry[];
  readonly types: number;
  /** undefined: all. */
  readonly sid?: number;
}

export const showStat: Operation = {
  words: ["show", "stat"],
  args: "[<px> <type> <sid>] [<word>]*",
  level: "user",
  summary: "show counters (words: typed, json, desc, up, no-maint)",
  run({ program }, args) {
    const [first, domain] = args;
    if (first === "domain" && domain === "resolvers") return dump(resolversCsv(program.resolvers()));
    if (first === "domain" && domain !== "proxy") return failure("Invalid statistics domain.");
    const words = first === "domain" ? args.slice(2) : args;
    const selection = select(program, words);
    if (selection.error !== undefined) return failure(selection.error);
    const format = words.findLast((word) => word === "typed" || word === "json") ?? "csv";
    const rows = rowsOf(program, selection.found, words.includes("up"), words.includes("no-maint"));
    if (format === "json") return dump(`${JSON.stringify(rows.map(jsonRow))}\n`);
    if (format === "typed") return dump(rows.map((row) => typedRow(row, words.includes("desc"))).join(""));
    return dump(STAT_HEADER + rows.map(csvRow).join(""));
  },
};

/** The three selectors count only together, as in HAProxy; with fewer, everything is shown. */
function select(program: Program, words: readonly string[]): Found<Selection> {
  const all = program.registry.proxies;
  const [name, type, sid] = words;
  if (name === undefined || type === undefined || sid === undefined)
    return { found: { proxies: all, types: TYPE_ALL } };
  const number = (text: string): number => Number.parseInt(text, 10) || 0;
  const iid = all.find((proxy) => proxy.name === name)?.id ?? number(name);
  if (iid === 0) return { error: "No such proxy." };
  return {
    found: {
      proxies: iid === -1 ? all : all.filter((proxy) => proxy.id === iid),
      types: number(type),
      ...(number(sid) === -1 ? {} : { sid: number(sid) }),
    },
  };
}

function rowsOf(program: Program, selection: Selection, onlyUp: boolean, noMaint: boolean): StatRow[] {
  const { memory } = program;
  const rows: StatRow[] = [];
  for (const proxy of selection.proxies) {
    if (proxy.isFrontend && (selection.types & TYPE_FRONTEND) !== 0) rows.push(frontendRow(program, proxy));
    if (!proxy.isBackend) continue;
    for (const server of proxy.servers) {
      if ((selection.types & TYPE_SERVER) === 0) break;
      if (selection.sid !== undefined && server.id !== selection.sid) continue;
      if ((onlyUp || noMaint) && isInMaintenance(memory, server)) continue;
      if (onlyUp && isDown(memory, server)) continue;
      rows.push(serverRow(program, server));
    }
    if ((selection.types & TYPE_BACKEND) !== 0) rows.push(backendRow(program, proxy, onlyUp || noMaint));
  }
  return rows;
}

/** The values of a row by position, "" where there is none. */
function valuesOf(row: StatRow): (string | number)[] {
  return STAT_FIELDS.map((column) => {
    const field = column.kinds[row.kind];
    const value = row.values[column.name];
    if (value !== undefined) return value;
    return field === undefined || field.type === "str" ? "" : 0;
  });
}

const csvRow = (row: StatRow): string => csvLine(valuesOf(row).map(csvValue));

/** What a server answered to a check may hold anything: quoted where it has to be, and never of more than one line. */
function csvValue(value: string | number): string | number {
  if (typeof value === "number") return value;
  const line = value.replaceAll("\n", " ").replaceAll("\r", "").replaceAll('"', '""').trimEnd();
  return /[\n\r,"]/.test(value) ? `"${line}"` : line;
}

function typedRow(row: StatRow, described: boolean): string {
  return valuesOf(row)
    .map((value, position) => {
      const field = STAT_FIELDS[position].kinds[row.kind];
      if (value === "" || field === undefined) return "";
      return `${row.kind}.${row.iid}.${row.sid}.${position}.${field.name}${typedTail(field, value, described)}\n`;
    })
    .join("");
}

const OBJECT_TYPES = { F: "Frontend", B: "Backend", S: "Server" } as const;

function jsonRow(row: StatRow): object[] {
  const before = { objType: OBJECT_TYPES[row.kind], proxyId: row.iid, id: row.sid };
  return valuesOf(row).flatMap((value, position) => {
    const field = STAT_FIELDS[position].kinds[row.kind];
    return value === "" || field === undefined ? [] : [jsonItem(before, position, field, value)];
  });
}
