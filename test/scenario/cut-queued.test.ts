// Sessions that wait for a server when it is cut have not touched it: they go elsewhere, or end when there is nowhere to go.
// And `shutdown frontend`, which closes the door and leaves those inside alone.

import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { echo, silent, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();
const SLOTS = 2;
const QUEUED = 6;

async function waitUntilQueued(program: Program, count: number): Promise<void> {
  await waitFor(async () => {
    const rows = (await program.stat()).filter((r) => r.pxname === "be");
    return Number(statRow(rows, "be", "BACKEND").qcur) === count;
  }, `${count} queued sessions`);
}

describe.each([1, 2])("the cut of a server with a queue, %i thread(s)", (threads) => {
  async function start(servers: (victim: Upstream, other: Upstream) => string[]) {
    const victim = opened(await Upstream.start(silent));
    const other = opened(await Upstream.start(echo));
    const port = await freePort();
    const program = opened(
      await Program.start({ config: simpleConfig({ port, threads, servers: servers(victim, other) }) }),
    );
    const connected = (await openClients(SLOTS, { host: FRONTEND_ADDRESS, port })).map(opened);
    await victim.waitForConnections(SLOTS);
    const queued = (await openClients(QUEUED, { host: FRONTEND_ADDRESS, port })).map(opened);
    await waitUntilQueued(program, QUEUED);
    return { program, victim, other, connected, queued };
  }

  const heldToVictim = (program: Program, victim: Upstream) => socketsHeldTo(program.pid, victim.address, victim.port);

  it("disable + shutdown, no other server: connected and queued sessions end", async () => {
    const { program, victim, connected, queued } = await start((v) => [`victim ${v.endpoint} maxconn ${SLOTS}`]);
    let held: unknown;
    expect(await program.runtime("disable server be/victim")).toBe("\n");
    await program.runtime("shutdown sessions server be/victim", {
      atAnswer: () => (held = heldToVictim(program, victim)),
    });
    expect(held).toEqual([]);
    expect(await program.sessions()).toEqual([]);
    for (const client of [...connected, ...queued]) await client.waitForEnd();
    expect(victim.connections, "no queued session reached the server").toHaveLength(SLOTS);
    const stat = await program.stat();
    expect(statRow(stat, "be", "BACKEND")).toMatchObject({ scur: "0", qcur: "0" });
    expect(statRow(stat, "fe", "FRONTEND").scur).toBe("0");
  });

  it("disable + shutdown, another server: queued sessions go there", async () => {
    const { program, victim, other, connected, queued } = await start((v, o) => [
      `victim ${v.endpoint} maxconn ${SLOTS}`,
      `other ${o.endpoint} disabled`,
    ]);
    expect(
      await program.runtime("set server be/other weight 1; enable server be/other; disable server be/victim"),
    ).toBe("\n\n\n");
    let held: unknown;
    await program.runtime("shutdown sessions server be/victim", {
      atAnswer: () => (held = heldToVictim(program, victim)),
    });
    expect(held).toEqual([]);
    for (const client of connected) await client.waitForEnd();
    await Promise.all(queued.map((client) => client.roundTrip("hello")));
    expect(other.connections).toHaveLength(QUEUED);
    expect(victim.connections).toHaveLength(SLOTS);
  });

  it("shutdown session <id> of a queued session: it ends alone and keeps no place in the queue", async () => {
    const { program, victim, connected, queued } = await start((v) => [`victim ${v.endpoint} maxconn ${SLOTS}`]);
    const gone = queued[0]!;
    const shown = (await program.sessions()).find((s) => s.src.endsWith(`:${gone.local.port}`));
    expect(await program.runtime(`shutdown session ${shown!.id}`)).toBe("\n");
    expect((await program.sessions()).map((s) => s.id)).not.toContain(shown!.id);
    await gone.waitForEnd();
    expect(await program.counter("be", "BACKEND", "qcur")).toBe(QUEUED - 1);
    // The places freed by the connected sessions go to those that still wait.
    for (const client of connected) client.reset();
    await victim.waitForConnections(2 * SLOTS);
    await waitUntilQueued(program, QUEUED - 1 - SLOTS);
    expect(queued.slice(1).every((client) => !client.received.ended)).toBe(true);
  });

  it("shutdown sessions server, server still enabled: the connected end, the queued are served next", async () => {
    const { program, victim, connected, queued } = await start((v) => [`victim ${v.endpoint} maxconn ${SLOTS}`]);
    const before = victim.connections.slice();
    expect(await program.runtime("shutdown sessions server be/victim")).toBe("\n");
    for (const client of connected) await client.waitForEnd();
    await waitFor(() => before.every((c) => c.received.wasReset), "the cut connections to be reset");
    await victim.waitForConnections(2 * SLOTS);
    await waitUntilQueued(program, QUEUED - SLOTS);
    expect(queued.every((client) => !client.received.ended)).toBe(true);
  });
});

describe.each([1, 2])("shutdown frontend, %i thread(s)", (threads) => {
  it("the listener is gone, status is STOP, sessions continue", async () => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const program = opened(
      await Program.start({ config: simpleConfig({ port, threads, servers: [`a ${upstream.endpoint}`] }) }),
    );
    const clients = (await openClients(4, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("before")));

    expect(await program.runtime("shutdown frontend fe")).toBe("\n");
    const late = new Client({ host: FRONTEND_ADDRESS, port });
    await expect(late.connected).rejects.toThrow("ECONNREFUSED");
    expect(statRow(await program.stat(), "fe", "FRONTEND")).toMatchObject({ status: "STOP", scur: "4" });
    await Promise.all(clients.map((client) => client.roundTrip("after")));
    expect(await program.sessions()).toHaveLength(4);
    expect(await program.runtime("shutdown frontend fe")).toBe("Frontend was already shut down.\n\n");
    expect(await program.runtime("shutdown frontend nowhere")).toBe("No such frontend.\n\n");

    // Commands still reach the sessions of a frontend that is shut down.
    expect(await program.runtime("shutdown sessions server be/a")).toBe("\n");
    expect(await program.sessions()).toEqual([]);
    for (const client of clients) await client.waitForEnd();
  });
});
