// One process takes over from another while clients connect all the time: HAProxy to Headgate, Headgate to Headgate, Headgate to HAProxy,
// with the listening sockets handed over (`-x`, `expose-fd listeners`), and without. Nobody is refused.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { HEADGATE, Program } from "../harness/program.ts";
import { runtimeOnce } from "../harness/runtime-client.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";

const opened = closeAfterEach();

const hasHaproxy = spawnSync("haproxy", ["-v"]).status === 0;
const whyNot = hasHaproxy ? "" : " (skipped: no HAProxy on PATH)";

/** Clients that connect, send a word, get it back and leave, one after the other, on several lines at once. */
class Crowd {
  served = 0;
  readonly failures: string[] = [];
  private isOver = false;
  private readonly lines: Promise<void>[];

  constructor(places: readonly ({ readonly host: string; readonly port: number } | { readonly path: string })[]) {
    this.lines = places.map(async (place) => {
      while (!this.isOver) {
        await this.visit(connect(place)).then(
          () => this.served++,
          (error: Error) => this.failures.push(error.message),
        );
      }
    });
  }

  private visit(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.on("connect", () => socket.write("hello"));
      socket.on("data", () => socket.end());
      socket.on("error", reject);
      socket.on("close", () =>
        socket.bytesRead === 5 ? resolve() : reject(new Error(`closed after ${socket.bytesRead} bytes`)),
      );
    });
  }

  /** So many more are served, by whoever serves. */
  async served100More(): Promise<void> {
    const until = this.served + 100;
    await waitFor(
      () => this.served >= until,
      () => `100 more clients to be served; failed: ${this.failures.join(", ")}`,
    );
  }

  async close(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.lines);
  }
}

/** Waits until so many sockets listen at the port, whoever has them. The kernel's list may show one twice, or not, while others come and go. */
const listeningAt = (port: number, sockets: number): Promise<unknown> =>
  waitFor(() => {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const rows = readFileSync("/proc/net/tcp", "latin1")
      .split("\n")
      .map((row) => row.trim().split(/\s+/));
    const inodes = rows.filter((row) => row[1]?.endsWith(local) && row[3] === "0A").map((row) => row[9]);
    return new Set(inodes).size === sockets;
  }, `${sockets} sockets to listen at ${port}`);

async function stage(exposes = true) {
  const upstream = opened(await Upstream.start(echo));
  const directory = opened(temporaryDirectory()).path;
  const shared = join(directory, "shared.sock");
  const path = join(directory, "fe.sock");
  const port = await freePort();
  const statsPort = await freePort();
  const config = `
    nbthread 1
    stats socket ${shared} level admin ${exposes ? "expose-fd listeners" : ""}
    ${exposes ? `stats socket 127.0.0.1:${statsPort} level admin` : ""}
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 1h
listen fe
    bind ${FRONTEND_ADDRESS}:${port}
    bind unix@${path} mode 666
    server a ${upstream.endpoint}
`;
  const start = async (
    executable?: string,
    args: readonly string[] = [],
    change = (text: string): string => text,
  ): Promise<Program> =>
    opened(await Program.start({ config: change(config), args, ...(executable === undefined ? {} : { executable }) }));
  const tcp = { host: FRONTEND_ADDRESS, port };
  return { start, shared, path, tcp, statsPort };
}

const nameOf = async (path: string): Promise<string> =>
  /Name: (\w+)/.exec(await runtimeOnce(path, "show info"))?.[1] ?? "";

