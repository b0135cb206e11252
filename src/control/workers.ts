// The relay threads as the control thread sees them: started, given orders, waited for, stopped. An order is answered when
// every thread it went to has carried it out.

import { Worker } from "node:worker_threads";
import { AppError } from "../base/errors.ts";
import { WT_ORDERS, WT_RECORDS_WANTED, WT_STOP, WT_WAKE_FD } from "../memory/control-words.ts";
import type { Order, OrderBody, RelayMessage, RelayWorkerData } from "../memory/order.ts";
import { type SharedMemory, shareableBuffers, threadWords } from "../memory/shared-memory.ts";
import { LinuxKernel } from "../sys/linux-kernel.ts";
import { asBeforePatience } from "../sys/scheduling.ts";

/** What all asked threads answered, added up. */
export interface Acknowledgement {
  readonly ended: number;
  /** Bytes on their way in the sessions that it ended, which nobody will get. */
  readonly discardedBytes: number;
}

/** Where orders go: the relay threads, or in tests whatever stands in for them. */
export interface OrderSink {
  /** Orders every thread that runs, or one. */
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

interface RelayThread {
  readonly worker: Worker;
  wakeFd: number;
  readonly exit: Promise<void>;
}

/** Starts the worker of a relay thread. */
export type StartWorker = (thread: number, data: RelayWorkerData) => Worker;

const startWorker: StartWorker = (thread, workerData) => {
  // The built program is two files beside each other; under a TypeScript runner this is one of the sources.
  const entry = new URL(import.meta.url.endsWith(".ts") ? "../dataplane/worker.ts" : "./worker.js", import.meta.url);
  return new Worker(entry, { workerData, name: `relay-${thread}` });
};

export class RelayThreads implements OrderSink {
  private readonly memory: SharedMemory;
  private readonly events: RelayEvents;
  private readonly startWorker: StartWorker;
  private readonly kernel = new LinuxKernel();
  /** By slot. Those that take orders. */
  private readonly running: (RelayThread | undefined)[] = [];
  /** Those that were told to end, and have not yet. */
  private readonly ending = new Map<RelayThread, number>();
  private readonly pending = new Map<number, Pending>();
  private sequence = 0;

  constructor(memory: SharedMemory, events: RelayEvents, start: StartWorker = startWorker) {
    this.memory = memory;
    this.events = events;
    this.startWorker = start;
  }

  /** The slots whose threads run, from low to high. */
  get threads(): readonly number[] {
    return [...this.running.keys()].filter((thread) => this.running[thread] !== undefined);
  }

  /**
   * Resolves when every slot below `count` has a thread that runs its loop. Throws AppError "cannot-start-thread"; then those that it
   * started have ended again.
   */
  async start(count: number): Promise<void> {
    const missing = Array.from({ length: count }, (_, thread) => thread).filter((thread) => !this.running[thread]);
    const started = await Promise.allSettled(missing.map((thread) => this.startOne(thread)));
    const failed = started.find((each) => each.status === "rejected");
    if (failed === undefined) return;
    await Promise.all(missing.filter((thread) => this.running[thread]).map((thread) => this.release(thread)));
    const { reason } = failed as PromiseRejectedResult;
    throw new AppError("cannot-start-thread", `cannot start relay thread: ${(reason as Error).message}`);
  }

  private startOne(thread: number): Promise<void> {
    const own = threadWords(thread);
    Atomics.store(this.memory.words, own + WT_STOP, 0);
    // The first record is to be announced.
    this.wantRecords(thread);
    const seed = (Date.now() ^ (thread * 0x9e3779b1)) | 1;
    const data: RelayWorkerData = { thread, seed, buffers: shareableBuffers(this.memory) };
    return new Promise((resolve, reject) => {
      const worker = asBeforePatience(() => this.startWorker(thread, data));
      const exit = new Promise<void>((gone) => worker.once("exit", () => gone()));
      void exit.then(() => reject(new Error("it ended at once")));
      worker.on("error", (error) => {
        reject(error);
        // Before it runs its loop it has nothing that would be lost.
        if (this.running[thread]?.worker === worker) this.events.onFailure(error.stack ?? error.message);
      });
      worker.on("message", (message: RelayMessage) => {
        if (message.kind === "ready") {
          this.running[thread] = { worker, wakeFd: message.wakeFd, exit };
          resolve();
        } else this.receive(thread, message);
      });
    });
  }

  order(body: OrderBody, thread?: number): Promise<Acknowledgement> {
    const order: Order = { ...body, sequence: ++this.sequence };
    const threads = thread === undefined ? this.threads : this.threads.filter((running) => running === thread);
    return new Promise((resolve) => {
      if (threads.length === 0) {
        resolve({ ended: 0, discardedBytes: 0 });
        return;
      }
      this.pending.set(order.sequence, { left: threads.length, ended: 0, discardedBytes: 0, resolve });
      for (const to of threads) {
        const { worker, wakeFd } = this.running[to]!;
        // The order has to be in the thread's port before the word says so.
        worker.postMessage(order);
        Atomics.add(this.memory.words, threadWords(to) + WT_ORDERS, 1);
        this.kernel.wake(wakeFd);
      }
    });
  }

  /** Asks a thread to announce the next record. */
  wantRecords(thread: number): void {
    Atomics.store(this.memory.words, threadWords(thread) + WT_RECORDS_WANTED, 1);
  }

  /** Ends a thread that is not in service and has no sessions, nor anything on its way to it. Resolves when it is gone. */
  async release(thread: number): Promise<void> {
    const leaving = this.running[thread];
    if (leaving === undefined) return;
    // Orders that it was given before are still answered.
    this.running[thread] = undefined;
    this.ending.set(leaving, thread);
    Atomics.store(this.memory.words, threadWords(thread) + WT_WAKE_FD, -1);
    // Every other thread is between two events when it answers: after that none has the descriptor in hand, to wake it or
    // whatever the kernel gives that number to next.
    await this.order({ kind: "gather" });
    this.stopOne(thread, leaving);
    await leaving.exit;
    this.ending.delete(leaving);
    this.kernel.close(leaving.wakeFd);
  }

  /** Stops the threads; resolves when all have left, or after `deadlineMs`: true if all have. */
  async stop(deadlineMs: number): Promise<boolean> {
    const all = new Map(this.ending);
    for (const thread of this.threads) all.set(this.running[thread]!, thread);
    for (const [relay, thread] of all) this.stopOne(thread, relay);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), deadlineMs);
    });
    const exits = Promise.all([...all.keys()].map(({ exit }) => exit));
    const left = await Promise.race([exits.then(() => true), late]);
    clearTimeout(timer);
    return left;
  }

  private stopOne(thread: number, { wakeFd }: RelayThread): void {
    Atomics.store(this.memory.words, threadWords(thread) + WT_STOP, 1);
    this.kernel.wake(wakeFd);
  }

  private receive(thread: number, message: RelayMessage): void {
    switch (message.kind) {
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
