// Says once for each spell of it that the kernel refused descriptors or memory to the relays. Control thread.

import { CT_RESOURCE_ERRNO, CT_RESOURCE_ERRORS } from "../memory/counters.ts";
import { type SharedMemory, threadCounters } from "../memory/shared-memory.ts";
import { errorName } from "../sys/libc.ts";
import { LogLevel } from "./log/syslog-frame.ts";

export class ResourceWatch {
  private readonly memory: SharedMemory;
  private errorsSeen = 0;
  private isShort = false;

  constructor(memory: SharedMemory) {
    this.memory = memory;
  }

  /** What there is to say now, if anything. `state`: "file limit ..., ... sessions". */
  look(state: () => string): { readonly level: LogLevel; readonly text: string } | undefined {
    let errors = 0;
    let errno = 0;
    for (let thread = 0; thread < this.memory.threads; thread++) {
      const own = threadCounters(this.memory, thread);
      errors += this.memory.countersF64[own + CT_RESOURCE_ERRORS];
      errno = Math.max(errno, this.memory.countersF64[own + CT_RESOURCE_ERRNO]);
    }
    const fresh = errors - this.errorsSeen;
    this.errorsSeen = errors;
    if (fresh > 0 === this.isShort) return undefined;
    this.isShort = fresh > 0;
    if (!this.isShort) {
      return { level: LogLevel.NOTICE, text: "The system gives resources again: connections are accepted." };
    }
    const text =
      `The system refused resources (${errorName(errno)}, ${fresh} times): new connections wait until it gives some again ` +
      `(${state()}).`;
    return { level: LogLevel.ALERT, text };
  }
}
