// Takes the relays' records of ended sessions from their rings, a batch at a time, and hands them to the log. Control thread.

import { drainRecords } from "../../memory/record-ring.ts";
import { type SharedMemory, slotsUsed } from "../../memory/shared-memory.ts";
import type { TrafficLog } from "./traffic-log.ts";

/** Records formatted before other work of the control thread gets its turn. */
const RECORDS_BATCH = 2048;
/** Least time between two drains of a busy ring, so that lines are written in batches. */
const DRAIN_PAUSE_MS = 5;

export class RecordDrain {
  private readonly memory: SharedMemory;
  private readonly log: TrafficLog;
  /** Asks a thread to announce its next record. */
  private readonly wantRecords: (thread: number) => void;
  private readonly draining: boolean[] = [];
  private readonly ringsF64: Float64Array;

  constructor(memory: SharedMemory, log: TrafficLog, wantRecords: (thread: number) => void) {
    this.memory = memory;
    this.log = log;
    this.wantRecords = wantRecords;
    this.ringsF64 = new Float64Array(memory.recordRings);
  }

  /** Records wait in the thread's ring. */
  drain(thread: number): void {
    if (this.draining[thread] === true) return;
    this.draining[thread] = true;
    this.drainMore(thread);
  }

  /** Takes what is there, however much, at the end of the program. */
  finish(): void {
    for (let thread = 0; thread < slotsUsed(this.memory); thread++) {
      while (this.readRecords(thread) > 0);
    }
  }

  private drainMore(thread: number): void {
    if (this.readRecords(thread) > 0) {
      setTimeout(() => this.drainMore(thread), DRAIN_PAUSE_MS);
      return;
    }
    this.draining[thread] = false;
    this.wantRecords(thread);
    // A record may have come between the last look and the wish for an announcement.
    if (this.readRecords(thread) > 0) this.drain(thread);
  }

  private readRecords(thread: number): number {
    const { ringsI32 } = this.memory;
    return drainRecords(this.memory, thread, RECORDS_BATCH, (offset) =>
      this.log.record(ringsI32, this.ringsF64, offset),
    );
  }
}
