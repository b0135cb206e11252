// Which relay threads run: more are started before a reload that asks for them is put in force, and one that a reload took out of service
// ends when its last session has. Which of them are in service is the reload's to say (W_THREADS). Control thread.

import { W_SLOTS_USED, WT_GRANTS, WT_LOAD } from "../memory/control-words.ts";
import { CT_ROWS_USED } from "../memory/counters.ts";
import { hasHanded } from "../memory/handed-ring.ts";
import { S_STATE, SESSION_WORDS, SessionState } from "../memory/session-row.ts";
import {
  type SharedMemory,
  slotsUsed,
  threadCounters,
  threadsInService,
  threadWords,
} from "../memory/shared-memory.ts";
import type { RelayThreads } from "./workers.ts";

/** What a reload asks of them. */
export interface ThreadKeeper {
  /** Resolves when so many run, and none of those in service will end. Throws AppError "cannot-start-thread". */
  prepare(count: number): Promise<void>;
  /** The reload is over, well or not: who is not in service may end. */
  settle(): void;
}

export class ThreadService implements ThreadKeeper {
  readonly #memory: SharedMemory;
  readonly #relays: Pick<RelayThreads, "start" | "release" | "threads">;
  readonly #tell: (text: string) => void;
  /** Threads that have been in service. */
  readonly #served = new Set<number>();
  /** No thread below it ends: a reload counts on it. */
  #held = 0;
  #releasing: Promise<unknown> = Promise.resolve();

  /** `tell`: for the log. */
  constructor(
    memory: SharedMemory,
    relays: Pick<RelayThreads, "start" | "release" | "threads">,
    tell: (text: string) => void,
  ) {
    this.#memory = memory;
    this.#relays = relays;
    this.#tell = tell;
  }

  async prepare(count: number): Promise<void> {
    this.look();
    // Those that are to leave as well: others may hand them connections until all have heard of it.
    this.#held = Math.max(count, threadsInService(this.#memory));
    // The slot of one that is ending is free only then.
    await this.#releasing;
    Atomics.store(this.#memory.words, W_SLOTS_USED, Math.max(count, slotsUsed(this.#memory)));
    await this.#relays.start(count);
  }

  settle(): void {
    this.#held = 0;
    this.look();
  }

  /** Ends those that are not in service and have nobody left. To be called now and then. */
  look(): void {
    const inService = threadsInService(this.#memory);
    for (let thread = 0; thread < inService; thread++) this.#served.add(thread);
    const least = Math.max(this.#held, inService);
    for (const thread of this.#relays.threads) {
      if (thread >= least && isEmpty(this.#memory, thread)) this.#release(thread);
    }
  }

  #release(thread: number): void {
    const released = this.#relays.release(thread).then(() => {
      if (this.#served.delete(thread)) this.#tell(`Relay thread ${thread + 1} has ended: its last session is over.`);
    });
    this.#releasing = Promise.all([this.#releasing, released]);
  }
}

/** Nobody is on the thread, and nothing on its way to it: since none is handed to it any more, nobody will be. */
export function isEmpty(memory: SharedMemory, thread: number): boolean {
  const own = threadWords(thread);
  if (Atomics.load(memory.words, own + WT_LOAD) !== 0 || Atomics.load(memory.words, own + WT_GRANTS) !== 0)
    return false;
  if (hasHanded(memory, thread)) return false;
  const used = memory.countersF64[threadCounters(memory, thread) + CT_ROWS_USED]!;
  const first = thread * memory.rowsPerThread;
  // An ended session's row is not free as long as a turn that it was given in a queue is on its way.
  for (let row = first; row < first + used; row++) {
    if (Atomics.load(memory.sessions, row * SESSION_WORDS + S_STATE) !== SessionState.FREE) return false;
  }
  return true;
}
