// What a configuration means once read: plain, immutable data, without a trace of its text but the places it came from.
// Built by `config/build.ts`; everything after it (control, operations) reads only this.

import type { HealthWords } from "./checks/health-words.ts";
import type { BackendChecks, ServerHealth } from "./checks/resolve-health.ts";
import type { RemovalPolicy } from "./health-model.ts";
import type { LogFormat } from "./log-format/log-format.ts";
import type { ResolversConfig, ServerResolution } from "./resolvers-model.ts";
import type { ResolveWords } from "./server-resolution.ts";

/** Where a word stood. `line` and `column` count from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A socket address as configured. Hosts are still names here; `control/addresses.ts` turns them into bytes. */
export type Endpoint =
  | { readonly kind: "inet"; readonly host: string; readonly family: "any" | "ipv4" | "ipv6"; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "abns"; readonly name: string };

export type AdminLevel = "user" | "operator" | "admin";

/** `stats socket <address> [mode <octal>] [level <level>] [user|group|uid|gid]`. */
export interface StatsSocket {
  readonly endpoint: Endpoint;
  /** File mode of a unix socket, e.g. 0o600; undefined leaves the umask's. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly level: AdminLevel;
  /** `expose-fd listeners`. Absent: no. */
  readonly exposesListeners?: boolean;
  readonly place: SourcePlace;
}

/** `log <target> [len <n>] [format <f>] <facility> [<max level> [<min level>]]`. Facilities and levels are syslog's numbers. */
export interface LogTarget {
  readonly target:
    | { readonly kind: "udp"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string }
    | { readonly kind: "fd"; readonly fd: number };
  /** Longest message in bytes, line feed included (80..65535, default 1024). */
  readonly maxLength: number;
  readonly format: "local" | "rfc3164" | "rfc5424" | "priority" | "short" | "timed" | "iso" | "raw";
  /** 0..23 */
  readonly facility: number;
  /** 0 (emerg) .. 7 (debug): messages above it are not sent. */
  readonly maxLevel: number;
  /** Messages more severe than this are sent as this level; default 0. */
  readonly minLevel: number;
  readonly place: SourcePlace;
}

export interface GlobalConfig {
  /** undefined: chosen from the file limit. */
  readonly maxconn?: number;
  /** undefined: one per usable core. */
  readonly nbthread?: number;
  readonly statsSockets: readonly StatsSocket[];
  readonly statsTimeoutMs: number;
  /** Connections to the stats sockets served at once, over all of them; absent: CONTROL_CONNECTIONS_DEFAULT. */
  readonly statsMaxconn?: number;
  readonly hardStopAfterMs?: number;
  /** From the order for a soft stop to its beginning. */
  readonly graceMs?: number;
  readonly logs: readonly LogTarget[];
  /** `log-tag`; absent: the program's name. */
  readonly logTag?: string;
  /** `log-send-hostname`: the host in syslog headers; empty: the system's name. */
  readonly logHostname?: string;
  /** 0..50: how far the times of checks are spread around their interval. */
  readonly spreadChecksPercent?: number;
  /** Where the process id is written. */
  readonly pidFile?: string;
  /** What the process becomes once its addresses are bound: user, group, root directory. */
  readonly uid?: number;
  readonly gid?: number;
  readonly chroot?: string;
  /** Where operators' changes outlive the process. */
  readonly stateFile?: string;
}

export type BalanceAlgorithm = "roundrobin" | "leastconn" | "source" | "first" | "random";

export interface Balance {
  readonly algorithm: BalanceAlgorithm;
  /** `random(<draws>)`, default 2. */
  readonly draws: number;
  /** False where no `balance` was named. */
  readonly explicit: boolean;
}

/** One listening address: a `bind` line with several addresses or ports gives several. */
export interface BindConfig {
  readonly endpoint: Endpoint;
  /** `name`, else undefined: shown as its number. */
  readonly name?: string;
  /** 0: only the frontend's own limit. */
  readonly maxconn: number;
  /** 0: the frontend's backlog. */
  readonly backlog: number;
  /** v4v6 / v6only for an IPv6 wildcard address. */
  readonly v6only: boolean;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** `id`, else undefined. */
  readonly id?: number;
  readonly place: SourcePlace;
}

export interface ServerConfig extends ServerHealth {
  readonly name: string;
  /** 1.. in declaration order unless `id` names one. */
  readonly id: number;
  readonly idForced: boolean;
  readonly endpoint: Endpoint;
  /**
   * How the port is meant: "fixed" uses `endpoint.port`; "client" adds `endpoint.port` (0, or +n / -n) to the port that the
   * client connected to.
   */
  readonly portKind: "fixed" | "client";
  /** 0..256 */
  readonly weight: number;
  /** 0: no limit. */
  readonly maxconn: number;
  readonly backup: boolean;
  readonly disabled: boolean;
  /** How its address is found, where that is not simply configured. */
  readonly resolution?: ServerResolution;
  /** Sessions of the old address end when the server gets another one, or DNS says that it is gone. */
  readonly onAddressChange?: "shutdown-sessions";
  readonly place: SourcePlace;
}

