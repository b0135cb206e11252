// Pipes for splice. Empty ones are kept for reuse; one that still holds bytes is closed, so no byte can leak into another
// session.

import { SPARE_PIPES_MAX } from "../base/limits.ts";
import type { Kernel } from "../sys/kernel.ts";

export class PipePool {
  private readonly kernel: Kernel;
  private readonly spareRead = new Int32Array(SPARE_PIPES_MAX);
  private readonly spareWrite = new Int32Array(SPARE_PIPES_MAX);
  /** Ends of the pipe that `take` gave. */
  read = -1;
  write = -1;
  used = 0;
  spare = 0;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** 0 and the ends in `read` and `write`, or -errno. */
  take(): number {
    if (this.spare > 0) {
      this.spare--;
      this.read = this.spareRead[this.spare];
      this.write = this.spareWrite[this.spare];
    } else {
      const failed = this.kernel.openPipe();
      if (failed < 0) return failed;
      this.read = this.kernel.pipeRead;
      this.write = this.kernel.pipeWrite;
    }
    this.used++;
    return 0;
  }

  give(read: number, write: number, bytesInside: number): void {
    this.used--;
    if (bytesInside === 0 && this.spare < SPARE_PIPES_MAX) {
      this.spareRead[this.spare] = read;
      this.spareWrite[this.spare] = write;
      this.spare++;
    } else {
      this.kernel.close(read);
      this.kernel.close(write);
    }
  }

  /** Closes the spare pipes, to give descriptors back. */
  closeSpare(): void {
    while (this.spare > 0) {
      this.spare--;
      this.kernel.close(this.spareRead[this.spare]);
      this.kernel.close(this.spareWrite[this.spare]);
    }
  }
}
