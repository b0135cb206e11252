// What the control thread and a relay thread say to each other. Plain numbers, because all state stands in shared memory: an
// order says where to look.

import type { CutReason } from "./cut-reason.ts";
import type { Selector } from "./selector.ts";
import type { SharedBuffers } from "./shared-memory.ts";

/** What the control thread gives a relay thread at its start. */
export interface RelayWorkerData {
  readonly thread: number;
  readonly seed: number;
  readonly buffers: SharedBuffers;
}

/** Which sessions of a server end first. */
export const CutChoice = { RANDOM: 0, OLDEST: 1, LONGEST_IDLE: 2 } as const;
export type CutChoice = (typeof CutChoice)[keyof typeof CutChoice];

/** How some of a server's sessions are ended. */
export interface CutManner {
  readonly choice: CutChoice;
  /** Only sessions that have been quiet so long, with nothing on its way in any buffer; 0: any. */
  readonly idleMs: number;
  /** Clients are reset; else their connections end in good order. */
  readonly resetClients: boolean;
  readonly reason: CutReason;
}

export type OrderBody =
  | {
      readonly kind: "listen";
      readonly listener: number;
      readonly fd: number;
      readonly frontend: number;
    }
  /** `drain`: connections that wait to be accepted are, before the socket is let go. */
  | { readonly kind: "unlisten"; readonly listener: number; readonly drain?: boolean }
  /**
   * A reload has written a new configuration: sockets are listened on, perhaps for another frontend than before, and who waits in a
   * changed backend is looked at again. A thread that is not in service any more lets go of all sockets.
   */
  | {
      readonly kind: "generation";
      /** Rows. */
      readonly backends: Int32Array;
      /** Listener, descriptor and frontend of each. */
      readonly listeners: Int32Array;
    }
  /**
   * Connections may wait of which only a thread was told that does not listen any more: every socket is looked at anew. For one
   * thread in service.
   */
  | { readonly kind: "look-again" }
  /** A server's state, weight, limit or place in its backend changed: sessions that wait for it are looked at again. */
  | { readonly kind: "server-changed"; readonly server: number; readonly backend: number }
  /** Ends all sessions of the server that are older than its cut generation, for its cut reason. */
  | { readonly kind: "cut-server"; readonly server: number; readonly resetClients: boolean }
  /** Ends so many of the server's sessions on this thread; all of them if there are no more. */
  | ({ readonly kind: "cut-some"; readonly server: number; readonly most: number } & CutManner)
  /** Takes what is on its way to the thread, connections and turns in a queue, into its table. */
  | { readonly kind: "gather" }
  /** Ends so many of these sessions of the thread that are still there; row and generation by turns, who goes first first. */
  | ({ readonly kind: "cut-listed"; readonly sessions: readonly number[]; readonly most: number } & CutManner)
  | { readonly kind: "cut-session"; readonly row: number; readonly generation: number }
  /** Ends every session of the thread that is selected; one that was handed over to the thread by then is among them. */
  | { readonly kind: "cut-selected"; readonly selector: Selector; readonly reason: CutReason }
  /** Ends every session: the hard stop. */
  | { readonly kind: "cut-all" }
  /** A limit on new sessions changed: listeners that were given up because of it are looked at again. */
  | { readonly kind: "limits-changed" }
  | { readonly kind: "clear-counters"; readonly all: boolean };

export type Order = OrderBody & { readonly sequence: number };

/** What a relay thread tells the control thread. */
export type RelayMessage =
  | {
      readonly kind: "acknowledge";
      readonly sequence: number;
      readonly ended: number;
      /** Bytes on their way in the sessions that the order ended, which nobody will get. */
      readonly discardedBytes: number;
    }
  | { readonly kind: "records" }
  /** The last session of a server is gone. */
  | { readonly kind: "emptied"; readonly server: number }
  | { readonly kind: "ready"; readonly wakeFd: number }
  | { readonly kind: "failed"; readonly text: string };