/** What the words of a server can set, and what those of `default-server` set for the servers after them. */
export interface ServerSettings extends Pick<ServerConfig, "weight" | "maxconn" | "backup" | "disabled"> {
  readonly words: HealthWords;
  /** Absent: nothing was said about names. */
  readonly resolve?: ResolveWords;
}

/** What a server added at runtime starts from: `default-server` in effect at the section's end, and the backend's check. */
export interface ServerTemplate extends ServerSettings {
  readonly checks: BackendChecks;
}

export interface Timeouts {
  readonly clientMs?: number;
  readonly serverMs?: number;
  readonly connectMs?: number;
  readonly queueMs?: number;
  /** Once connected, in place of clientMs and serverMs. */
  readonly tunnelMs?: number;
  readonly clientFinMs?: number;
  readonly serverFinMs?: number;
  readonly checkMs?: number;
}

export interface ProxyConfig {
  readonly kind: "frontend" | "backend" | "listen";
  readonly name: string;
  /** Proxy number as in `show stat`'s iid. The Runtime API's own proxy is 0 and not listed here. */
  readonly id: number;
  /** `id` names it. Absent: given out in order of declaration. */
  readonly idForced?: boolean;
  readonly mode: "tcp";
  readonly disabled: boolean;
  /** Kept for the statistics page to come. */
  readonly description?: string;
  /** Frontend side. */
  readonly binds: readonly BindConfig[];
  /** undefined: the process's. */
  readonly maxconn?: number;
  /** undefined: maxconn. */
  readonly backlog?: number;
  readonly defaultBackend?: string;
  readonly clientTcpKeepalive: boolean;
  /** `option tcplog`. */
  readonly tcplog: boolean;
  /** What the line of an ended session looks like in place of that; absent, and no tcplog: there is one at accept. */
  readonly logFormat?: LogFormat;
  /** The structured data of such a line in RFC 5424. */
  readonly logFormatSd?: LogFormat;
  /** `log-tag`; absent: the global one. */
  readonly logTag?: string;
  readonly dontlognull: boolean;
  /** `option dontlog-normal`: no line for a session without anything unusual. Absent: off. */
  readonly dontlogNormal?: boolean;
  /** `option log-separate-errors`: the others' lines have level err. Absent: off. */
  readonly logSeparateErrors?: boolean;
  /** Targets in effect, `log global` already replaced by the global ones. */
  readonly logs: readonly LogTarget[];
  /** Backend side. */
  readonly servers: readonly ServerConfig[];
  readonly defaultServer: ServerTemplate;
  readonly balance: Balance;
  readonly retries: number;
  /** undefined: no redispatch. HAProxy's interval: -1 the last retry, 1 each, n every nth, -n the nth from the end. */
  readonly redispatchInterval?: number;
  readonly serverTcpKeepalive: boolean;
  /** Kernel splice from client to server (request), from server to client (response), or where it helps (auto). */
  readonly splice: boolean;
  readonly fullconn?: number;
  readonly timeouts: Timeouts;
  /** `option fence`: one server at a time, none before the last session of the one before is closed. Absent: off. */
  readonly fence?: boolean;
  /** `option allbackups`: all usable backups take over, not only the first. Absent: off. */
  readonly allBackups?: boolean;
  /** `rebalance`: sessions a second that fuller servers let go when another one comes back. Absent: off. */
  readonly rebalancePerSecond?: number;
  /** `load-server-state-from-file`: the file its servers' states come from at start, and whether it is the global one. */
  readonly serverState?: { readonly from: "global" | "local"; readonly file: string };
  /** `option log-health-checks`. */
  readonly logHealthChecks: boolean;
  /** For the sessions that came in by it, if a reload removes it. Servers have their own policy. Absent: they are kept. */
  readonly onRemoved?: RemovalPolicy;
  readonly place: SourcePlace;
}

/** A section in mode http that only serves `stats`: kept for the web page to come, nothing listens for it yet. */
export interface StatsSection {
  readonly name: string;
  readonly id: number;
  readonly binds: readonly BindConfig[];
  readonly lines: readonly (readonly string[])[];
  readonly place: SourcePlace;
}

export interface Config {
  readonly global: GlobalConfig;
  readonly proxies: readonly ProxyConfig[];
  readonly statsSections: readonly StatsSection[];
  readonly resolvers: readonly ResolversConfig[];
}

export type Severity = "error" | "warning" | "notice";

/** One message about the text: always with a place, and the line it speaks of. */
export interface Diagnostic {
  readonly severity: Severity;
  /** Stable name of the rule, e.g. "unknown-keyword". */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly place: SourcePlace;
  /** The source line as written; empty when the file has none (a missing file, say). */
  readonly lineText: string;
  /** How many characters the caret underlines. */
  readonly length: number;
}

/** Either a config (with warnings and notices perhaps) or at least one error. */
export interface LoadResult {
  readonly config: Config | undefined;
  readonly diagnostics: readonly Diagnostic[];
}
