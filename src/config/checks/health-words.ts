// What the words of `server` and `default-server` say about health, before they meet the backend's check. Control thread.
// Plain data: `resolve-health.ts` turns it into what the checks run.

import type { CheckConfig, RemovalPolicy, SessionPolicy } from "../health-model.ts";
import type { SourcePlace } from "../model.ts";

/** `[<backend>/]<server>` as written after `track`. */
export interface TrackWord {
  /** undefined: the server's own backend. */
  readonly backend?: string;
  readonly server: string;
  readonly place: SourcePlace;
}

/** Times in ms. */
export interface HealthWords {
  readonly check: boolean;
  readonly interMs: number;
  readonly fastInterMs?: number;
  readonly downInterMs?: number;
  readonly rise: number;
  readonly fall: number;
  readonly port?: number;
  /** `addr <host>[:<port>]`; port 0: none. */
  readonly addr?: { readonly host: string; readonly port: number };
  readonly sendProxy: boolean;
  readonly ssl: boolean;
  readonly verify?: "none" | "required";
  readonly verifyHost?: string;
  /** Paths. */
  readonly caFile?: string;
  readonly crtFile?: string;
  readonly sni?: string;
  readonly alpn: readonly string[];
  readonly initState: CheckConfig["initState"];
  readonly agent: boolean;
  readonly agentAddr?: string;
  readonly agentPort?: number;
  readonly agentInterMs?: number;
  readonly agentSend?: string;
  /** `on-marked-down shutdown-sessions [after <time>] [over <time>]`; false: sessions stay. */
  readonly markedDownShutdown: false | { readonly afterMs: number; readonly overMs: number };
  readonly markedUpShutdownBackups: boolean;
  /** Undefined: the backend's. */
  readonly cutGuardPercent?: number;
  readonly slowStartMs?: number;
  /** `observe layer4`. */
  readonly observe?: boolean;
  readonly errorLimit?: number;
  readonly onError?: "fastinter" | "fail-check" | "sudden-death" | "mark-down";
  /** What was said of how long sessions may live; the backend's words stand in for the rest. */
  readonly sessions?: SessionPolicy;
  /** Undefined: the backend's. */
  readonly onRemoved?: RemovalPolicy;
  readonly track?: TrackWord;
}

/** As HAProxy where nothing is said. */
export const HEALTH_DEFAULTS: HealthWords = {
  check: false,
  interMs: 2_000,
  rise: 2,
  fall: 3,
  sendProxy: false,
  ssl: false,
  alpn: [],
  initState: "none",
  agent: false,
  markedDownShutdown: false,
  markedUpShutdownBackups: false,
};
