// What the keywords write into while a configuration is read; `build.ts` turns it into the immutable model. Control thread.
// Drafts live only as long as the load. A section starts as a copy of the defaults it inherits from.

import { HEALTH_DEFAULTS, type HealthWords } from "./checks/health-words.ts";
import { type ChecksDraft, inheritChecks, NO_CHECKS } from "./checks/rules.ts";
import type { SourceLine, Span } from "./diagnostics.ts";
import type { RemovalPolicy, SessionPolicy } from "./health-model.ts";
import type { LogFormat } from "./log-format/log-format.ts";
import type {
  Balance,
  BindConfig,
  Endpoint,
  LogTarget,
  ServerSettings,
  SourcePlace,
  StatsSocket,
  Timeouts,
} from "./model.ts";
import type { HoldConfig, NameserverConfig } from "./resolvers-model.ts";
import type { ResolveWords } from "./server-resolution.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export type SectionKind = "global" | "defaults" | "frontend" | "backend" | "listen" | "resolvers";
export type ProxyKind = Exclude<SectionKind, "global" | "resolvers">;

/** Looks up names of the system's accounts; undefined where there is none of that name. */
export interface Accounts {
  readonly uidOf: (user: string) => number | undefined;
  readonly gidOf: (group: string) => number | undefined;
}

/** What every keyword can ask of its load. */
export interface LoadContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly accounts: Accounts;
  /** The text of /etc/resolv.conf; undefined if it cannot be read. */
  readonly resolvConf: () => string | undefined;
  /** Remembers a word that is read and kept but not active yet; one notice for each file names them all. */
  readonly keep: (name: string, span: Span) => void;
  /** Remembers a word that changes nothing here; one notice for each file names them all, by reason. */
  readonly ignore: (name: string, span: Span, reason: string) => void;
}

export interface GlobalDraft {
  readonly context: LoadContext;
  maxconn?: number;
  nbthread?: number;
  statsTimeoutMs: number;
  statsMaxconn: number | undefined;
  hardStopAfterMs?: number;
  spreadChecksPercent?: number;
  /** `external-check`: programs may be started. */
  externalCheck: boolean;
  pidFile?: string;
  uid?: number;
  gid?: number;
  chroot?: string;
  stateFile?: string;
  graceMs?: number;
  serverStateFile?: string;
  serverStateBase?: string;
  readonly statsSockets: StatsSocket[];
  readonly logs: LogTargetDraft[];
  logTag?: string;
  /** `log-send-hostname`; empty: the system's. */
  logHostname?: string;
}

export interface ResolversDraft {
  readonly context: LoadContext;
  readonly name: string;
  readonly nameSpan: Span;
  readonly nameservers: NameserverConfig[];
  readonly hold: Mutable<HoldConfig>;
  retries: number;
  resolveTimeoutMs: number;
  retryTimeoutMs: number;
  payloadBytes: number;
  readonly place: SourcePlace;
}

export interface BindDraft {
  readonly context: LoadContext;
  name?: string;
  maxconn: number;
  backlog: number;
  v6only: boolean;
  mode?: number;
  uid?: number;
  gid?: number;
  id?: number;
  idSpan?: Span;
  level?: StatsSocket["level"];
  exposesListeners?: boolean;
}

export interface ServerDraft {
  readonly context: LoadContext;
  weight: number;
  maxconn: number;
  backup: boolean;
  disabled: boolean;
  readonly words: Mutable<HealthWords>;
  readonly resolve: Mutable<ResolveWords>;
  id?: number;
  idSpan?: Span;
}

/** A `server` line, read. */
export interface ServerEntry {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly portKind: "fixed" | "client";
  readonly settings: ServerSettings;
  readonly id?: number;
  readonly idSpan?: Span;
  readonly nameSpan: Span;
  readonly place: SourcePlace;
}

/** A listening address and what of its text validation points at. */
export interface BindEntry {
  readonly config: BindConfig;
  readonly span: Span;
  readonly idSpan?: Span;
}

/** A word that names another section, and where it stands. */
export interface NameRef {
  readonly name: string;
  readonly span: Span;
}

/** A `log` line; what it does not say of its format depends on `log-send-hostname`. */
export type LogTargetDraft = Omit<LogTarget, "format"> & { readonly format: LogTarget["format"] | undefined };

/** `log global` is replaced by the global targets once these are complete. */
export type LogEntry = LogTargetDraft | "global";

export interface ProxyDraft {
  readonly context: LoadContext;
  readonly kind: ProxyKind;
  readonly name: string;
  readonly header: SourceLine;
  /** The mode in effect at the section's end; known before its lines are read. */
  readonly mode: "tcp" | "http";
  readonly modeSpan: Span;
  disabled: boolean;
  forcedId?: { readonly id: number; readonly span: Span };
  description?: string;
  readonly binds: BindEntry[];
  /** Wrong ones included. */
  bindLines: number;
  maxconn?: number;
  backlog?: number;
  defaultBackend?: NameRef;
  clientTcpKeepalive: boolean;
  tcplog: boolean;
  logFormat: LogFormat | undefined;
  logFormatSd?: LogFormat;
  logTag?: string;
  /** The word of this section that said what lines look like. */
  logLine?: string;
  dontlognull: boolean;
  dontlogNormal: boolean;
  logSeparateErrors: boolean;
  logs: LogEntry[];
  readonly servers: ServerEntry[];
  defaultServer: ServerSettings;
  balance: Balance;
  retries: number;
  redispatchInterval?: number;
  serverTcpKeepalive: boolean;
  splice: { auto: boolean; request: boolean; response: boolean };
  fullconn?: number;
  timeouts: Mutable<Timeouts>;
  /** As inherited, to warn where a section gives one twice. */
  readonly inheritedTimeouts: Timeouts;
  checks: ChecksDraft;
  logHealthChecks: boolean;
  fence: boolean;
  allBackups: boolean;
  cutGuardPercent?: number;
  /** Of all servers that say nothing else. */
  sessionPolicy: SessionPolicy;
  /** `rebalance`; 0 or undefined: off. */
  rebalancePerSecond?: number;
  onRemoved?: RemovalPolicy;
  serverStateSource: "global" | "local" | "none";
  /** undefined: the section's own name. */
  serverStateFileName?: string;
  /** Lines of a stats section, as written. */
  statsLines: (readonly string[])[];
}

