import { afterEach, describe, expect, it, vi } from "vitest";
import { closeAfterEach } from "../../test/harness/closing.ts";
import { NotifyReceiver } from "../../test/harness/notify-receiver.ts";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import type { Receipt } from "./change.ts";
import type { Program } from "./program.ts";
import { ServiceManager } from "./service-manager.ts";

const opened = closeAfterEach();
afterEach(() => vi.useRealTimers());

function connected(more: Record<string, string> = {}) {
  const receiver = opened(new NotifyReceiver());
  const environment: Record<string, string | undefined> = { PATH: "/bin", NOTIFY_SOCKET: receiver.path, ...more };
  return { receiver, environment, manager: ServiceManager.connect(environment) };
}

describe("the service manager", () => {
  it("is told what happens, and nobody else can speak in its name afterwards", () => {
    const { receiver, environment, manager } = connected({ WATCHDOG_USEC: "1000000" });
    expect(environment).toEqual({ PATH: "/bin" });
    manager.ready();
    manager.reloading();
    manager.stopping();
    const lines = receiver.lines();
    expect(lines.map((line) => line.replace(/USEC=\d+/, "USEC=n"))).toEqual([
      "READY=1",
      `MAINPID=${process.pid}`,
      "RELOADING=1",
      "MONOTONIC_USEC=n",
      "STOPPING=1",
    ]);
    const microseconds = Number(/MONOTONIC_USEC=(\d+)/.exec(lines[3]!)?.[1]);
    expect(Math.abs(microseconds - Number(process.hrtime.bigint() / 1000n))).toBeLessThan(60_000_000);
  });

  it("without one nothing is said, and one that is gone does no harm", () => {
    const alone = ServiceManager.connect({});
    alone.ready();
    alone.stopping();
    const { receiver, manager } = connected();
    receiver.close();
    manager.ready();
    expect(ServiceManager.connect({ NOTIFY_SOCKET: "/nowhere/notify" })).toBeDefined();
  });

  it("is told the status, and again once it differs", async () => {
    const { receiver, manager } = connected();
    const program = await InMemoryProgram.start();
    vi.useFakeTimers();
    manager.watch(program);
    vi.advanceTimersByTime(60_000);
    expect(receiver.lines()).toEqual(["STATUS=serving: 0 sessions, 2 of 3 servers up"]);
    program.stopping = true;
    vi.advanceTimersByTime(60_000);
    expect(receiver.lines().slice(1)).toEqual(["STATUS=finishing: 0 sessions, 2 of 3 servers up"]);
    manager.stopping();
  });

  it("hears signs of life three times within its time, as long as all threads answer", async () => {
    const { receiver, manager } = connected({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: String(process.pid) });
    const real = await InMemoryProgram.start();
    const held: ((receipt: Receipt) => void)[] = [];
    const commit = vi.fn(() => new Promise<Receipt>((resolve) => held.push(resolve)));
    const program = { registry: real.registry, memory: real.memory, stopping: false, commit } as unknown as Program;
    const signs = (): number => receiver.lines().filter((line) => line === "WATCHDOG=1").length;
    vi.useFakeTimers();
    manager.watch(program);
    await vi.advanceTimersByTimeAsync(999);
    expect(commit).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(commit).toHaveBeenCalledTimes(1);
    expect(signs()).toBe(0);
    held[0]!({ done: true, matched: 0, ended: 0, survivors: 0 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(signs()).toBe(1);
    // The second one is not answered: no third is asked for, and there is no sign.
    await vi.advanceTimersByTimeAsync(60_000);
    expect(commit).toHaveBeenCalledTimes(2);
    expect(signs()).toBe(1);
    manager.stopping();
  });

  it("of another process is given no signs of life", async () => {
    const { receiver, manager } = connected({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" });
    vi.useFakeTimers();
    manager.watch(await InMemoryProgram.start());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(receiver.lines()).not.toContain("WATCHDOG=1");
    manager.stopping();
  });
});
