// The one language of change: whatever alters state (an operator, later a check, DNS, a reload) says it as a Change, and
// `commit` answers with a Receipt once every relay thread has acted on it.

import type { Endpoint, ServerConfig } from "../config/model.ts";
import type { Selector } from "../memory/selector.ts";
import type { AgentReply } from "./health/agent-check.ts";
import type { CheckResult } from "./health/result.ts";
import type { CheckSource, Oper } from "./health/state-machine.ts";
import type { Eviction, EvictionRequest } from "./reconcile/eviction.ts";
import type { ListenerEntry, ProxyEntry, ServerEntry } from "./registry.ts";
import type { PreparedReload, ReloadReport } from "./reload/model.ts";
import type { StartState, Tell } from "./state/restore-state.ts";

/** The one door for changes: each is carried out after the one before has its receipt. */
export interface Commit {
  (change: Change): Promise<Receipt>;
  /**
   * Calls `look` when no change is half carried out, and gives what it returns: a server that is seen down then has lost the
   * sessions that it loses by it. Waits SHOW_WAIT_MS at most, so that a state is shown even if a relay does not answer.
   */
  settled<T>(look: () => T): Promise<Awaited<T>>;
}

export type Change =
  /** Sets and clears AdminState bits of a server. Queued sessions move on at once; established ones stay. */
  | { readonly kind: "set-admin"; readonly server: ServerEntry; readonly set: number; readonly clear: number }
  /** What a check or an agent found. */
  | {
      readonly kind: "check-result";
      readonly server: ServerEntry;
      readonly source: CheckSource;
      readonly result: CheckResult;
      /** What an agent said besides; undefined if no whole line came. */
      readonly reply?: AgentReply;
    }
  /** The operator's word in place of a check's: up, out of new sessions (`stopping`), or down. The next check may differ. */
  | { readonly kind: "set-health"; readonly server: ServerEntry; readonly source: CheckSource; readonly oper: Oper }
  /** Checks go on, or rest and have no say any more. Refused for a check that the config does not have. */
  | {
      readonly kind: "enable-check";
      readonly server: ServerEntry;
      readonly source: CheckSource;
      readonly enabled: boolean;
    }
  /** Where checks go from now on, and what an agent is sent; undefined: as before. */
  | {
      readonly kind: "set-check-target";
      readonly server: ServerEntry;
      readonly source: CheckSource;
      readonly host?: string;
      readonly port?: number;
      readonly send?: string;
    }
  /** Connections of sessions failed in a row, as often as `observe` counts for an alarm. */
  | { readonly kind: "observed-errors"; readonly server: ServerEntry; readonly alarms: number }
  /** Time has come to look at a backend's policies: sessions that are to end, slow starts, the fence. */
  | { readonly kind: "reconcile"; readonly backend: ProxyEntry }
  | { readonly kind: "set-weight"; readonly server: ServerEntry; readonly weight: number }
  /** 0: no limit. Waiting sessions get their turn at once when it grows. */
  | { readonly kind: "set-maxconn"; readonly server: ServerEntry; readonly maxconn: number }
  /**
   * New connections go to the new address; established ones stay, or end where `on-address-change` says so. `host` must be an IP
   * address; without a port it stays. A server that waited for an address leaves maintenance.
   */
  | {
      readonly kind: "set-address";
      readonly server: ServerEntry;
      readonly host: string;
      readonly port?: number;
      /** Who found it, for the log; absent: the operator, who is answered. */
      readonly by?: string;
      /** Its name was resolved, which is logged where it brings the server back. */
      readonly resolved?: boolean;
    }
  /** DNS has no address for the server: it waits in maintenance. */
  | {
      readonly kind: "lose-address";
      readonly server: ServerEntry;
      /** For the log. */
      readonly cause: string;
      /** DNS says so, rather than being silent. */
      readonly isGone: boolean;
      /** It stood for a place of a service: name and port go too. */
      readonly forgetsName: boolean;
    }
  /** The name that is resolved from now on; `by` for the log. */
  | {
      readonly kind: "set-fqdn";
      readonly server: ServerEntry;
      readonly fqdn: string;
      readonly port?: number;
      readonly by: string;
    }
  /** The new server starts in forced maintenance. `words`: the address and the words that it was made of. */
  | {
      readonly kind: "add-server";
      readonly backend: ProxyEntry;
      readonly server: ServerConfig;
      readonly words: readonly string[];
    }
  /** Refused unless in maintenance and without any session. */
  | { readonly kind: "delete-server"; readonly server: ServerEntry }
  /**
   * Takes the server out of service and lets its sessions go as asked. The receipt comes when what is due at once is done; the
   * eviction in it goes on by itself. One that is under way is replaced.
   */
  | { readonly kind: "evict-server"; readonly server: ServerEntry; readonly request: EvictionRequest }
  /**
   * Lets the sessions go that are selected now, `filter` in words; no server is taken out of service. The receipt comes when what is due
   * at once is done; the eviction in it goes on by itself.
   */
  | {
      readonly kind: "evict-sessions";
      readonly selector: Selector;
      readonly filter: string;
      readonly request: EvictionRequest;
    }
  /** Time has come to look at evictions of sessions. */
  | { readonly kind: "continue-evictions" }
  /** Ends an eviction; an evicted server stays out of service. */
  | { readonly kind: "cancel-eviction"; readonly id: number }
  /** Ends every session of the server, in whatever state, before the receipt. */
  | { readonly kind: "cut-server"; readonly server: ServerEntry }
  /** Ends one session; `id` as shown in `show sess` (see memory/session-row.ts). */
  | { readonly kind: "cut-session"; readonly id: number }
  /** Ends every session that is selected when the order is given, those included that a relay is accepting at that moment. */
  | { readonly kind: "cut-selected"; readonly selector: Selector }
  /** Closes a frontend's listeners for good; its sessions go on. */
  | { readonly kind: "shutdown-frontend"; readonly proxy: ProxyEntry }
  /** Stops accepting and gives up its ports, until it is resumed; its sessions go on. `lendsPorts`: to a process that asked for them. */
  | { readonly kind: "pause-frontend"; readonly proxy: ProxyEntry; readonly lendsPorts?: boolean }
  | { readonly kind: "resume-frontend"; readonly proxy: ProxyEntry }
  /** At least 1. Clients that wait get their turn at once when it grows. */
  | { readonly kind: "set-frontend-maxconn"; readonly proxy: ProxyEntry; readonly maxconn: number }
  /** From 1 to what the process was started with. */
  | { readonly kind: "set-process-maxconn"; readonly maxconn: number }
  /** Puts a new configuration in force, for which everything that can fail was done before. */
  | { readonly kind: "reload"; readonly prepared: PreparedReload }
  /** What was in force before the start is so again; before anything is accepted. `tell` hears of what could not be. */
  | { readonly kind: "restore-state"; readonly state: StartState; readonly tell: Tell }
  /** Changes nothing: the receipt comes when every relay thread has had its turn. */
  | { readonly kind: "turn" }
  /** Clears maxima, or with `all` every counter (gauges stay). */
  | { readonly kind: "clear-counters"; readonly all: boolean };

