// What a log format can name: HAProxy's variables that mean something in mode tcp, ours, and the expressions that stand for
// the same values. Control thread. Parsing, suggestions and the reference are made from these tables.

/** How a value is written: what the flags Q (quotes) and X (hexadecimal) do to it, and what it is in JSON. */
export type LogValueKind = "text" | "plain" | "number" | "ip" | "port" | "date";

export interface LogVariable {
  readonly name: string;
  readonly kind: LogValueKind;
  /** For the reference. */
  readonly doc: string;
}

const variable = <N extends string>(name: N, kind: LogValueKind, doc: string) => ({ name, kind, doc }) as const;

/** `%<name>`. */
export const LOG_VARIABLES = [
  variable("ci", "ip", "Client's address; `unix` for a unix socket."),
  variable("cp", "port", "Client's port; for a unix socket the number of the `bind` line."),
  variable("fi", "ip", "Address that the client dialled."),
  variable("fp", "port", "Port that the client dialled; for a unix socket the number of the `bind` line."),
  variable("bi", "ip", "Our address on the connection to the server."),
  variable("bp", "port", "Our port on the connection to the server."),
  variable("si", "ip", "Server's address."),
  variable("sp", "port", "Server's port."),
  variable("f", "text", "Frontend."),
  variable("ft", "text", "Frontend. HAProxy adds `~` where it ends TLS itself."),
  variable("b", "text", "Backend; the frontend's name while there is none."),
  variable("s", "text", "Server, `<NOSRV>` if none was chosen."),
  variable("t", "date", "Accept date in local time with ms: `22/Nov/2026:18:26:40.838`."),
  variable("T", "date", "Accept date in UTC: `22/Nov/2026:18:26:40 +0000`."),
  variable("Tl", "date", "Accept date in local time with its offset from UTC."),
  variable("Ts", "number", "Accept date in seconds since 1970."),
  variable("ms", "number", "The accept date's milliseconds, three digits."),
  variable("isodate", "date", "Ours: accept date in UTC as ISO 8601, `2026-11-22T18:26:40.838Z`."),
  variable("ts", "plain", "How it ended: two characters, see the guide to logging."),
  variable("tsc", "plain", "The same and `--`: there are no cookies in mode tcp."),
  variable(
    "cause",
    "text",
    "Ours: why the session was cut (`eviction`, `max-session-age`, ...); empty if it ended by itself.",
  ),
  variable("Tw", "number", "ms in queues, -1 if it never left them."),
  variable("Tc", "number", "ms until connected, failed attempts included; -1 if it never was."),
  variable("Td", "number", "ms from the connection to the end, -1 without one."),
  variable("Tt", "number", "ms from accept to the end."),
  variable("Tu", "number", "The same as Tt."),
  variable("Th", "number", "ms of handshakes before the session: 0, there are none."),
  variable("B", "number", "Bytes from the server to the client."),
  variable("U", "number", "Bytes from the client to the server."),
  variable("ac", "number", "Sessions of the process at the end of this one, itself included."),
  variable("fc", "number", "Sessions of the frontend, itself included."),
  variable("bc", "number", "Other sessions of the backend."),
  variable("sc", "number", "Other sessions of the server."),
  variable("rc", "number", "Connection attempts repeated, with `+` if it was given another server."),
  variable("sq", "number", "Sessions ahead of it in the server's queue."),
  variable("bq", "number", "Sessions ahead of it in the backend's queue."),
  variable("lc", "number", "Lines that the frontend logged before this one."),
  variable("rt", "number", "Number of this line among all of the process, from 0: no other session has it."),
  variable("pid", "number", "Process id."),
  variable("H", "text", "Host name."),
  variable("ID", "text", "Always empty: there is no `unique-id-format`."),
  variable("ST", "number", "Always 0: HTTP's status."),
  variable("sslc", "text", "Always empty: TLS passes through."),
  variable("sslv", "text", "Always empty: TLS passes through."),
  variable("hr", "plain", "Always empty, like `hrl`, `hs` and `hsl`: nothing is captured."),
  variable("hrl", "plain", "Always empty."),
  variable("hs", "plain", "Always empty."),
  variable("hsl", "plain", "Always empty."),
] as const satisfies readonly LogVariable[];

/** Values that only an expression names. */
const EXPRESSION_ONLY = [
  variable("srv_name", "text", "Server; empty if none was chosen."),
  variable("fe_id", "number", "The frontend's number."),
  variable("be_id", "number", "The backend's number."),
  variable("srv_id", "number", "The server's number in its backend."),
  variable("conn_retries", "number", "Connection attempts repeated."),
  variable("redispatched", "number", "1 if it was given another server; a boolean in JSON."),
] as const satisfies readonly LogVariable[];

/** What an item of a log format stands for. */
export type LogValueName = (typeof LOG_VARIABLES)[number]["name"] | (typeof EXPRESSION_ONLY)[number]["name"];

export const LOG_VALUE_KINDS: ReadonlyMap<string, LogValueKind> = new Map(
  [...LOG_VARIABLES, ...EXPRESSION_ONLY].map(({ name, kind }) => [name, kind]),
);

export const isLogVariable = (name: string): name is LogValueName => LOG_VARIABLES.some((known) => known.name === name);

/** `%[<expression>]`: HAProxy's sample fetches that give one of the values. `str(<text>)` is the parser's own. */
export const LOG_EXPRESSIONS: ReadonlyMap<string, LogValueName> = new Map([
  ["src", "ci"],
  ["src_port", "cp"],
  ["dst", "fi"],
  ["dst_port", "fp"],
  ["bc_src", "bi"],
  ["bc_src_port", "bp"],
  ["bc_dst", "si"],
  ["bc_dst_port", "sp"],
  ["fe_name", "f"],
  ["fe_id", "fe_id"],
  ["be_name", "b"],
  ["be_id", "be_id"],
  ["srv_name", "srv_name"],
  ["srv_id", "srv_id"],
  ["accept_date", "Ts"],
  ["req.timer.queue", "Tw"],
  ["bc.timer.connect", "Tc"],
  ["res.timer.data", "Td"],
  ["fc.timer.total", "Tt"],
  ["txn.timer.user", "Tu"],
  ["fc.timer.handshake", "Th"],
  ["req.bytes_in", "U"],
  ["res.bytes_in", "B"],
  ["txn.sess_term_state", "ts"],
  ["txn.conn_retries", "conn_retries"],
  ["txn.redispatched", "redispatched"],
  ["pid", "pid"],
  ["hostname", "H"],
]);

/** Variables that HAProxy has for mode http only. */
export const HTTP_VARIABLES: ReadonlySet<string> = new Set(
  "CC CS HM HP HPO HQ HU HV Ta Ti Tq Tr TR r tr trg trl".split(" "),
);

/** What a user of mode http who came to mode tcp may want instead. */
export const HTTP_ALTERNATIVES: Readonly<Record<string, string>> = {
  Ta: "%Tt",
  Tq: "%Th",
  tr: "%t",
  trg: "%T",
  trl: "%Tl",
};
