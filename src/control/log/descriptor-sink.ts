// Log lines to a descriptor (stdout, stderr, fd@n). Control thread. Lines wait in a bounded queue; one asynchronous write at
// a time takes a batch of whole lines, so a full pipe holds up a thread of Node's pool and nothing else.

import { write } from "node:fs";
import { LOG_CLOSE_MS, LOG_QUEUE_BYTES_MAX, LOG_WRITE_BYTES } from "../../base/limits.ts";
import type { LogSink } from "./sink.ts";

/** A descriptor that somebody made non-blocking answers EAGAIN; it is tried again after this long. */
const RETRY_MS = 10;

export type WriteFunction = (
  fd: number,
  bytes: Buffer,
  offset: number,
  length: number,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

const writeToFile: WriteFunction = (fd, bytes, offset, length, done) => write(fd, bytes, offset, length, null, done);

export class DescriptorSink implements LogSink {
  readonly name: string;
  private readonly fd: number;
  private readonly write: WriteFunction;
  /** Lines not yet in `batch`, in order. */
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  /** What is being written, and how far it got; undefined while idle. */
  private batch: Buffer | undefined;
  private written = 0;
  /** Set by an error that will not pass (EPIPE, EBADF): from then on everything is dropped with this reason. */
  private broken: string | undefined;
  private whenIdle: (() => void) | undefined;
  private closed = false;
  /** Told of lines that were taken but could not be written after all. */
  onLateDrop: (count: number, reason: string) => void = () => {};

  constructor(name: string, fd: number, writeFunction: WriteFunction = writeToFile) {
    this.name = name;
    this.fd = fd;
    this.write = writeFunction;
  }

  send(bytes: Buffer, length: number): string | undefined {
    if (this.broken !== undefined) return this.broken;
    if (this.closed) return "closed";
    if (this.waitingBytes + length > LOG_QUEUE_BYTES_MAX) return "queue full";
    this.waiting.push(Buffer.from(bytes.subarray(0, length)));
    this.waitingBytes += length;
    if (this.batch === undefined) this.startBatch();
    return undefined;
  }

  /** Resolves when all is written, or after LOG_CLOSE_MS. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.batch === undefined) return;
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(() => {
        this.onLateDrop(this.waiting.length, "not taken before the end");
        resolve();
      }, LOG_CLOSE_MS);
      this.whenIdle = () => {
        clearTimeout(deadline);
        resolve();
      };
    });
  }

  private startBatch(): void {
    let count = 0;
    let bytes = 0;
    while (count < this.waiting.length && (count === 0 || bytes + this.waiting[count].length <= LOG_WRITE_BYTES)) {
      bytes += this.waiting[count].length;
      count++;
    }
    if (count === 0) {
      this.whenIdle?.();
      return;
    }
    this.batch = count === 1 ? this.waiting[0] : Buffer.concat(this.waiting.slice(0, count), bytes);
    this.waiting = this.waiting.slice(count);
    this.waitingBytes -= bytes;
    this.written = 0;
    this.writeOn();
  }

  private writeOn(): void {
    const batch = this.batch;
    if (batch === undefined) return;
    this.write(this.fd, batch, this.written, batch.length - this.written, (error, n) => {
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.writeOn(), RETRY_MS).unref();
        return;
      }
      if (error) this.fail(error);
      else this.written += n;
      if (this.broken === undefined && this.written < batch.length) {
        this.writeOn();
        return;
      }
      this.batch = undefined;
      this.startBatch();
    });
  }

  private fail(error: NodeJS.ErrnoException): void {
    this.broken = error.code ?? error.message;
    // The batch counts as one line at least; how many of its lines got through is unknown.
    this.onLateDrop(this.waiting.length + 1, this.broken);
    this.waiting = [];
    this.waitingBytes = 0;
  }
}
