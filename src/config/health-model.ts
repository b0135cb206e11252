// What a configuration says about health: how a server is checked, and what follows from it for its sessions. Plain,
// immutable data, resolved per server: section, default-server and server words are merged already.

import type { SourcePlace } from "./model.ts";

/** A health check of one server, ready to run. Times in ms. */
export interface CheckConfig {
  /** Where checks go; undefined: the server's own address, or port. */
  readonly addr?: string;
  readonly port?: number;
  readonly interMs: number;
  /** While in transition; default interMs. */
  readonly fastInterMs: number;
  /** While down; default interMs. */
  readonly downInterMs: number;
  readonly rise: number;
  readonly fall: number;
  /** `timeout check`: from the established connection on; undefined: interMs covers all. */
  readonly timeoutMs?: number;
  /** `timeout connect` of the backend, which bounds the connection together with interMs. */
  readonly connectTimeoutMs?: number;
  readonly sendProxy: boolean;
  readonly tls?: CheckTls;
  readonly protocol: CheckProtocol;
  readonly initState: "fully-up" | "up" | "down" | "fully-down" | "none";
}

export interface CheckTls {
  readonly verify: boolean;
  readonly verifyHost?: string;
  /** Paths. */
  readonly caFile?: string;
  readonly crtFile?: string;
  readonly sni?: string;
  readonly alpn: readonly string[];
}

export type CheckProtocol =
  /** Connects and closes. */
  | { readonly kind: "tcp" }
  | {
      readonly kind: "http";
      readonly steps: readonly HttpCheckStep[];
      /** `http-check disable-on-404`: a server that is not down and answers 404 gets no new session (NOLB). */
      readonly disableOn404?: boolean;
    }
  | { readonly kind: "tcp-check"; readonly steps: readonly TcpCheckStep[] }
  | { readonly kind: "pgsql"; readonly user: string }
  | { readonly kind: "mysql"; readonly user?: string; readonly post41: boolean }
  | { readonly kind: "redis" }
  | { readonly kind: "smtp"; readonly hello: "HELO" | "EHLO"; readonly domain: string }
  | { readonly kind: "ldap" }
  | { readonly kind: "ssl-hello" }
  | { readonly kind: "external"; readonly command: string; readonly path?: string };

/** What all steps have. */
export interface CheckStep {
  /** Its place among the section's rules, from 0, comments counted: results name step `index + 1`. Default: among the steps. */
  readonly index?: number;
  readonly place: SourcePlace;
}

export interface ConnectStep extends CheckStep {
  readonly kind: "connect";
  readonly port?: number;
  readonly addr?: string;
  readonly sendProxy: boolean;
  readonly linger: boolean;
  readonly tls?: CheckTls;
  readonly comment?: string;
}

export interface SetVarStep extends CheckStep {
  readonly kind: "set-var";
  readonly name: string;
  readonly value: string;
}

/** What an expect step looks for, and what it says. */
export interface ExpectCommon extends CheckStep {
  readonly kind: "expect";
  readonly negated: boolean;
  readonly comment?: string;
  /** Check status codes (names such as "L7OK") in place of the usual ones. */
  readonly okStatus?: string;
  readonly errorStatus?: string;
  readonly timeoutStatus?: string;
  readonly onSuccess?: string;
  readonly onError?: string;
  /** -1 or absent: no bound. */
  readonly minRecv?: number;
}

export type HttpCheckStep =
  | ConnectStep
  | SetVarStep
  | (CheckStep & {
      readonly kind: "send";
      readonly method: string;
      readonly uri: string;
      /** e.g. "HTTP/1.1"; undefined: "HTTP/1.0" without further ado. */
      readonly version?: string;
      readonly headers: readonly (readonly [name: string, value: string])[];
      readonly body?: string;
      readonly comment?: string;
    })
  | (ExpectCommon & {
      /** Status ranges are inclusive. Patterns are for text that is read as latin-1. */
      readonly match:
        | { readonly kind: "status"; readonly ranges: readonly (readonly [from: number, to: number])[] }
        | { readonly kind: "rstatus" | "rstring"; readonly pattern: RegExp; readonly source: string }
        | { readonly kind: "string"; readonly text: string };
    });

export type TcpCheckStep =
  | ConnectStep
  | SetVarStep
  | (CheckStep & {
      readonly kind: "send";
      readonly bytes: Uint8Array;
      readonly comment?: string;
    })
  | (ExpectCommon & {
      /** Patterns are for bytes read as latin-1; rbinary's for bytes written as upper-case hexadecimal. */
      readonly match:
        | { readonly kind: "string" | "binary"; readonly bytes: Uint8Array; readonly source: string }
        | { readonly kind: "rstring" | "rbinary"; readonly pattern: RegExp; readonly source: string };
    });

export interface AgentConfig {
  readonly addr?: string;
  readonly port: number;
  readonly interMs: number;
  /** Each character is a byte. */
  readonly send?: string;
}

/** How long a server's sessions may live, and what becomes of them when an operator takes it out of service. Absent: as HAProxy. */
export interface SessionPolicy {
  /** 0 ms: no limit. Each session's own limit is up to `jitterPercent` below. */
  readonly maxAge?: { readonly ms: number; readonly jitterPercent: number };
  /** 0: no limit. */
  readonly maxIdleMs?: number;
  /** In place of `onMarkedDown` while the server is in maintenance: sessions that are left after that time end. */
  readonly onMaint?: "keep" | { readonly afterMs: number };
  /** They end when they have been quiet for so long; or one by one over that time. */
  readonly onDrain?: "keep" | { readonly idleMs: number } | { readonly overMs: number };
}

/** `on-removed`: what becomes of the sessions of what a reload removes. They stay, stay for a time, or end at once. */
export type RemovalPolicy =
  | { readonly kind: "keep" }
  | { readonly kind: "drain"; readonly timeMs: number }
  | { readonly kind: "shutdown-sessions" };

/** What a server's change of health, or its removal, does, and who else decides it. */
export interface HealthPolicy {
  readonly onMarkedDown?: {
    /** Routing stops at once; sessions are cut if the server is still down after this. */
    readonly afterMs: number;
    /** Sessions are cut at an even pace over this time; 0: all at once. */
    readonly overMs: number;
  };
  readonly onMarkedUpShutdownBackupSessions: boolean;
  /** Percent; 0: off. */
  readonly cutGuardPercent: number;
  /** 0: the server is given its full share at once when it comes up. */
  readonly slowStartMs: number;
  readonly observe?: {
    /** Connections that fail in a row. */
    readonly errorLimit: number;
    readonly onError: "fastinter" | "fail-check" | "sudden-death" | "mark-down";
  };
  /** Absent: nothing was said. */
  readonly sessions?: SessionPolicy;
  /** Absent: its sessions are kept. */
  readonly onRemoved?: RemovalPolicy;
  /** The server whose state this one follows. */
  readonly track?: { readonly backend: string; readonly server: string; readonly place: SourcePlace };
}
