// Says once for each spell of it that the kernel refused descriptors or memory to the relays, and that they ran out of buffers.
// Control thread.

import { RELAY_BUFFERS_MAX } from "../base/limits.ts";
import { CT_BUFFERS_EXHAUSTED, CT_RESOURCE_ERRNO, CT_RESOURCE_ERRORS } from "../memory/counters.ts";
import { type SharedMemory, slotsUsed, threadCounters } from "../memory/shared-memory.ts";
import { errorName } from "../sys/libc.ts";
import { LogLevel } from "./log/syslog-frame.ts";

/** A line for the log. */
export interface Said {
  readonly level: LogLevel;
  readonly text: string;
}

export class ResourceWatch {
  private readonly memory: SharedMemory;
  private errorsSeen = 0;
  private isShort = false;
  private exhaustedSeen = 0;
  private isWithoutBuffers = false;

  constructor(memory: SharedMemory) {
    this.memory = memory;
  }

  /** What there is to say now. `state`: "file limit ..., ... sessions". */
  look(state: () => string): readonly Said[] {
    return [this.lookAtRefusals(state), this.lookAtBuffers()].filter((said) => said !== undefined);
  }

  private lookAtRefusals(state: () => string): Said | undefined {
    const { counters, sum } = this;
    const fresh = sum(CT_RESOURCE_ERRORS) - this.errorsSeen;
    this.errorsSeen += fresh;
    if (fresh > 0 === this.isShort) return undefined;
    this.isShort = fresh > 0;
    if (!this.isShort) {
      return { level: LogLevel.NOTICE, text: "The system gives resources again: connections are accepted." };
    }
    const text =
      `The system refused resources (${errorName(Math.max(...counters(CT_RESOURCE_ERRNO)))}, ${fresh} times): new connections wait ` +
      `until it gives some again (${state()}).`;
    return { level: LogLevel.ALERT, text };
  }

  private lookAtBuffers(): Said | undefined {
    const fresh = this.sum(CT_BUFFERS_EXHAUSTED) - this.exhaustedSeen;
    this.exhaustedSeen += fresh;
    if (fresh > 0 === this.isWithoutBuffers) return undefined;
    this.isWithoutBuffers = fresh > 0;
    if (!this.isWithoutBuffers) return undefined;
    const text =
      `Peers that do not read hold all ${RELAY_BUFFERS_MAX} buffers of a relay thread (${fresh} reads found none): sessions go on ` +
      "without, at a higher cost for each read.";
    return { level: LogLevel.WARNING, text };
  }

  private readonly sum = (word: number): number => this.counters(word).reduce((sum, count) => sum + count, 0);

  /** The word of each thread. */
  private readonly counters = (word: number): number[] =>
    Array.from(
      { length: slotsUsed(this.memory) },
      (_, thread) => this.memory.countersF64[threadCounters(this.memory, thread) + word],
    );
}
