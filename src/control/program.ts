// What operations may see and do: the running program as one object. Control thread only.

import type { SharedMemory } from "../memory/shared-memory.ts";
import type { Change, Receipt } from "./change.ts";
import type { Evictions } from "./reconcile/eviction.ts";
import type { Registry } from "./registry.ts";
import type { ReloadReceipt } from "./reload/model.ts";
import type { ResolversView } from "./resolve/names.ts";

export interface Program {
  readonly registry: Registry;
  readonly memory: SharedMemory;
  /** Files and directories of the configuration, as the command line names them; empty where it came from elsewhere. */
  readonly configFiles: readonly string[];
  readonly version: string;
  readonly releaseDate: string;
  readonly pid: number;
  /** Wall clock ms at start; ms that booting took. */
  readonly startWallMs: number;
  readonly bootMs: number;
  /** Relay threads in service: those that leave are not among them. */
  readonly threads: number;
  /** Process-wide limit as configured, and the most that an operator can set it to. */
  readonly maxconn: number;
  readonly fileLimit: number;
  readonly evictions: Evictions;
  /** A soft stop is under way. */
  readonly stopping: boolean;
  /** Each `resolvers` section and what its nameservers did. */
  resolvers(): readonly ResolversView[];
  /** Log messages and records that could not be delivered. */
  droppedLogs(): number;
  /** The relays' clock, for ages: milliseconds, monotonic, comparable with the session rows' times. */
  nowMs(): number;
  /** Applies a change; resolves when every relay thread has acted on it. Changes are applied one after the other. */
  commit(change: Change): Promise<Receipt>;
  /** Reads the configuration anew and puts it in force; `by`: who asked. Throws AppError "no-reload" where there is none. */
  reload(by: string): Promise<ReloadReceipt>;
  /** Calls `look` in a turn in which no change is half carried out. */
  settled<T>(look: () => T): Promise<Awaited<T>>;
  /** Called after each commit and session end may matter to a waiter; returns its removal. */
  onProgress(listener: () => void): () => void;
}