/** Where HAProxy 3.2 stands when nothing is configured. */
export const SERVER_DEFAULTS: ServerSettings = {
  weight: 1,
  maxconn: 0,
  backup: false,
  disabled: false,
  words: HEALTH_DEFAULTS,
};

/** A server with the settings of `default-server`; what its line does not speak of stays the same object. */
export function newServerDraft(base: ServerSettings, context: LoadContext): ServerDraft {
  return new OwnSettings(base, context);
}

/** What a line has come to. `like`: another server, whose words stand for this one's if they are the same: there may be thousands. */
export function settingsOf(draft: ServerDraft, like?: ServerSettings): ServerSettings {
  return (draft as OwnSettings).settings(like);
}

class OwnSettings implements ServerDraft {
  readonly context: LoadContext;
  weight: number;
  maxconn: number;
  backup: boolean;
  disabled: boolean;
  id: number | undefined = undefined;
  idSpan: Span | undefined = undefined;
  readonly #base: ServerSettings;
  #words: Mutable<HealthWords> | undefined = undefined;
  #resolve: Mutable<ResolveWords> | undefined = undefined;

  constructor(base: ServerSettings, context: LoadContext) {
    this.context = context;
    this.#base = base;
    this.weight = base.weight;
    this.maxconn = base.maxconn;
    this.backup = base.backup;
    this.disabled = base.disabled;
  }

  get words(): Mutable<HealthWords> {
    this.#words ??= { ...this.#base.words };
    return this.#words;
  }

  get resolve(): Mutable<ResolveWords> {
    this.#resolve ??= { ...this.#base.resolve };
    return this.#resolve;
  }

  settings(like: ServerSettings | undefined): ServerSettings {
    const { weight, maxconn, backup, disabled } = this;
    const own = this.#words ?? this.#base.words;
    const words = like !== undefined && sameFields(like.words, own) ? like.words : own;
    const resolve = this.#resolve ?? this.#base.resolve;
    const isSaid = resolve !== undefined && Object.keys(resolve).length > 0;
    return isSaid
      ? { weight, maxconn, backup, disabled, words, resolve }
      : { weight, maxconn, backup, disabled, words };
  }
}

function sameFields(a: HealthWords, b: HealthWords): boolean {
  if (a === b) return true;
  const [one, other] = [a, b] as unknown as Readonly<Record<string, unknown>>[];
  for (const key in one) if (one[key] !== other?.[key]) return false;
  for (const key in other) if (one?.[key] !== other[key]) return false;
  return true;
}

/** What a new section is told about itself. */
export type ProxyHeader = Pick<ProxyDraft, "context" | "kind" | "name" | "header" | "mode" | "modeSpan">;

/** A section that begins with what its defaults section (`base`) says. */
export function newProxyDraft(header: ProxyHeader, base: ProxyDraft | undefined): ProxyDraft {
  return {
    disabled: base?.disabled ?? false,
    binds: [],
    bindLines: 0,
    maxconn: base?.maxconn,
    backlog: base?.backlog,
    defaultBackend: base?.defaultBackend,
    clientTcpKeepalive: base?.clientTcpKeepalive ?? false,
    tcplog: base?.tcplog ?? false,
    logFormat: base?.logFormat,
    logFormatSd: base?.logFormatSd,
    logTag: base?.logTag,
    dontlognull: base?.dontlognull ?? false,
    dontlogNormal: base?.dontlogNormal ?? false,
    logSeparateErrors: base?.logSeparateErrors ?? false,
    logs: [...(base?.logs ?? [])],
    servers: [],
    defaultServer: base?.defaultServer ?? SERVER_DEFAULTS,
    balance: base?.balance ?? { algorithm: "roundrobin", draws: 2, explicit: false },
    retries: base?.retries ?? 3,
    redispatchInterval: base?.redispatchInterval,
    serverTcpKeepalive: base?.serverTcpKeepalive ?? false,
    splice: { ...(base?.splice ?? { auto: false, request: false, response: false }) },
    fullconn: base?.fullconn,
    timeouts: { ...base?.timeouts },
    inheritedTimeouts: { ...base?.timeouts },
    checks: inheritChecks(base?.checks ?? NO_CHECKS),
    logHealthChecks: base?.logHealthChecks ?? false,
    fence: base?.fence ?? false,
    allBackups: base?.allBackups ?? false,
    cutGuardPercent: base?.cutGuardPercent,
    sessionPolicy: base?.sessionPolicy ?? {},
    rebalancePerSecond: base?.rebalancePerSecond,
    onRemoved: base?.onRemoved,
    serverStateSource: base?.serverStateSource ?? "none",
    serverStateFileName: base?.serverStateFileName,
    statsLines: [...(base?.statsLines ?? [])],
    context: header.context,
    kind: header.kind,
    name: header.name,
    header: header.header,
    mode: header.mode,
    modeSpan: header.modeSpan,
  };
}
