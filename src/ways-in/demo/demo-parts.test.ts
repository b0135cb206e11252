import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { loadConfigText } from "../../config/load.ts";
import { DemoClients } from "./clients.ts";
import { addressesOf, demoConfig } from "./demo-config.ts";
import { DemoEvents } from "./events.ts";
import { Screen } from "./screen.ts";
import { DemoUpstream, freePort } from "./upstream.ts";
import { bytesText, type DemoPicture, drawPicture, plainLine } from "./view.ts";

const quickstart = readFileSync(new URL("../../../examples/quickstart.cfg", import.meta.url), "utf8");
// biome-ignore lint/suspicious/noControlCharactersInRegex: the codes that a terminal takes as colours.
const plain = (line: string): string => line.replace(/\x1b\[\d+m/g, "");

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

describe("the configuration", () => {
  test("the example's addresses are found", () => {
    expect(addressesOf(quickstart)).toEqual({
      entrance: 17000,
      servers: { s1: 17001, s2: 17002, s3: 17003 },
      socketPath: "./headgate.sock",
    });
    expect(addressesOf("global\n")).toBeUndefined();
  });

  test("with other addresses it is still valid, and logs nothing", () => {
    const servers = { s1: 18001, s2: 17002, s3: 18003 };
    const text = demoConfig(quickstart, { entrance: 18000, servers, socketPath: "./other.sock" });
    const { config, diagnostics } = loadConfigText(text, "quickstart.cfg", {});
    expect(diagnostics).toEqual([]);
    expect(addressesOf(text)).toEqual({ entrance: 18000, servers, socketPath: "./other.sock" });
    expect(config?.proxies.flatMap((proxy) => proxy.logs)).toEqual([]);
  });
});

describe("upstreams and clients", () => {
  test("a taken port gives way to a free one", async () => {
    const first = await DemoUpstream.start("a", 0);
    cleanups.push(() => first.stop());
    const second = await DemoUpstream.start("b", first.port);
    cleanups.push(() => second.stop());
    expect(second.port).not.toBe(first.port);
    expect(await freePort(first.port)).not.toBe(first.port);
  });

  test("an upstream greets with its name and echoes", async () => {
    const upstream = await DemoUpstream.start("s7", 0);
    cleanups.push(() => upstream.stop());
    const socket = connect(upstream.port, "127.0.0.1");
    cleanups.push(() => socket.destroy());
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
    });
    await once(socket, "connect");
    socket.write("hello");
    await vi.waitFor(() => expect(text).toMatch(/^s7\n[\s\S]*hello/));
  });

  test("clients that lose their server connect again and say from where to where", async () => {
    const first = await DemoUpstream.start("first", 0);
    const moves: string[] = [];
    const clients = new DemoClients(first.port, 3, 0, { reconnected: (from, to) => moves.push(`${from}->${to}`) });
    cleanups.push(() => clients.stop());
    await vi.waitFor(() => expect(clients.connected).toBe(3), { timeout: 5_000 });
    first.stop();
    await vi.waitFor(() => expect(clients.connected).toBe(0), { timeout: 5_000 });
    const second = await DemoUpstream.start("second", first.port);
    cleanups.push(() => second.stop());
    await vi.waitFor(() => expect(clients.connected).toBe(3), { timeout: 5_000 });
    expect(moves).toEqual(["first->second", "first->second", "first->second"]);
  });
});

describe("events", () => {
  let ms = 0;
  const at = (): Date => new Date(2026, 0, 1, 9, 5, 7, ms);

  test("are sentences with their time", () => {
    const said: string[] = [];
    const events = new DemoEvents((line) => said.push(line), at);
    events.changed({ server: "s1", state: "MAINT", cut: 0, sessions: 4 });
    events.changed({ server: "s1", cut: 4, sessions: 0 });
    for (const to of ["s3", "s2", "s3", "s2"]) events.reconnected("s1", to);
    events.tellMoves();
    expect(said.length).toBe(2);
    ms = 600;
    events.tellMoves();
    events.tellMoves();
    events.changed({ server: "s1", state: "UP", cut: 0, sessions: 0 });
    expect(said).toEqual([
      "09:05:07  s1 is disabled: no new sessions, 4 old ones stay",
      "09:05:07  4 sessions cut on s1, 0 left",
      "09:05:07  4 clients of s1 connected again: 2 to s2, 2 to s3",
      "09:05:07  s1 takes new sessions again",
    ]);
    expect(events.lines).toEqual(said);
  });

  test("only the newest are kept", () => {
    const events = new DemoEvents(undefined, at);
    for (let i = 0; i < 500; i++) events.changed({ server: `s${i}`, cut: 1, sessions: 0 });
    expect(events.lines.length).toBe(100);
    expect(events.lines.at(-1)).toContain("1 session cut on s499");
  });
});

describe("the picture", () => {
  const picture: DemoPicture = {
    version: "1.2.3",
    threads: 2,
    entrance: "127.0.0.1:17000",
    backend: "trio",
    clients: 12,
    connected: 11,
    servers: [
      { name: "s1", state: "MAINT", sessions: 0, bytesPerSecond: 0 },
      { name: "s2", state: "UP", sessions: 12, bytesPerSecond: 1_234_567 },
    ],
    commands: [['bin/headgate run "disable server trio/s1"', "no new sessions; the old ones stay"]],
    note: "",
    events: Array.from({ length: 40 }, (_, i) => `event ${i}`),
  };

  test.each([
    [80, 24],
    [120, 50],
    [60, 10],
  ])("fits %i columns, and shows the newest events", (columns, rows) => {
    const lines = drawPicture(picture, columns, rows).map(plain);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    if (rows >= 20) expect(lines.length).toBeLessThanOrEqual(rows);
    expect(lines.join("\n")).toContain("event 39");
    expect(lines.join("\n")).toContain('bin/headgate run "disable server trio/s1"');
  });

  test("shows state, sessions, rate and a bar for each server", () => {
    const lines = drawPicture(picture, 80, 24).map(plain);
    expect(lines.find((line) => line.startsWith(" s1"))).toMatch(/^ s1 +MAINT +0 +0 B *$/);
    expect(lines.find((line) => line.startsWith(" s2"))).toMatch(/^ s2 +UP +12 +1\.2 MB +█{30}$/);
    expect(plainLine(picture)).toBe("s1 MAINT 0 sessions 0 B/s | s2 UP 12 sessions 1.2 MB/s");
  });

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [9_960, "10 kB"],
    [999_600, "1.0 MB"],
    [12_345_678_901, "12 GB"],
  ])("%i bytes are %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });
});

test("the screen writes changed lines only, and gives the terminal back", () => {
  const written: string[] = [];
  const screen = new Screen({ write: (text) => written.push(text) });
  screen.draw(["one", "two", "three"]);
  screen.draw(["one", "2", "three"]);
  screen.draw(["one", "2", "three"]);
  screen.draw(["one"]);
  screen.close();
  screen.close();
  expect(written[0]).toMatch(/one.*two.*three/);
  expect(written.slice(1)).toEqual(["\x1b[2;1H2\x1b[K", "\x1b[2;1H\x1b[K\x1b[3;1H\x1b[K", "\x1b[?25h\x1b[?1049l"]);
});
