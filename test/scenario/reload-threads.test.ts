// Another `nbthread` by a reload: more threads and fewer, while clients connect all the time and sessions stay on the threads that leave.
// Nobody is refused or reset, every session is listed and reached, and a thread is gone when its last session is.

import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import type { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { ConnectionLoad } from "../harness/connection-load.ts";
import { survivingConnections } from "../harness/kernel-sockets.ts";
import { freePort, UPSTREAM_ADDRESS } from "../harness/ports.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { ReloadStage, sections } from "./reload-stage.ts";

/**
 * More than one server's share of them come to each of two threads, however the crowd is spread at that moment: so no thread has sessions of
 * one server only.
 */
const CLIENTS = 15;
const SERVERS = 3;
const CROWD = 4;
/** Threads that a process has room for. */
const ROOM = Math.min(64, Math.max(8, availableParallelism()));

const opened = closeAfterEach();

const threadOf = (line: string): number => Number(/thread=(\d+)/.exec(line)?.[1]);

async function place(more = "") {
  const a = opened(await Upstream.start(echo));
  const b = opened(await Upstream.start(echo));
  const port = await freePort();
  const config = (threads: number, options: { readonly servers?: readonly string[]; readonly more?: string } = {}) =>
    sections({
      port,
      threads,
      servers: options.servers ?? [`a ${a.endpoint}`, `b ${b.endpoint}`, `c ${b.endpoint}`],
      global: ["maxconn 4000"],
      more: options.more ?? more,
    });
  const stage = opened(await ReloadStage.start(config(1)));
  const { program } = stage;
  return {
    a,
    b,
    stage,
    program,
    port,
    config,
    /** The threads that have sessions of the frontend, from 1. */
    async threadsWithSessions(): Promise<number[]> {
      const found = (await program.sessions()).filter(({ fe }) => fe === "fe").map(({ line }) => threadOf(line));
      return [...new Set(found)].sort();
    },
    async clients(): Promise<Client[]> {
      return (await stage.clients(CLIENTS, port)).map(opened);
    },
    waitUntilEnded: (thread: number) =>
      waitFor(
        () => program.stderr.includes(`Relay thread ${thread} has ended`),
        () => `thread ${thread} to end; ${program.stderr}`,
      ),
  };
}

const echoed = (clients: readonly Client[], text: string) => Promise.all(clients.map((each) => each.roundTrip(text)));

it("1 -> 3 -> 1 -> 2 threads under load: nobody refused or reset, every session listed and reached", async () => {
  const load = opened(await ConnectionLoad.start());
  const crowdPort = await freePort();
  const crowd = `listen crowd\n    bind 127.0.0.1:${crowdPort}\n    server s 127.0.0.1:${load.upstreamPort}\n`;
  const { a, b, stage, program, port, config, threadsWithSessions, clients, waitUntilEnded } = await place(crowd);
  // Once to and fro, so that what Node starts with the first worker of a reload is there.
  await stage.mustReload(config(2));
  await stage.mustReload(config(1));
  await waitUntilEnded(2);
  const before = stage.held();

  let isOver = false;
  const total = { count: 0, errors: 0 };
  const loading = (async () => {
    while (!isOver) {
      const { count, errors } = await load.run(crowdPort, 1, CROWD);
      total.count += count;
      total.errors += errors;
    }
  })();
  // Where the test fails before, it says why.
  loading.catch(() => {});
  const first = await clients();
  expect(await threadsWithSessions()).toEqual([1]);

  const more = await stage.reload(config(3));
  expect(more.report).toMatchObject({
    needsRestart: false,
    global: [{ name: "nbthread", old: "1", new: "3", effect: "at once" }],
    leavingThreads: [],
  });
  expect(await program.info()).toMatchObject({ Nbthread: "3" });
  const second = await clients();
  expect(await threadsWithSessions()).toEqual([1, 2, 3]);

  const fewer = await stage.reload(config(1));
  expect(fewer.report?.leavingThreads.map(({ thread }) => thread)).toEqual([2, 3]);
  expect(await program.info()).toMatchObject({ Nbthread: "1" });
  await echoed([...first, ...second], "on a thread that leaves");
  expect(await threadsWithSessions()).toEqual([1, 2, 3]);
  const third = await clients();
  const newcomers = (await program.sessions()).filter(({ fe }) => fe === "fe");
  expect(newcomers.length).toBe(3 * CLIENTS);
  expect(newcomers.filter(({ line }) => threadOf(line) > 1).length).toBeLessThanOrEqual(second.length);

  // The cut reaches threads that leave, and is true when it is answered.
  await program.runtime("shutdown sessions server be/a");
  expect(survivingConnections(program.pid, UPSTREAM_ADDRESS, a.port)).toEqual([]);
  const left = (await program.sessions()).filter(({ fe }) => fe === "fe");
  expect(left.length).toBe((3 * CLIENTS * (SERVERS - 1)) / SERVERS);
  expect(left.filter(({ srv }) => srv === "a")).toEqual([]);
  expect(await threadsWithSessions()).toEqual([1, 2, 3]);

  // One of them is taken back before it has ended, in a reload that changes much else.
  const other = await freePort();
  const report = await stage.mustReload(
    config(2, {
      servers: [`b ${a.endpoint}`, `c ${b.endpoint}`, `n ${a.endpoint} weight 7`],
      more: `${crowd}listen new\n    bind 127.0.0.1:${other}\n    server x ${a.endpoint}\n`,
    }),
  );
  expect(report.servers.added.sort()).toEqual(["be/b", "be/n", "new/x"]);
  const fourth = await clients();
  expect(await threadsWithSessions()).toEqual([1, 2, 3]);
  expect(await program.info()).toMatchObject({ Nbthread: "2" });
  const fresh = opened(await stage.open(other, "127.0.0.1"));
  await fresh.roundTrip("new");

  const served = await program.counter("fe", "FRONTEND", "stot");
  expect(served).toBe(4 * CLIENTS);
  for (const client of [...first, ...second, ...third, ...fourth, fresh]) client.close();
  await waitUntilEnded(3);
  expect(await program.counter("fe", "FRONTEND", "stot"), "what a thread counted stays").toBe(served);
  await stage.mustReload(config(1));
  isOver = true;
  await loading;
  expect(total.errors).toBe(0);
  expect(total.count).toBeGreaterThan(0);
  await stage.waitUntilNotMoreHeld(before);
  expect(await program.counter("fe", "FRONTEND", "stot")).toBe(served);
  const client = opened(await stage.open(port));
  await client.roundTrip("as before");
}, 120_000);

it("more threads than there is room for are refused, with the number that is possible", async () => {
  const { stage, program, config } = await place();
  const before = stage.held();
  const receipt = await stage.reload(config(ROOM + 1, { servers: [] }));
  expect(receipt.outcome).toBe("refused");
  // Where there are so many cores, it is more than the language has.
  expect(receipt.messages.at(-1)!.text).toMatch(
    ROOM < 64
      ? `nbthread ${ROOM + 1} needs a restart: this process was started with room for ${ROOM} relay threads.`
      : "64",
  );
  expect(await program.info()).toMatchObject({ Nbthread: "1" });
  await stage.waitUntilNotMoreHeld(before);
  expect((await stage.servers()).size).toBe(SERVERS);
});

describe("threads that leave", () => {
  /** Sessions on three threads, two of which leave. */
  async function leaving() {
    const found = await place();
    const { stage, config, clients, threadsWithSessions } = found;
    await stage.mustReload(config(3));
    const all = await clients();
    expect(await threadsWithSessions()).toEqual([1, 2, 3]);
    return { ...found, all };
  }

  it("take part in an eviction that began before", async () => {
    const { stage, program, a, config, all } = await leaving();
    const evicted = program.runtime("evict server be/a rate 2 json");
    const isRunning = async () => /outcome=running .* cut=[1-9]/.test(await program.runtime("show evictions"));
    await waitFor(isRunning, "the eviction to be under way");
    await stage.mustReload(config(1));
    expect(JSON.parse(await evicted)).toMatchObject({ outcome: "done", verified: true, matched: CLIENTS / SERVERS });
    expect(survivingConnections(program.pid, UPSTREAM_ADDRESS, a.port)).toEqual([]);
    const left = await program.sessions();
    expect(left.length).toBe(CLIENTS - CLIENTS / SERVERS);
    expect(left.filter(({ srv }) => srv === "a")).toEqual([]);
    for (const client of all) client.close();
  });

  it("finish their sessions in a soft stop", async () => {
    const { stage, program, config, all, threadsWithSessions } = await leaving();
    await stage.mustReload(config(1));
    program.signal("SIGUSR1");
    await waitFor(() => /Stopping|stopped/i.test(program.stderr), "the soft stop to begin");
    await echoed(all, "still served");
    expect(await threadsWithSessions()).toEqual([1, 2, 3]);
    for (const client of all) client.close();
    expect(await program.waitForExit()).toBe(0);
  });

  it("end with the program at once", async () => {
    const { stage, program, config, all } = await leaving();
    await stage.mustReload(config(1));
    await echoed(all, "still served");
    program.signal("SIGTERM");
    await Promise.all(all.map((client) => client.waitForEnd()));
    expect(await program.waitForExit()).toBe(143);
  });
});
