// File descriptors: none leaks, a maxconn that the limit cannot hold is refused at start, and running out of them at run time is
// survived, said once, and over as soon as there are some again.

import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { openDescriptors } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, refuser, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

function prlimitWorks(): boolean {
  return spawnSync("prlimit", ["--version"]).status === 0;
}

/** Lowers or raises the soft limit of a running process, within its hard limit. */
function setFileLimit(pid: number, soft: number): void {
  execFileSync("prlimit", ["--pid", `${pid}`, `--nofile=${soft}:`]);
}

/** What the program printed about being out of descriptors. */
function complaints(program: Program): string[] {
  const lines = `${program.stdout}\n${program.stderr}`.split("\n");
  return lines.filter((line) => /file descriptors?|open files|EMFILE/i.test(line));
}

/** `total` sessions, `width` at a time, each ending in one of the ways in which sessions end. */
async function manySessions(port: number, total: number, width: number): Promise<void> {
  let started = 0;
  const worker = async () => {
    while (started < total) {
      const number = started++;
      const client = new Client({ host: FRONTEND_ADDRESS, port });
      client.send("hello");
      await waitFor(() => client.received.bytes === 5 || client.received.ended, `session ${number}`);
      if (number % 3 === 0) client.reset();
      else if (number % 3 === 1) client.close();
      else {
        client.halfClose();
        await client.waitForEnd();
        client.close();
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

describe.each([1, 2])("descriptors, %i thread(s)", (threads) => {
  it("their number is back where it was after thousands of sessions, cuts among them", async () => {
    const upstream = opened(await Upstream.start(echo));
    const nobody = await refuser();
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: simpleConfig({
          port,
          threads,
          servers: [`a ${upstream.endpoint}`, `refusing ${nobody.endpoint} weight 1`],
          backend: ["retries 1", "option redispatch"],
          timeouts: { connect: "10ms" },
        }),
      }),
    );
    const idle = async () => {
      await waitFor(async () => (await program.sessions()).length === 0, "no session left");
      return openDescriptors(program.pid).length;
    };
    await manySessions(port, 50, 10);
    const before = await idle();
    for (let round = 0; round < 5; round++) {
      const running = manySessions(port, 400, 50);
      await program.runtime("shutdown sessions server be/a");
      await running;
    }
    // The connection of the last command may still be closing.
    let last = 0;
    await waitFor(
      async () => {
        last = await idle();
        return last <= before;
      },
      () => `${before} descriptors again, there are ${last}: ${openDescriptors(program.pid).sort().join(" ")}`,
    );
    expect(upstream.connections.length).toBeGreaterThan(1000);
  });

  it("a maxconn that the limit cannot hold is an error that names the numbers", async () => {
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: simpleConfig({ port, threads, global: ["maxconn 4000"], servers: [] }),
        shellBefore: "ulimit -n 512",
        waitUntilReady: false,
      }),
    );
    expect(await program.waitForExit()).toBe(1);
    expect(program.stderr).toMatch(/\b4000\b/);
    expect(program.stderr).toMatch(/\b512\b/);
  });

  it("without a maxconn, the limit decides it", async () => {
    const port = await freePort();
    const program = opened(
      await Program.start({ config: simpleConfig({ port, threads, servers: [] }), shellBefore: "ulimit -n 512" }),
    );
    const info = await program.info();
    expect(Number(info.Maxconn)).toBeGreaterThan(0);
    expect(Number(info.Maxconn)).toBeLessThan(256);
    expect(Number(info["Ulimit-n"])).toBeLessThanOrEqual(512);
  });

  it("running out of them at run time is survived, said once, and over when there are some again", async (context) => {
    if (!prlimitWorks()) return context.skip("prlimit (util-linux) is not installed");
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const program = opened(
      await Program.start({ config: simpleConfig({ port, threads, servers: [`a ${upstream.endpoint}`] }) }),
    );
    const first = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await first.roundTrip("hello");
    const before = openDescriptors(program.pid);

    // Room for a few more, some of them in the middle of a session: accept() and socket() both meet the limit.
    setFileLimit(program.pid, before.length + 7);
    const clients: Client[] = [];
    for (let i = 0; i < 40; i++) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
      client.send("hello");
      clients.push(client);
    }
    await first.roundTrip("still here");
    await waitFor(
      () => clients.some((c) => c.received.bytes === 5) && clients.some((c) => c.received.bytes === 0),
      "some to be served, and some not",
    );
    await waitFor(() => complaints(program).length > 0, "a word about it");
    await first.roundTrip("still here");

    setFileLimit(program.pid, 1024);
    await waitFor(
      () => clients.every((c) => c.received.bytes === 5 || c.received.ended),
      () =>
        `everyone to be served or told, ${clients.filter((c) => c.received.bytes === 0 && !c.received.ended).length} are not`,
    );
    await opened(await Client.open({ host: FRONTEND_ADDRESS, port })).roundTrip("as before");
    expect(complaints(program), complaints(program).join("\n")).toHaveLength(1);
    for (const client of clients) client.close();
    first.close();
    await waitFor(() => openDescriptors(program.pid).length <= before.length, "all descriptors to be back");
  });
});
