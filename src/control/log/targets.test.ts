import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, read, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { LOG_QUEUE_BYTES_MAX } from "../../base/limits.ts";
import type { LogTarget } from "../../config/model.ts";
import { c } from "../../sys/libc.ts";
import { DescriptorSink } from "./descriptor-sink.ts";
import { DropReport } from "./drop-report.ts";
import { LogTargets } from "./targets.ts";

const logTarget = (target: LogTarget["target"], part: Partial<LogTarget> = {}): LogTarget => ({
  target,
  maxLength: 1024,
  format: "priority",
  facility: 16,
  maxLevel: 7,
  minLevel: 0,
  place: { file: "t.cfg", line: 1, column: 1 },
  ...part,
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function openTargets(logTargets: readonly LogTarget[]): Promise<{ targets: LogTargets; reports: string[] }> {
  const reports: string[] = [];
  const targets = new LogTargets({
    report: (line) => reports.push(line),
    resolve: async (host) => {
      if (host === "log.example") return "127.0.0.1";
      throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
    },
  });
  cleanups.push(() => targets.close());
  await targets.add(logTargets);
  return { targets, reports };
}

async function udpReceiver(
  type: "udp4" | "udp6",
  address: string,
): Promise<{ port: number; next: () => Promise<string> }> {
  const socket = createSocket(type);
  const messages: string[] = [];
  socket.on("message", (message) => messages.push(message.toString()));
  socket.bind(0, address);
  await once(socket, "listening");
  cleanups.push(() => socket.close());
  const next = (): Promise<string> =>
    vi.waitFor(() => {
      const message = messages.shift();
      if (message === undefined) throw new Error("no message yet");
      return message;
    });
  return { port: socket.address().port, next };
}

test.each([
  ["udp4", "127.0.0.1", "127.0.0.1"],
  ["udp6", "::1", "::1"],
  ["udp4", "127.0.0.1", "log.example"],
] as const)("%s datagrams to %s, configured as %s", async (type, address, host) => {
  const receiver = await udpReceiver(type, address);
  const target = logTarget({ kind: "udp", host, port: receiver.port });
  const { targets, reports } = await openTargets([target]);
  targets.send([target], 6, "one");
  targets.send([target], 5, "two");
  expect(await receiver.next()).toBe("<134>one\n");
  expect(await receiver.next()).toBe("<133>two\n");
  expect(targets.dropped()).toBe(0);
  expect(reports).toEqual([]);
});

test("a level filter keeps messages from one target and not from another", async () => {
  const receiver = await udpReceiver("udp4", "127.0.0.1");
  const to = { kind: "udp", host: "127.0.0.1", port: receiver.port } as const;
  const both = [logTarget(to, { maxLevel: 5 }), logTarget(to, { format: "raw" })];
  const { targets } = await openTargets(both);
  targets.send(both, 6, "info");
  targets.send(both, 5, "notice");
  expect([await receiver.next(), await receiver.next(), await receiver.next()]).toEqual([
    "info\n",
    "<133>notice\n",
    "notice\n",
  ]);
});

test("a host without address: dropped, counted, reported once with the reason", async () => {
  const target = logTarget({ kind: "udp", host: "nowhere.example", port: 514 });
  const { targets, reports } = await openTargets([target]);
  for (let i = 0; i < 5; i++) targets.send([target], 6, "x");
  expect(targets.dropped()).toBe(5);
  expect(reports).toEqual(["log target nowhere.example:514: 1 message dropped (cannot resolve: ENOTFOUND)"]);
});

const hasSocat = spawnSync("socat", ["-V"]).status === 0;
const whySkipped = hasSocat ? "" : " (skipped: socat is not installed)";

test.skipIf(!hasSocat)(`a unix socket that appears later is found by later messages${whySkipped}`, async () => {
  const directory = mkdtempSync(join(tmpdir(), "headgate-log-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "log");
  const target = logTarget({ kind: "unix", path });
  const { targets, reports } = await openTargets([target]);
  targets.send([target], 6, "lost");
  expect(targets.dropped()).toBe(1);
  expect(reports).toEqual([`log target ${path}: 1 message dropped (no such socket)`]);

  const receiver = spawn("socat", ["-u", `UNIX-RECV:${path}`, "-"], { stdio: ["ignore", "pipe", "inherit"] });
  let received = "";
  receiver.stdout.on("data", (bytes) => {
    received += bytes;
  });
  cleanups.push(async () => {
    const gone = once(receiver, "exit");
    receiver.kill();
    await gone;
  });
  await vi.waitFor(() => expect(existsSync(path)).toBe(true), { timeout: 10_000 });
  await vi.waitFor(
    () => {
      targets.send([target], 6, "found");
      expect(received).toMatch(/^(<134>found\n)+$/);
    },
    { timeout: 10_000 },
  );
});

function openPipe(): { reader: number; writer: number } {
  const ends = new Int32Array(2);
  c.pipe2(c.memmoveAddress(ends, ends, 0), 0);
  return { reader: ends[0], writer: ends[1] };
}

test("a full pipe: lines wait up to the bound, more are dropped and counted, what was taken arrives whole and in order", async () => {
  const { reader, writer } = openPipe();
  cleanups.push(() => closeSync(reader));
  const sink = new DescriptorSink("fd", writer);
  const line = (n: number): Buffer => Buffer.from(`${String(n).padStart(8, "0")} ${"x".repeat(990)}\n`);
  let taken = 0;
  let refused = 0;
  for (let n = 0; refused < 10; n++) {
    const bytes = line(n);
    const why = sink.send(bytes, bytes.length);
    if (why === undefined) taken++;
    else {
      expect(why).toBe("queue full");
      refused++;
    }
  }
  expect(taken * 1000).toBeGreaterThan(LOG_QUEUE_BYTES_MAX - 2000);
  expect(taken * 1000).toBeLessThan(LOG_QUEUE_BYTES_MAX + 2_000_000);

  const expected = Array.from({ length: taken }, (_, n) => line(n).toString()).join("");
  const chunk = Buffer.alloc(65_536);
  let received = "";
  while (received.length < expected.length) {
    const n = await new Promise<number>((resolve, reject) =>
      read(reader, chunk, 0, chunk.length, null, (error, count) => (error ? reject(error) : resolve(count))),
    );
    received += chunk.toString("latin1", 0, n);
  }
  expect(received === expected).toBe(true);
  await sink.close();
  closeSync(writer);
});

test("a closed reader: everything is dropped and counted, nothing throws", async () => {
  const { reader, writer } = openPipe();
  closeSync(reader);
  const sink = new DescriptorSink("fd", writer);
  cleanups.push(() => closeSync(writer));
  let late = 0;
  sink.onLateDrop = (count, reason) => {
    expect(reason).toBe("EPIPE");
    late += count;
  };
  const bytes = Buffer.from("line\n");
  for (let i = 0; i < 3; i++) sink.send(bytes, bytes.length);
  await vi.waitFor(() => expect(late).toBe(3));
  expect(sink.send(bytes, bytes.length)).toBe("EPIPE");
});

test("close gives up on a descriptor that takes nothing, and counts what was left", async () => {
  let dropped = 0;
  const sink = new DescriptorSink("fd", -1, () => {});
  sink.onLateDrop = (count) => {
    dropped += count;
  };
  const bytes = Buffer.from("line\n");
  for (let i = 0; i < 4; i++) sink.send(bytes, bytes.length);
  await sink.close();
  // One line is in the write that never ends, three wait.
  expect(dropped).toBe(3);
});

test("a descriptor that answers EAGAIN or takes a part gets the rest later", async () => {
  const written: string[] = [];
  let calls = 0;
  const sink = new DescriptorSink("fd", -1, (_fd, bytes, offset, length, done) => {
    calls++;
    if (calls === 1) return done(Object.assign(new Error("again"), { code: "EAGAIN" }), 0);
    const n = Math.min(length, 3);
    written.push(bytes.toString("latin1", offset, offset + n));
    setImmediate(done, null, n);
  });
  const bytes = Buffer.from("0123456789\n");
  sink.send(bytes, bytes.length);
  await sink.close();
  expect(written.join("")).toBe("0123456789\n");
});

test("drops are reported at once, then once a period, with thousands set apart", () => {
  vi.useFakeTimers();
  cleanups.push(() => vi.useRealTimers());
  const lines: string[] = [];
  const report = new DropReport("127.0.0.1:514", (line) => lines.push(line), 10_000);
  report.add(1, "no buffer space");
  for (let i = 0; i < 1234; i++) report.add(1, "no buffer space");
  expect(lines).toEqual(["log target 127.0.0.1:514: 1 message dropped (no buffer space)"]);
  vi.advanceTimersByTime(10_000);
  expect(lines[1]).toBe("log target 127.0.0.1:514: 1,234 messages dropped (no buffer space)");
  vi.advanceTimersByTime(60_000);
  expect(lines.length).toBe(2);
  report.add(2, "queue full");
  expect(lines[2]).toBe("log target 127.0.0.1:514: 2 messages dropped (queue full)");
  expect(report.total).toBe(1237);
});
