// Notices that the kernel refuses relays descriptors or memory, and says so once for each spell of it. Control thread.

import { W_CONNECTIONS } from "../memory/control-words.ts";
import { CT_RESOURCE_ERRNO, CT_RESOURCE_ERRORS } from "../memory/counters.ts";
import { type SharedMemory, threadCounters } from "../memory/shared-memory.ts";
import { errorName } from "../sys/libc.ts";
import { LogLevel } from "./log/syslog-frame.ts";

export class ResourceWatch {
  private readonly memory: SharedMemory;
  private readonly fileLimit: number;
  private readonly note: (level: LogLevel, text: string) => void;
  private errorsSeen = 0;
  private isShort = false;

  constructor(memory: SharedMemory, fileLimit: number, note: (level: LogLevel, text: string) => void) {
    this.memory = memory;
    this.fileLimit = fileLimit;
    this.note = note;
  }

  /** To be called once a second or so. */
  look(): void {
    const { memory } = this;
    let errors = 0;
    let errno = 0;
    for (let thread = 0; thread < memory.threads; thread++) {
      const own = threadCounters(memory, thread);
      errors += memory.countersF64[own + CT_RESOURCE_ERRORS];
      errno = Math.max(errno, memory.countersF64[own + CT_RESOURCE_ERRNO]);
    }
    const fresh = errors - this.errorsSeen;
    this.errorsSeen = errors;
    if (fresh > 0 && !this.isShort) {
      this.isShort = true;
      this.note(
        LogLevel.ALERT,
        `The system refused resources (${errorName(errno)}, ${fresh} times): new connections wait until it gives some again ` +
          `(file limit ${this.fileLimit}, ${Atomics.load(memory.words, W_CONNECTIONS)} sessions).`,
      );
    } else if (fresh === 0 && this.isShort) {
      this.isShort = false;
      this.note(LogLevel.NOTICE, "The system gives resources again: connections are accepted.");
    }
  }
}
