// The process's life as an operator sees it: start, soft stop, signals, exit codes, pid file, a config that cannot be served.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { release } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { runtimeOnce } from "../harness/runtime-client.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { echo, sink, source, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { type SimpleConfig, simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(threads: number, config: Partial<SimpleConfig> = {}, behaviour = echo) {
  const upstream = opened(await Upstream.start(behaviour));
  const log = opened(await LogReceiver.start());
  const port = await freePort();
  const program = opened(
    await Program.start({
      config: simpleConfig({
        port,
        threads,
        servers: [`a ${upstream.endpoint}`],
        ...config,
        global: [`log ${log.endpoint} local0`, ...(config.global ?? [])],
        frontend: ["log global", "option tcplog"],
      }),
    }),
  );
  return { program, upstream, log, port };
}

async function refused(port: number): Promise<boolean> {
  const client = new Client({ host: FRONTEND_ADDRESS, port });
  return client.connected.then(
    () => {
      client.reset();
      return false;
    },
    () => client.errorCode === "ECONNREFUSED",
  );
}

describe.each([1, 2])("soft stop, %i thread(s)", (threads) => {
  it("soft-stop-inspect: sessions go on, new ones are refused, the Runtime API stays until the last session ends", async () => {
    const { program, port, log } = await start(threads);
    const clients = (await openClients(4, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("before")));
    const conversation = opened(await program.runtimeInteractive());

    program.signal("SIGUSR1");
    await waitFor(() => refused(port), "new connections to be refused");
    await Promise.all(clients.map((client) => client.roundTrip("after")));
    expect((await program.info()).Stopping).toBe("1");
    await waitFor(async () => (await program.sessions()).length === 4, "the four sessions and none of the late");
    expect(await conversation.send("show sess")).toMatch(/ fe=fe /);
    expect((await program.stat()).find((r) => r.svname === "FRONTEND")?.status).toBe("STOP");

    // Commands reach the sessions that are left.
    const [first, second] = await program.sessions();
    expect(await program.runtime(`shutdown session ${first!.id}`)).toBe("\n");
    expect(await program.runtime(`shutdown session ${second!.id}`)).toBe("\n");
    await waitFor(() => clients.filter((c) => c.received.ended).length === 2, "two sessions to be cut");
    const left = clients.filter((c) => !c.received.ended);
    left[0]!.close();
    await waitFor(async () => (await program.sessions()).length === 1, "one session left");
    expect(program.running).toBe(true);
    left[1]!.close();
    expect(await program.waitForExit()).toBe(0);
    const lines = await Promise.all(clients.map((client) => log.waitForSession(client.local)));
    expect(lines.map((line) => line.termination).sort()).toEqual(["--", "--", "KC", "KC"]);
  });

  it("without sessions it ends at once, also while somebody holds a conversation open", async () => {
    const { program } = await start(threads);
    opened(await program.runtimeInteractive());
    program.signal("SIGUSR1");
    expect(await program.waitForExit()).toBe(0);
  });

  it("the last session cut by the operator ends the program, and the command is answered", async () => {
    const { program, port } = await start(threads);
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
    program.signal("SIGUSR1");
    await waitFor(() => refused(port), "the soft stop to begin");
    expect(await program.runtime("shutdown sessions server be/a")).toBe("\n");
    expect(await program.waitForExit()).toBe(0);
  });

  it.each([
    ["idle", echo, false],
    ["blocked towards the client", source, true],
  ] as const)("hard-stop-after bounds it: %s sessions end, logged KC", async (_, behaviour, paused) => {
    const { program, port, log, upstream } = await start(threads, { global: ["hard-stop-after 200ms"] }, behaviour);
    const clients = (await openClients(3, { host: FRONTEND_ADDRESS, port, paused })).map(opened);
    await upstream.waitForConnections(3);
    program.signal("SIGUSR1");
    expect(await program.waitForExit()).toBe(0);
    for (const client of clients) expect((await log.waitForSession(client.local)).termination).toBe("KC");
    await waitFor(() => upstream.connections.every((c) => c.received.ended), "the server to see the ends");
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("%s ends the process now, sessions or not: exit code %i", async (signal, status) => {
    const { program, port, upstream } = await start(threads, {}, sink);
    const idle = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    const flooding = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    flooding.flood();
    await upstream.waitForConnections(2);
    program.signal(signal);
    expect(await program.waitForExit()).toBe(status);
    await idle.waitForEnd();
  });

  it("grace: clients are served as before until the time is over; SIGTERM does not wait for it", async () => {
    const { program, port } = await start(1, { global: ["grace 1h"] });
    program.signal("SIGUSR1");
    await waitFor(async () => (await program.info()).Stopping === "1", "it to be stopping");
    const client = opened(new Client({ host: FRONTEND_ADDRESS, port }));
    await client.connected;
    await client.roundTrip("as before");
    expect(program.stderr).toContain("Scheduling a soft-stop in 3600000 ms.");
    program.signal("SIGTERM");
    expect(await program.waitForExit()).toBe(143);
    const short = await start(1, { global: ["grace 50"] });
    short.program.signal("SIGUSR1");
    expect(await short.program.waitForExit()).toBe(0);
  });

  it("SIGTERM during a soft stop ends it now", async () => {
    const { program, port } = await start(threads);
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
    program.signal("SIGUSR1");
    await waitFor(() => refused(port), "the soft stop to begin");
    program.signal("SIGTERM");
    expect(await program.waitForExit()).toBe(143);
  });
});

/** Each thread's policy (0: SCHED_OTHER, 3: SCHED_BATCH), and its turn in ns as asked for, where the kernel tells. */
function threadsOf(pid: number): { readonly tid: number; readonly policy: number; readonly turnNs: number }[] {
  return readdirSync(`/proc/${pid}/task`).map((tid) => {
    const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    const sched = `/proc/${pid}/task/${tid}/sched`;
    const turn = /^se\.slice\s*:\s*(\d+)/m.exec(existsSync(sched) ? readFileSync(sched, "latin1") : "")?.[1];
    return { tid: Number(tid), policy: Number(stat[38]), turnNs: Number(turn ?? 0) };
  });
}

describe("start", () => {
  it("relay threads take short turns; the control thread interrupts nobody", async () => {
    const { program } = await start(2);
    const threads = threadsOf(program.pid);
    expect(threads.filter(({ policy }) => policy !== 0).map(({ tid }) => tid)).toEqual([program.pid]);
    const [major, minor] = release().split(".").map(Number) as [number, number];
    const isHeard = (major > 6 || (major === 6 && minor >= 12)) && threads.some(({ turnNs }) => turnNs > 0);
    expect(threads.filter(({ turnNs }) => turnNs === 100_000)).toHaveLength(isHeard ? 2 : 0);
  });

  it("-p writes the process's id", async () => {
    const directory = opened(temporaryDirectory());
    const pidFile = join(directory.path, "headgate.pid");
    const port = await freePort();
    const program = opened(await Program.start({ config: simpleConfig({ port, servers: [] }), args: ["-p", pidFile] }));
    expect(readFileSync(pidFile, "utf8").trim()).toBe(`${program.pid}`);
    expect((await program.info()).Pid).toBe(`${program.pid}`);
  });

  it("goes on when nobody reads any more what it says", async () => {
    const { program, port } = await start(2);
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    program.child.stdout!.destroy();
    program.child.stderr!.destroy();
    // A reload says its receipt there; the second one would find the program ended by the first.
    for (let round = 0; round < 2; round++) expect(await program.runtime("reload")).toContain("is done in");
    await client.roundTrip("afterwards");
    program.signal("SIGTERM");
    expect(await program.waitForExit()).toBe(143);
  });

  it("an address that is taken: a message that names it, exit code 1, and nothing is left behind", async () => {
    const taken = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => taken.listen({ host: FRONTEND_ADDRESS, port }, resolve));
    opened({ close: () => taken.close() });
    const program = opened(await Program.start({ config: simpleConfig({ port, servers: [] }), waitUntilReady: false }));
    expect(await program.waitForExit()).toBe(1);
    expect(program.stderr).toContain(`${FRONTEND_ADDRESS}:${port}`);
    expect(program.stderr).toMatch(/haproxy\.cfg:\d+/);
    expect(program.stderr).toMatch(/[Aa]ddress already in use/);
    expect(existsSync(program.socketPath), "no stats socket of a program that does not run").toBe(false);
  });

  it("after SIGKILL the next start takes the stale unix sockets over", async () => {
    const upstream = opened(await Upstream.start(echo));
    const directory = opened(temporaryDirectory()).path;
    const [frontend, stats] = [join(directory, "fe.sock"), join(directory, "stats.sock")];
    const config = {
      config: simpleConfig({
        port: await freePort(),
        servers: [`a ${upstream.endpoint}`],
        global: [`stats socket ${stats} level user`],
        frontend: [`bind unix@${frontend}`],
      }),
    };
    const first = opened(await Program.start(config));
    first.signal("SIGKILL");
    await first.waitForExit();
    expect([existsSync(frontend), existsSync(stats)]).toEqual([true, true]);
    const second = opened(await Program.start(config));
    const client = opened(new Client({ path: frontend }));
    await client.connected;
    await client.roundTrip("hello");
    expect(await runtimeOnce(stats, "show info")).toContain(`Pid: ${second.pid}\n`);
    second.signal("SIGTERM");
    await second.waitForExit();
    expect([existsSync(frontend), existsSync(stats)]).toEqual([false, false]);
  });

  it("a start that fails at the last takes no unix socket from the program that runs", async () => {
    const upstream = opened(await Upstream.start(echo));
    const directory = opened(temporaryDirectory()).path;
    const path = join(directory, "fe.sock");
    const text = (bind: string, global: readonly string[]): string =>
      `    ${global.join("\n    ")}\nlisten fe\n    mode tcp\n    timeout client 1h\n    timeout server 1h\n    timeout connect 1h\n` +
      `    bind ${bind}\n    server a ${upstream.endpoint}\n`;
    const first = opened(await Program.start({ config: text(`unix@${path}`, []) }));
    for (const last of [`stats socket ${directory}/no/folder.sock`, `pidfile ${directory}/no/pid`]) {
      const config = text(`unix@${path}`, [`stats socket ${first.socketPath} level admin`, last]);
      const next = opened(await Program.start({ config, waitUntilReady: false }));
      expect(await next.waitForExit()).toBe(1);
      expect(next.stderr).toMatch(/ENOENT|EACCES/);
      expect((await first.info()).Pid).toBe(`${first.pid}`);
      const client = opened(new Client({ path }));
      await client.connected;
      await client.roundTrip("hello");
      client.close();
    }
    expect(readdirSync(directory).sort()).toEqual(["fe.sock"]);
    // Who takes the paths over by binding them keeps them when the one before ends.
    const second = opened(await Program.start({ config: text(`unix@${path}`, []), args: ["-sf", `${first.pid}`] }));
    expect(await first.waitForExit()).toBe(0);
    const client = opened(new Client({ path }));
    await client.connected;
    await client.roundTrip("hello");
    second.signal("SIGTERM");
    await second.waitForExit();
    expect(existsSync(path)).toBe(false);
  });

  it("a word that nobody knows: the place in the file, exit code 1", async () => {
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: `${simpleConfig({ port, servers: [] })}\n    blance roundrobin\n`,
        waitUntilReady: false,
      }),
    );
    expect(await program.waitForExit()).toBe(1);
    expect(program.stderr).toMatch(/haproxy\.cfg:\d+/);
    expect(program.stderr).toContain("blance");
    expect(program.stderr, "the nearest word").toContain("balance");
  });

  it("-c says whether a config is valid, and starts nothing", async () => {
    const port = await freePort();
    const good = opened(
      await Program.start({ config: simpleConfig({ port, servers: [] }), args: ["-c"], waitUntilReady: false }),
    );
    expect(await good.waitForExit()).toBe(0);
    expect(existsSync(good.socketPath)).toBe(false);
    const bad = opened(
      await Program.start({
        config: `${simpleConfig({ port, servers: [] })}\n    server\n`,
        args: ["-c"],
        waitUntilReady: false,
      }),
    );
    expect(await bad.waitForExit()).toBe(1);
  });
});
