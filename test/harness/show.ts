// Texts of the Runtime API as objects: `show stat`, `show info`, `show sess`, `show servers state|conn`. Only what the formats
// promise is read: column names for tables, `name=value` words for sessions.

/** One row of a table, by column name. */
export type Row = Readonly<Record<string, string>>;

/** `show stat`: rows by the header's names ("# pxname" is "pxname"). */
export function parseStat(text: string): Row[] {
  const lines = text.split("\n").filter((line) => line !== "");
  const header = lines[0]?.replace(/^# /, "").split(",") ?? [];
  if (header[0] !== "pxname") throw new Error(`not a "show stat" answer: ${text.slice(0, 200)}`);
  return lines.slice(1).map((line) => {
    // Values with commas or quotes are quoted, as in CSV.
    const values = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map(([, value = ""]) =>
      value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value,
    );
    return Object.fromEntries(header.map((name, i) => [name, values[i] ?? ""]));
  });
}

/** The one row of `show stat` for a proxy and "FRONTEND", "BACKEND" or a server's name. */
export function statRow(rows: readonly Row[], proxy: string, name: string): Row {
  const row = rows.find((r) => r.pxname === proxy && r.svname === name);
  if (!row) throw new Error(`no row ${proxy}/${name} in "show stat"`);
  return row;
}

/** `show info`: "Name: value" lines. */
export function parseInfo(text: string): Row {
  const entries = text
    .split("\n")
    .map((line) => /^([^:]+): ?(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => [match[1]!, match[2]!]);
  return Object.fromEntries(entries);
}

/** What a session's line says about its server side (`scb=[n,`): HAProxy's numbers for the life of a connection. */
export const SERVER_SIDE = {
  queued: 2,
  turnAround: 3,
  connecting: 5,
  established: 8,
  closed: 10,
} as const;

/** One line of `show sess`. */
export interface ShownSession {
  readonly id: string;
  readonly src: string;
  readonly fe: string;
  readonly be: string;
  readonly srv: string;
  /** One of SERVER_SIDE's numbers; -1 where the line has none. */
  readonly serverSide: number;
  readonly line: string;
}

/** `show sess`, without the control connections' own lines (fe=GLOBAL). */
export function parseSessions(text: string): ShownSession[] {
  return text
    .split("\n")
    .filter((line) => /^0x[0-9a-f]+: /.test(line))
    .map((line) => {
      const word = (name: string) => new RegExp(`\\b${name}=(\\S*)`).exec(line)?.[1] ?? "";
      return {
        id: line.slice(0, line.indexOf(":")),
        src: word("src"),
        fe: word("fe"),
        be: word("be"),
        srv: word("srv"),
        serverSide: Number(/\bscb=\[(\d+)/.exec(line)?.[1] ?? -1),
        line,
      };
    })
    .filter((session) => session.fe !== "GLOBAL");
}

/** `show servers state` (its version line included) or `show servers conn`: rows by the header's names. */
export function parseServers(text: string): Row[] {
  const lines = text.split("\n").filter((line) => line !== "" && line !== "1");
  const header = lines[0]?.replace(/^# /, "").split(" ") ?? [];
  return lines.slice(1).map((line) => {
    const values = line.split(" ");
    return Object.fromEntries(header.map((name, i) => [name, values[i] ?? ""]));
  });
}