describe(`taking over${whyNot}`, () => {
  it.skipIf(!hasHaproxy)(
    "HAProxy, Headgate, Headgate, HAProxy: nobody is refused, sessions end where they began",
    async () => {
      const { start, shared, tcp, path } = await stage();
      let running = await start("haproxy");
      const crowd = opened(new Crowd([tcp, tcp, { path }]));
      for (const executable of [undefined, undefined, "haproxy"]) {
        const before = running;
        const held = opened(new Client(tcp));
        await held.connected;
        await held.roundTrip("before");
        await crowd.served100More();
        running = await start(executable, ["-x", shared, "-sf", String(before.pid)]);
        await crowd.served100More();
        // Until the one before has heard of it both answer; then the new one alone.
        await waitFor(
          () => /Proxy fe stopped/.test(before.stderr),
          () => `the process before to stop: ${before.stderr}`,
        );
        const name = executable === undefined ? "Headgate" : "HAProxy";
        for (let i = 0; i < 3; i++) expect(await nameOf(shared)).toBe(name);
        await held.roundTrip("after");
        expect(before.running).toBe(true);
        held.close();
        expect(await before.waitForExit()).toBe(0);
        await crowd.served100More();
      }
      await crowd.close();
      expect(crowd.failures).toEqual([]);
      expect(existsSync(path)).toBe(true);
    },
  );

  it.skipIf(!hasHaproxy)(
    "several sockets on one address come over together, and stay over a reload: none of their clients is lost",
    async () => {
      const { start, shared, tcp } = await stage();
      const sharded = (text: string): string =>
        text.replace("nbthread 1", "nbthread 2").replace(`:${tcp.port}`, `:${tcp.port} shards 2`);
      const haproxy = await start("haproxy", [], sharded);
      await listeningAt(tcp.port, 2);
      const crowd = opened(new Crowd([tcp, tcp, tcp, tcp]));
      let running = haproxy;
      for (let times = 0; times < 2; times++) {
        const before = running;
        running = await start(undefined, ["-x", shared, "-sf", String(before.pid)]);
        expect(await before.waitForExit()).toBe(0);
        await listeningAt(tcp.port, 2);
        await crowd.served100More();
      }
      expect(await running.runtime("reload")).toContain("done");
      await crowd.served100More();
      await listeningAt(tcp.port, 2);
      // Sockets go back in the same way; nobody came or went by the reload.
      running = await start("haproxy", ["-x", shared, "-sf", String(running.pid)], sharded);
      await crowd.served100More();
      await crowd.close();
      expect(crowd.failures).toEqual([]);
    },
  );

  it("-st: sessions of the process before end at once", async () => {
    const { start, shared, tcp, statsPort } = await stage();
    const first = await start();
    const held = opened(new Client(tcp));
    await held.connected;
    await held.roundTrip("before");
    const second = await start(undefined, ["-x", shared, "-st", String(first.pid)]);
    expect(await first.waitForExit()).toBe(143);
    await waitFor(() => held.received.ended, "the session to end");
    const next = opened(new Client(tcp));
    await next.connected;
    await next.roundTrip("next");
    // A TCP stats socket came over too.
    const socket = connect(statsPort, "127.0.0.1");
    socket.write("show info\n");
    const text = await new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(String(bytes))));
    expect(text).toContain(`Pid: ${second.pid}`);
    socket.destroy();
  });

  it("without -x the ports are asked for (SIGTTOU), and given up once the next process can have them", async () => {
    const { start, tcp } = await stage(false);
    const first = await start();
    const second = await start(undefined, ["-sf", String(first.pid)]);
    expect(await first.waitForExit()).toBe(0);
    expect(first.stderr).toContain("Paused proxy fe.");
    const client = opened(new Client(tcp));
    await client.connected;
    await client.roundTrip("hello");
    expect(second.running).toBe(true);
  });
});

describe("a hand-over that cannot be", () => {
  it("leaves the sockets that it had fetched to the process before, paths among them", async () => {
    const { start, shared, path } = await stage();
    const first = await start();
    const taken = opened(await Upstream.start(echo));
    const config = join(first.directory, "next.cfg");
    const text = readFileSync(first.configPath, "utf8");
    writeFileSync(config, `${text}\nlisten more\n    bind ${taken.endpoint}\n    server a 127.0.0.1:1\n`);
    const next = spawnSync(process.execPath, [HEADGATE, "-f", config, "-x", shared], { encoding: "utf8" });
    expect(next.stderr).toContain("Address already in use");
    expect(next.status).toBe(1);
    const client = opened(new Client({ path }));
    await client.connected;
    await client.roundTrip("hello");
  });

  it("ends the start with the reason, and the process before serves on", async () => {
    const { start, shared, tcp } = await stage(false);
    const first = await start();
    const attempt = (socket: string): { status: number | null; stderr: string } =>
      spawnSync(process.execPath, [HEADGATE, "-f", first.configPath, "-x", socket, "-sf", String(first.pid)], {
        encoding: "utf8",
      });
    const refused = attempt(shared);
    expect(refused.stderr).toContain("cannot fetch the listening sockets of the process before from");
    expect(refused.stderr).toContain("its line in the configuration needs 'expose-fd listeners'");
    expect(refused.status).toBe(1);
    expect(attempt("/nowhere/x.sock").stderr).toContain("No such file or directory");
    const client = opened(new Client(tcp));
    await client.connected;
    await client.roundTrip("hello");
  });
});
