// The relay threads as the control thread sees them: started, given orders, waited for, stopped. An order is answered when
// every thread it went to has carried it out.

import { Worker } from "node:worker_threads";
import { WT_ORDERS, WT_RECORDS_WANTED, WT_STOP } from "../memory/control-words.ts";
import type { Order, OrderBody, RelayMessage, RelayWorkerData } from "../memory/order.ts";
import { type SharedMemory, shareableBuffers, threadWords } from "../memory/shared-memory.ts";
import { LinuxKernel } from "../sys/linux-kernel.ts";

/** What all asked threads answered, added up. */
export interface Acknowledgement {
  readonly ended: number;
  /** Bytes on their way in the sessions that it ended, which nobody will get. */
  readonly discardedBytes: number;
}

/** Where orders go: the relay threads, or in tests whatever stands in for them. */
export interface OrderSink {
  /** Orders every thread, or one. */
  order(body: OrderBody, thread?: number): Promise<Acknowledgement>;
}

interface Pending {
  left: number;
  ended: number;
  discardedBytes: number;
  readonly resolve: (answer: Acknowledgement) => void;
}

export interface RelayEvents {
  /** Records wait in a thread's ring. */
  onRecords(thread: number): void;
  /** The last session of a server is gone (V_EMPTY_WANTED). */
  onEmptied(server: number): void;
  /** A relay thread died of a bug. */
  onFailure(text: string): void;
}

export class RelayThreads implements OrderSink {
  private readonly memory: SharedMemory;
  private readonly events: RelayEvents;
  private readonly kernel = new LinuxKernel();
  private readonly workers: Worker[] = [];
  private readonly wakeFds: number[] = [];
  private readonly exits: Promise<void>[] = [];
  private readonly pending = new Map<number, Pending>();
  private sequence = 0;

  constructor(memory: SharedMemory, events: RelayEvents) {
    this.memory = memory;
    this.events = events;
  }

  /** Resolves when every thread runs its loop. */
  async start(): Promise<void> {
    const buffers = shareableBuffers(this.memory);
    // The built program is two files beside each other; under a TypeScript runner this is one of the sources.
    const entry = new URL(import.meta.url.endsWith(".ts") ? "../dataplane/worker.ts" : "./worker.js", import.meta.url);
    const ready: Promise<void>[] = [];
    for (let thread = 0; thread < this.memory.threads; thread++) {
      const workerData: RelayWorkerData = { thread, seed: (Date.now() ^ (thread * 0x9e3779b1)) | 1, buffers };
      const worker = new Worker(entry, { workerData, name: `relay-${thread}` });
      this.workers.push(worker);
      this.exits.push(new Promise((resolve) => worker.once("exit", () => resolve())));
      worker.on("error", (error) => this.events.onFailure(error.stack ?? error.message));
      ready.push(
        new Promise((resolve) =>
          worker.on("message", (message: RelayMessage) => this.receive(thread, message, resolve)),
        ),
      );
    }
    await Promise.all(ready);
  }

  order(body: OrderBody, thread?: number): Promise<Acknowledgement> {
    const order: Order = { ...body, sequence: ++this.sequence };
    const threads = thread === undefined ? [...this.workers.keys()] : [thread];
    return new Promise((resolve) => {
      this.pending.set(order.sequence, { left: threads.length, ended: 0, discardedBytes: 0, resolve });
      for (const to of threads) {
        // The order has to be in the thread's port before the word says so.
        this.workers[to].postMessage(order);
        Atomics.add(this.memory.words, threadWords(to) + WT_ORDERS, 1);
        this.kernel.wake(this.wakeFds[to]);
      }
    });
  }

  /** Asks a thread to announce the next record. */
  wantRecords(thread: number): void {
    Atomics.store(this.memory.words, threadWords(thread) + WT_RECORDS_WANTED, 1);
  }

  /** Stops the threads; resolves when all have left, or after `deadlineMs`: true if all have. */
  async stop(deadlineMs: number): Promise<boolean> {
    for (const [thread] of this.workers.entries()) {
      Atomics.store(this.memory.words, threadWords(thread) + WT_STOP, 1);
      this.kernel.wake(this.wakeFds[thread]);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), deadlineMs);
    });
    const left = await Promise.race([Promise.all(this.exits).then(() => true), late]);
    clearTimeout(timer);
    return left;
  }

  private receive(thread: number, message: RelayMessage, ready: () => void): void {
    switch (message.kind) {
      case "ready":
        this.wakeFds[thread] = message.wakeFd;
        ready();
        return;
      case "records":
        this.events.onRecords(thread);
        return;
      case "emptied":
        this.events.onEmptied(message.server);
        return;
      case "failed":
        this.events.onFailure(message.text);
        return;
      case "acknowledge": {
        const pending = this.pending.get(message.sequence);
        if (pending === undefined) return;
        pending.ended += message.ended;
        pending.discardedBytes += message.discardedBytes;
        if (--pending.left > 0) return;
        this.pending.delete(message.sequence);
        const { ended, discardedBytes } = pending;
        pending.resolve({ ended, discardedBytes });
      }
    }
  }
}
