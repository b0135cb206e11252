import { beforeEach, expect, it } from "vitest";
import { W_THREADS, WT_GRANTS, WT_HANDED_HEAD, WT_LOAD } from "../memory/control-words.ts";
import { CT_ROWS_USED } from "../memory/counters.ts";
import { S_STATE, SESSION_WORDS, SessionState } from "../memory/session-row.ts";
import {
  allocateSharedMemory,
  type SharedMemory,
  slotsUsed,
  threadCounters,
  threadWords,
} from "../memory/shared-memory.ts";
import { ThreadService } from "./thread-service.ts";

/** Threads that run when asked to, and end when the test says so. */
class FakeRelays {
  readonly running = new Set([0]);
  readonly starting: number[] = [];
  readonly ending = new Map<number, () => void>();
  failsToStart = false;

  get threads(): readonly number[] {
    return [...this.running].sort();
  }

  async start(count: number): Promise<void> {
    this.starting.push(count);
    if (this.failsToStart) throw new Error("no thread");
    for (let thread = 0; thread < count; thread++) this.running.add(thread);
  }

  release(thread: number): Promise<void> {
    this.running.delete(thread);
    return new Promise((resolve) => this.ending.set(thread, resolve));
  }
}

let memory: SharedMemory;
let relays: FakeRelays;
let service: ThreadService;
let ended: string[];

beforeEach(() => {
  memory = allocateSharedMemory({ threads: 1, slots: 3, rowsPerThread: 4, proxies: 1, servers: 1, records: 2 });
  relays = new FakeRelays();
  ended = [];
  service = new ThreadService(memory, relays, (text) => ended.push(text));
  service.settle();
});

/** A reload to so many threads. */
async function reload(threads: number): Promise<void> {
  await service.prepare(threads);
  memory.words[W_THREADS] = threads;
  service.settle();
}

it("runs the threads that a reload asks for, and ends those that it does not", async () => {
  await reload(3);
  expect(relays.threads).toEqual([0, 1, 2]);
  expect(slotsUsed(memory)).toBe(3);
  await reload(1);
  expect(relays.threads).toEqual([0]);
  expect([...relays.ending.keys()]).toEqual([1, 2]);
  relays.ending.get(2)!();
  await new Promise(setImmediate);
  expect(ended).toEqual(["Relay thread 3 has ended: its last session is over."]);
  expect(slotsUsed(memory), "counters of threads that are gone are still counters").toBe(3);
});

it.each([
  ["a session", () => Atomics.store(memory.words, threadWords(1) + WT_LOAD, 1)],
  ["a turn in a queue on its way", () => Atomics.store(memory.words, threadWords(1) + WT_GRANTS, 5)],
  ["a connection on its way", () => Atomics.store(memory.words, threadWords(1) + WT_HANDED_HEAD, 1)],
  [
    "a row that is not free yet",
    () => {
      memory.countersF64[threadCounters(memory, 1) + CT_ROWS_USED] = 2;
      memory.sessions[(memory.rowsPerThread + 1) * SESSION_WORDS + S_STATE] = SessionState.ABANDONED;
    },
  ],
])("keeps a thread that leaves as long as it has %s", async (_, occupy) => {
  await reload(2);
  occupy();
  await reload(1);
  expect(relays.threads).toEqual([0, 1]);
  memory.words.fill(0, threadWords(1), threadWords(2));
  memory.sessions.fill(0);
  service.look();
  expect(relays.threads).toEqual([0]);
});

it("takes a thread back that has not ended", async () => {
  await reload(2);
  Atomics.store(memory.words, threadWords(1) + WT_LOAD, 1);
  await reload(1);
  await reload(2);
  Atomics.store(memory.words, threadWords(1) + WT_LOAD, 0);
  service.look();
  expect(relays.threads).toEqual([0, 1]);
});

it("ends nobody while a reload is under way, whatever it comes to", async () => {
  await reload(3);
  await service.prepare(1);
  memory.words[W_THREADS] = 1;
  // Until all have heard of it others may hand them connections.
  service.look();
  expect(relays.threads).toEqual([0, 1, 2]);
  service.settle();
  expect(relays.threads).toEqual([0]);
});

it("starts a thread in the slot of one that is ending only when that is gone", async () => {
  await reload(2);
  await reload(1);
  const more = reload(2);
  await new Promise(setImmediate);
  expect(relays.starting).toEqual([2, 1]);
  relays.ending.get(1)!();
  await more;
  expect(relays.threads).toEqual([0, 1]);
});

it("ends what a refused reload started, and says nothing of it", async () => {
  await service.prepare(3);
  service.settle();
  expect(relays.threads).toEqual([0]);
  for (const end of relays.ending.values()) end();
  await new Promise(setImmediate);
  expect(ended).toEqual([]);
  relays.failsToStart = true;
  await expect(service.prepare(2)).rejects.toThrow("no thread");
});