/** Why a change was refused, as a stable code; the way in words it (see operations/answers.ts). */
export type RefusalCode =
  | "not-in-maintenance"
  | "has-sessions"
  | "no-such-session"
  | "already-stopped"
  | "already-paused"
  | "not-paused"
  | "cannot-resume"
  | "duplicate-name"
  | "duplicate-id"
  | "static-balance"
  | "server-table-full"
  | "bad-address"
  | "no-such-server"
  | "is-tracked"
  | "bad-track"
  | "check-not-configured"
  | "check-not-enabled"
  | "tracking-server"
  | "server-leaving"
  | "proxy-leaving"
  | "no-room"
  | "no-such-eviction"
  | "eviction-over";

export type Receipt =
  | {
      readonly done: true;
      /** Sessions that the change applied to, and those that were ended by it. */
      readonly matched: number;
      readonly ended: number;
      /** Sessions left that should not be there: always 0, checked. */
      readonly survivors: number;
      /** The new server's entry, for "add-server". */
      readonly server?: ServerEntry;
      /** For "evict-server", "evict-sessions" and "cancel-eviction". */
      readonly eviction?: Eviction;
      /** For "reload": what it did, and the sockets that nobody wants any more, which are still listened on. */
      readonly reload?: ReloadReport;
      readonly closing?: readonly ListenerEntry[];
    }
  | { readonly done: false; readonly code: RefusalCode; readonly detail: string };

/** Where a server is reached: what `show` prints and what the kernel takes. */
export interface ResolvedAddress {
  readonly endpoint: Endpoint;
  readonly sockaddr: Uint8Array;
  readonly host: string;
  readonly port: number;
}
