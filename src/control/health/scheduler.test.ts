import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CheckPace } from "./pace.ts";
import { CheckScheduler, type CheckSchedulerOptions, type ScheduledCheck } from "./scheduler.ts";

/** A check that remembers when it was started and lets the test end it. */
class Probe {
  readonly startedMs: number[] = [];
  cancelled = 0;
  running = 0;
  end: () => void = () => {};
  readonly takesMs: number;

  constructor(takesMs = 0) {
    this.takesMs = takesMs;
  }

  readonly start = (onEnd: () => void): (() => void) => {
    this.startedMs.push(performance.now());
    this.running++;
    let isOver = false;
    const finish = () => {
      if (isOver) return;
      isOver = true;
      this.running--;
      onEnd();
    };
    this.end = finish;
    const timer = this.takesMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(finish, this.takesMs);
    return () => {
      isOver = true;
      this.running--;
      this.cancelled++;
      clearTimeout(timer);
    };
  };
}

const schedulers: CheckScheduler<string>[] = [];

function scheduler(options: CheckSchedulerOptions = {}): CheckScheduler<string> {
  const made = new CheckScheduler<string>(options);
  schedulers.push(made);
  return made;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("the scheduler of checks", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"] });
  });

  afterEach(() => {
    for (const made of schedulers.splice(0)) made.close();
    vi.useRealTimers();
  });

  it("runs a check an interval after it was added, and again an interval after each end", async () => {
    const probe = new Probe(30);
    const began = performance.now();
    scheduler().add("s", { intervalMs: 100, start: probe.start });
    await pass(400);
    const times = probe.startedMs.map((ms) => ms - began);
    expect(times).toHaveLength(3);
    times.forEach((ms, i) => {
      expect(ms).toBeGreaterThanOrEqual(100 + i * 130);
      expect(ms).toBeLessThan(110 + i * 135);
    });
  });

  it("never has two runs of one check, however long one takes", async () => {
    const probe = new Probe(Number.POSITIVE_INFINITY);
    const made = scheduler();
    made.add("s", { intervalMs: 10, start: probe.start });
    await pass(500);
    expect(probe.startedMs).toHaveLength(1);
    expect(made.isRunning("s")).toBe(true);
    probe.end();
    await pass(20);
    expect(probe.startedMs).toHaveLength(2);
    expect(probe.running).toBe(1);
  });

  it("spreads first runs evenly over the shortest interval", async () => {
    const probes = Array.from({ length: 500 }, () => new Probe());
    const began = performance.now();
    scheduler().addAll(
      probes.map((probe, i) => [`s${i}`, { intervalMs: i === 7 ? 2000 : 1000, start: probe.start }] as const),
    );
    await pass(1100);
    const slots = new Array<number>(10).fill(0);
    for (const probe of probes) slots[Math.min(9, Math.floor((probe.startedMs[0]! - began) / 100))]!++;
    for (const count of slots) expect(count).toBeGreaterThan(40);
    for (const count of slots) expect(count).toBeLessThan(60);
  });

  it("moves each interval by spread-checks percent at most", async () => {
    const values = [0, 1];
    let turn = 0;
    const probe = new Probe();
    const began = performance.now();
    scheduler({ spreadPercent: 20, random: () => values[turn++ % 2]! }).add("s", {
      intervalMs: 1000,
      start: probe.start,
    });
    await pass(2100);
    const [first, second] = probe.startedMs.map((ms) => ms - began);
    expect(first).toBeGreaterThanOrEqual(1200);
    expect(first).toBeLessThan(1210);
    expect(second).toBeGreaterThanOrEqual(2000);
    expect(second).toBeLessThan(2020);
  });

  it("takes a shorter interval from now on, and a longer one from the last end", async () => {
    const probe = new Probe();
    const made = scheduler();
    made.add("s", { intervalMs: 10_000, start: probe.start });
    await pass(1000);
    made.setInterval("s", 50);
    await pass(70);
    expect(probe.startedMs).toHaveLength(1);
    made.setInterval("s", 5000);
    await pass(4900);
    expect(probe.startedMs).toHaveLength(1);
    await pass(200);
    expect(probe.startedMs).toHaveLength(2);
  });

  it("cancels a run on its way when suspended or removed, and hears nothing of it", async () => {
    const probe = new Probe(Number.POSITIVE_INFINITY);
    const made = scheduler();
    made.add("s", { intervalMs: 10, start: probe.start });
    await pass(20);
    made.suspend("s");
    expect(probe.cancelled).toBe(1);
    probe.end();
    await pass(100);
    expect(probe.startedMs).toHaveLength(1);
    made.resume("s");
    await pass(20);
    expect(probe.startedMs).toHaveLength(2);
    made.remove("s");
    expect(probe.cancelled).toBe(2);
    expect(made.size).toBe(0);
    await pass(100);
    expect(probe.startedMs).toHaveLength(2);
  });

  it("takes the place of a removed check, and grows beyond its first capacity", async () => {
    const made = scheduler();
    const probes = Array.from({ length: 200 }, () => new Probe());
    probes.forEach((probe, i) => {
      made.add(`a${i}`, { intervalMs: 1000, start: probe.start });
    });
    for (let i = 0; i < 200; i += 2) made.remove(`a${i}`);
    const later = new Probe();
    made.add("b", { intervalMs: 500, start: later.start });
    await pass(1100);
    expect(probes.map((probe) => probe.startedMs.length)).toEqual(probes.map((_, i) => i % 2));
    expect(later.startedMs).toHaveLength(2);
  });

  it("lets the event loop turn between batches when many are due at once", async () => {
    const made = scheduler();
    let started = 0;
    const startedAtImmediate: number[] = [];
    for (let i = 0; i < 300; i++) {
      made.add(`s${i}`, {
        intervalMs: 50,
        start: () => {
          if (started++ === 0) setImmediate(() => startedAtImmediate.push(started));
          return () => {};
        },
      });
    }
    await pass(60);
    expect(started).toBe(300);
    expect(startedAtImmediate[0]).toBeLessThan(300);
  });

  it("keeps those apart that a stall made wait: what began late is due as if it had not", async () => {
    let stalledMs = 0;
    const nowMs = () => performance.now() + stalledMs;
    const zero = nowMs();
    const begun: [name: string, atMs: number][] = [];
    const check = (name: string): [string, ScheduledCheck] => [
      name,
      {
        intervalMs: 1000,
        start: (onEnd) => {
          begun.push([name, nowMs() - zero]);
          // The first run of all holds the event loop, over the time of the other's.
          if (begun.length === 1) stalledMs = 700;
          setImmediate(onEnd);
          return () => {};
        },
      },
    ];
    scheduler({ nowMs }).addAll([check("a"), check("b")]);
    await pass(1200);
    const ofB = begun.filter(([name]) => name === "b").map(([, atMs]) => atMs);
    // Due 500 ms after the start, held up until 700.
    expect(ofB[0]).toBeGreaterThanOrEqual(700);
    expect(ofB[1]).toBeGreaterThanOrEqual(1500);
    expect(ofB[1]).toBeLessThan(1520);
  });

  it("lets others run between two runs", async () => {
    const given = { ways: 0 };
    const made = scheduler({ pace: new CheckPace({ giveWay: () => given.ways++ }) });
    const probes = Array.from({ length: 10 }, () => new Probe());
    made.addAll(probes.map((probe, i) => [`s${i}`, { intervalMs: 1000, start: probe.start }]));
    await pass(1050);
    const begun = () => probes.reduce((sum, { startedMs }) => sum + startedMs.length, 0);
    expect(begun()).toBeGreaterThanOrEqual(10);
    expect(given.ways).toBe(begun());
  });
});
