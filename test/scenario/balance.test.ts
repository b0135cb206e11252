// Which server a session gets: every algorithm's promise, weights, backup servers, and what a change at runtime does to it.

import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(threads: number, balance: string, words: readonly string[]) {
  const upstreams = await Promise.all(words.map(() => Upstream.start(echo)));
  for (const upstream of upstreams) opened(upstream);
  const port = await freePort();
  const servers = upstreams.map((upstream, i) => `s${i + 1} ${upstream.endpoint} ${words[i]}`);
  const program = opened(
    await Program.start({ config: simpleConfig({ port, threads, backend: [`balance ${balance}`], servers }) }),
  );
  const counts = () => upstreams.map((upstream) => upstream.connections.length);
  /** One session after the other, each known to be with its server; kept open if asked. */
  const visit = async (times: number, keep = false, localAddress?: string) => {
    const clients: Client[] = [];
    for (let i = 0; i < times; i++) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port, localAddress }));
      await client.roundTrip("hello");
      if (keep) clients.push(client);
      else client.close();
    }
    return clients;
  };
  return { program, upstreams, counts, visit };
}

describe.each([1, 2])("balance, %i thread(s)", (threads) => {
  it("roundrobin: exactly by weight over whole cycles", async () => {
    const { counts, visit } = await start(threads, "roundrobin", ["weight 1", "weight 2", "weight 3"]);
    await visit(60);
    expect(counts()).toEqual([10, 20, 30]);
  });

  it("roundrobin: weight 0 gets nothing, a changed weight counts from then on", async () => {
    const { program, counts, visit } = await start(threads, "roundrobin", ["weight 1", "weight 0"]);
    await visit(10);
    expect(counts()).toEqual([10, 0]);
    await program.runtime("set weight be/s1 0; set weight be/s2 5");
    await visit(10);
    expect(counts()).toEqual([10, 10]);
  });

  it("leastconn: held sessions are spread evenly, a free server is filled up", async () => {
    const { program, counts, visit } = await start(threads, "leastconn", ["", "", ""]);
    const clients = await visit(30, true);
    expect(counts()).toEqual([10, 10, 10]);
    const before = await program.sessions();
    const leaving = clients.filter((c) => before.find((s) => s.src.endsWith(`:${c.local.port}`))?.srv === "s2");
    expect(leaving).toHaveLength(10);
    for (const client of leaving) client.reset();
    await waitFor(async () => (await program.counter("be", "s2", "scur")) === 0, "s2 to be empty");
    await visit(10, true);
    expect(counts()).toEqual([10, 20, 10]);
  });

  it("first: a server is filled to its maxconn before the next gets anything", async () => {
    const { counts, visit } = await start(threads, "first", ["maxconn 3", "maxconn 3", "maxconn 3"]);
    await visit(3, true);
    expect(counts()).toEqual([3, 0, 0]);
    await visit(2, true);
    expect(counts()).toEqual([3, 2, 0]);
    await visit(2, true);
    expect(counts()).toEqual([3, 3, 1]);
  });

  it("source: an address stays with its server, and addresses are spread", async () => {
    const { counts, visit } = await start(threads, "source", ["", "", ""]);
    const used = new Set<number>();
    for (let n = 10; n < 40; n++) {
      const before = counts();
      await visit(4, false, loopbackAddress(n));
      const grown = counts().map((count, i) => count - before[i]!);
      expect(grown.sort()).toEqual([0, 0, 4]);
      used.add(counts().findIndex((count, i) => count !== before[i]));
    }
    expect(used.size).toBeGreaterThan(1);
  });

  it("random: every server gets some, in proportion to the weight at least roughly, weight 0 none", async () => {
    const { counts, visit } = await start(threads, "random", ["weight 10", "weight 10", "weight 0"]);
    await visit(200);
    const [first, second, third] = counts();
    expect(first! + second!).toBe(200);
    expect(third).toBe(0);
    // Fewer than 50 of 200 fair draws: less likely than 1 in 10^12.
    expect(Math.min(first!, second!)).toBeGreaterThan(50);
  });

  it("backup: only when no other is left, and only the first", async () => {
    const { program, counts, visit } = await start(threads, "roundrobin", ["", "", "backup", "backup"]);
    await visit(4);
    expect(counts()).toEqual([2, 2, 0, 0]);
    await program.runtime("disable server be/s1");
    await visit(4);
    expect(counts()).toEqual([2, 6, 0, 0]);
    await program.runtime("disable server be/s2");
    await visit(4);
    expect(counts()).toEqual([2, 6, 4, 0]);
    await program.runtime("disable server be/s3");
    await visit(4);
    expect(counts()).toEqual([2, 6, 4, 4]);
    await program.runtime("enable server be/s1");
    await visit(4);
    expect(counts()).toEqual([6, 6, 4, 4]);
  });

  it("drain: no new sessions, those that are there go on; ready: new ones again", async () => {
    const { program, counts, visit } = await start(threads, "roundrobin", ["", ""]);
    const clients = await visit(4, true);
    expect(counts()).toEqual([2, 2]);
    expect(await program.runtime("set server be/s1 state drain")).toBe("\n");
    await visit(4);
    expect(counts()).toEqual([2, 6]);
    await Promise.all(clients.map((client) => client.roundTrip("still here")));
    expect(await program.runtime("set server be/s1 state ready")).toBe("\n");
    await visit(4);
    expect(counts()[0]).toBeGreaterThan(2);
  });
});
