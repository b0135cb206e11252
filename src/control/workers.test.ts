import { EventEmitter } from "node:events";
import type { Worker } from "node:worker_threads";
import { beforeEach, expect, it } from "vitest";
import { WT_STOP, WT_WAKE_FD } from "../memory/control-words.ts";
import type { Order, RelayMessage, RelayWorkerData } from "../memory/order.ts";
import { allocateSharedMemory, type SharedMemory, threadWords } from "../memory/shared-memory.ts";
import { LinuxKernel } from "../sys/linux-kernel.ts";
import { RelayThreads } from "./workers.ts";

const kernel = new LinuxKernel();

/** Stands in for a worker: answers what it is told to. */
class FakeWorker extends EventEmitter {
  readonly orders: Order[] = [];
  readonly wakeFd = kernel.openWake();

  constructor(fate: "starts" | "fails" | "exits") {
    super();
    setImmediate(() => {
      if (fate === "starts") this.say({ kind: "ready", wakeFd: this.wakeFd });
      if (fate === "fails") this.emit("error", new Error("no descriptors"));
      if (fate !== "starts") this.emit("exit", 1);
    });
  }

  say(message: RelayMessage): void {
    this.emit("message", message);
  }

  postMessage(order: Order): void {
    this.orders.push(order);
  }

  acknowledge(): void {
    for (const { sequence } of this.orders.splice(0)) {
      this.say({ kind: "acknowledge", sequence, ended: 1, discardedBytes: 2 });
    }
  }
}

let memory: SharedMemory;
let workers: FakeWorker[];
let fates: Map<number, "fails" | "exits">;
let failures: string[];
let relays: RelayThreads;

beforeEach(() => {
  memory = allocateSharedMemory({ threads: 1, slots: 4, rowsPerThread: 1, proxies: 1, servers: 1, records: 2 });
  workers = [];
  fates = new Map();
  failures = [];
  const start = (thread: number, _: RelayWorkerData): Worker => {
    workers[thread] = new FakeWorker(fates.get(thread) ?? "starts");
    return workers[thread] as unknown as Worker;
  };
  const events = { onRecords() {}, onEmptied() {}, onFailure: (text: string) => failures.push(text) };
  relays = new RelayThreads(memory, events, start);
});

/** Lets what was promised come about. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("orders every thread that runs, or one, and adds up their answers", async () => {
  await relays.start(3);
  expect(relays.threads).toEqual([0, 1, 2]);
  const all = relays.order({ kind: "gather" });
  const one = relays.order({ kind: "gather" }, 2);
  expect(workers.map(({ orders }) => orders.length)).toEqual([1, 1, 2]);
  for (const worker of workers) worker.acknowledge();
  expect(await all).toEqual({ ended: 3, discardedBytes: 6 });
  expect(await one).toEqual({ ended: 1, discardedBytes: 2 });
});

it.each(["fails", "exits"] as const)("ends those that it started beside one that %s, and says why", async (fate) => {
  await relays.start(1);
  fates.set(2, fate);
  const starting = relays.start(4);
  await turn();
  await turn();
  // Each that has to end waits until the others have no word of it.
  for (let round = 0; round < 4; round++) {
    for (const worker of workers) worker.acknowledge();
    await turn();
  }
  for (const thread of [1, 3]) {
    expect(Atomics.load(memory.words, threadWords(thread) + WT_STOP)).toBe(1);
    workers[thread]!.emit("exit", 0);
  }
  await expect(starting).rejects.toMatchObject({
    code: "cannot-start-thread",
    message: expect.stringMatching(fate === "fails" ? /: no descriptors$/ : /: it ended at once$/),
  });
  expect(relays.threads).toEqual([0]);
  expect(failures).toEqual([]);
});

it("tells of a thread that dies after its start", async () => {
  await relays.start(2);
  workers[1]!.emit("error", new Error("a bug"));
  expect(failures).toEqual([expect.stringContaining("a bug")]);
});

it("ends a thread when no other can have its wake-up descriptor in hand, and a new one takes its slot", async () => {
  await relays.start(2);
  const [first, second] = workers;
  memory.words[threadWords(1) + WT_WAKE_FD] = second!.wakeFd;
  const before = relays.order({ kind: "gather" });
  const released = relays.release(1);
  expect(relays.threads).toEqual([0]);
  expect(memory.words[threadWords(1) + WT_WAKE_FD]).toBe(-1);
  await turn();
  expect(memory.words[threadWords(1) + WT_STOP], "the first has not answered").toBe(0);
  first!.acknowledge();
  await turn();
  expect(memory.words[threadWords(1) + WT_STOP]).toBe(1);
  second!.acknowledge();
  expect((await before).ended, "what it was ordered before it still answers").toBe(2);
  second!.emit("exit", 0);
  await released;
  expect(await relays.order({ kind: "gather" }, 1), "nobody is there").toEqual({ ended: 0, discardedBytes: 0 });
  await relays.start(2);
  expect(relays.threads).toEqual([0, 1]);
  expect(memory.words[threadWords(1) + WT_STOP]).toBe(0);
});

it("stops those as well that were about to end", async () => {
  await relays.start(2);
  void relays.release(1);
  const stopped = relays.stop(60_000);
  for (const [thread, worker] of workers.entries()) {
    expect(memory.words[threadWords(thread) + WT_STOP]).toBe(1);
    worker.emit("exit", 0);
  }
  expect(await stopped).toBe(true);
});
