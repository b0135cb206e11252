// Buffers for bytes that were read and are not taken by the other side yet. Memory is mapped a block at a time when first
// needed and kept for reuse; when the limit is reached or the system has no more, relay.ts does without.

import { READ_BYTES, RELAY_BUFFERS_MAX } from "../base/limits.ts";
import type { Kernel } from "../sys/kernel.ts";

const BLOCK_BUFFERS = 16;

export class BufferPool {
  private readonly kernel: Kernel;
  private readonly limit: number;
  /** Kept so that the memory stays. */
  private readonly blocks: Uint8Array[] = [];
  private readonly addresses: number[] = [];
  private readonly free: Int32Array;
  private freeCount = 0;
  private mapped = 0;

  constructor(kernel: Kernel, limit: number = RELAY_BUFFERS_MAX) {
    this.kernel = kernel;
    this.limit = limit;
    this.free = new Int32Array(limit + BLOCK_BUFFERS);
  }

  /** Buffers in use. */
  get used(): number {
    return this.mapped - this.freeCount;
  }

  /** True if `take` will succeed. Maps another block if it must and may. */
  hasFree(): boolean {
    return this.freeCount > 0 || this.grow();
  }

  /** A buffer's number. Only after `hasFree`. */
  take(): number {
    return this.free[--this.freeCount];
  }

  give(buffer: number): void {
    this.free[this.freeCount++] = buffer;
  }

  addressOf(buffer: number): number {
    return this.addresses[(buffer / BLOCK_BUFFERS) | 0] + (buffer % BLOCK_BUFFERS) * READ_BYTES;
  }

  private grow(): boolean {
    const count = Math.min(BLOCK_BUFFERS, this.limit - this.mapped);
    if (count <= 0) return false;
    let block: Uint8Array;
    try {
      block = new Uint8Array(new SharedArrayBuffer(BLOCK_BUFFERS * READ_BYTES));
    } catch {
      // RangeError: the system has no memory to give. Directions do without.
      return false;
    }
    this.blocks.push(block);
    this.addresses.push(this.kernel.addressOf(block));
    for (let i = count - 1; i >= 0; i--) this.free[this.freeCount++] = this.mapped + i;
    this.mapped += count;
    return true;
  }
}
