// `shutdown sessions <filter>`: exactly the sessions that match end, before the answer, on every thread, those included that are
// being accepted at that moment.

import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldAt } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();
const HERE = loopbackAddress(21);
const THERE = loopbackAddress(22);

describe.each([1, 2])("shutdown sessions by filter, %i thread(s)", (threads) => {
  async function start() {
    const upstreams = [opened(await Upstream.start(echo)), opened(await Upstream.start(echo))];
    const port = await freePort();
    const servers = upstreams.map(({ endpoint }, i) => `s${i} ${endpoint}`);
    const program = opened(await Program.start({ config: simpleConfig({ port, threads, servers }) }));
    const open = async (localAddress: string, count: number): Promise<Client[]> => {
      const clients = await openClients(count, { host: FRONTEND_ADDRESS, port, localAddress });
      for (const client of clients) {
        opened(client);
        await client.roundTrip("hello");
      }
      return clients;
    };
    return { program, port, upstreams, open };
  }

  it("from: those of the network end before the answer, the others go on", async () => {
    const { program, port, open } = await start();
    const here = await open(HERE, 8);
    const there = await open(THERE, 8);
    let held = -1;
    const answer = await program.runtime(`shutdown sessions from ${HERE}/32`, {
      atAnswer: () => {
        const ports = new Set(here.map((client) => client.local.port));
        held = socketsHeldAt(program.pid, FRONTEND_ADDRESS, port).filter((s) => ports.has(s.remotePort)).length;
      },
    });
    expect(answer).toBe("Sessions ended: 8.\n\n");
    expect(held).toBe(0);
    for (const client of here) await client.waitForEnd();
    expect(here.map((client) => client.received.endings)).toEqual(here.map(() => ["fin"]));
    for (const client of there) await client.roundTrip("still here");
    expect(await program.sessions()).toHaveLength(8);
    expect(await program.counter("fe", "FRONTEND", "cut_operator")).toBe(8);
    expect(await program.counter("be", "BACKEND", "cut_operator")).toBe(8);
    expect(await program.counter("be", "BACKEND", "cut_eviction")).toBe(0);
  });

  it("server and bytes-over: the server's own list, narrowed", async () => {
    const { program, open } = await start();
    const clients = await open(HERE, 8);
    for (const client of clients.slice(0, 4)) await client.roundTrip("x".repeat(4000));
    const heavy = (await program.runtime("show sess server be/s0 bytes-over 2k")).match(/^0x/gm)!.length;
    expect(heavy).toBeGreaterThan(0);
    const answer = await program.runtime("shutdown sessions server be/s0 and bytes-over 2k");
    expect(answer).toBe(`Sessions ended: ${heavy}.\n\n`);
    expect(await program.sessions()).toHaveLength(8 - heavy);
    expect(await program.runtime("shutdown sessions server be/s0 bytes-over 2k")).toBe("Sessions ended: 0.\n\n");
  });

  it("without a filter it is refused", async () => {
    const { program, open } = await start();
    await open(HERE, 1);
    expect(await program.runtime("shutdown sessions")).toMatch(/^Which sessions\? At least one filter is needed: /);
    expect(await program.sessions()).toHaveLength(1);
  });

  it("clients that connect without a pause: at the answer there is none that was there before the order", async () => {
    const { program, port } = await start();
    let running = true;
    let connected = 0;
    const connectOn = async (): Promise<void> => {
      while (running) {
        opened(await Client.open({ host: FRONTEND_ADDRESS, port, localAddress: HERE }));
        connected++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const connecting = Promise.allSettled(Array.from({ length: 4 }, connectOn));
    try {
      const conversation = opened(await program.runtimeInteractive());
      for (let order = 0; order < 10; order++) {
        const before = connected;
        await waitFor(() => connected > before + 20, "more clients");
        const sentMs = Date.now();
        await conversation.send(`shutdown sessions frontend fe from ${HERE}`);
        const shown = await conversation.send(`show sess all from ${HERE}`);
        const accepted = [...shown.matchAll(/^0x.*\[(\d+)\/(\w+)\/(\d+):(\S+)\d{3}\]/gm)].map(
          ([, day, month, year, time]) => Date.parse(`${day} ${month} ${year} ${time}`),
        );
        // Two clocks: the relay's counts on from its start.
        expect(accepted.filter((atMs) => atMs < sentMs - 2)).toEqual([]);
      }
    } finally {
      running = false;
      await connecting;
    }
  });
});
