// Limits: connections above maxconn wait in the kernel's backlog and are served later, none is dropped; a server's maxconn makes a
// queue that is served in order of arrival, also across threads.

import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { acceptQueueLength } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, silent, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();
const LIMIT = 3;
const EXTRA = 9;

describe.each([1, 2])("accept limits, %i thread(s)", (threads) => {
  it.each([
    ["frontend maxconn", { frontend: [`maxconn ${LIMIT}`, "backlog 128"] }],
    ["global maxconn", { global: [`maxconn ${LIMIT}`], frontend: ["backlog 128"] }],
    ["bind maxconn", { bindWords: `maxconn ${LIMIT}`, frontend: ["backlog 128"] }],
  ])("%s: what is too much waits and is served later", async (_, lines) => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const text = simpleConfig({ port, threads, servers: [`a ${upstream.endpoint}`], ...lines });
    const bindWords = "bindWords" in lines ? lines.bindWords : "";
    const config = text.replace(`${FRONTEND_ADDRESS}:${port}`, `${FRONTEND_ADDRESS}:${port} ${bindWords}`);
    const program = opened(await Program.start({ config }));

    const served: Client[] = [];
    const waiting: Client[] = [];
    for (let i = 0; i < LIMIT; i++) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
      await client.roundTrip("in");
      served.push(client);
    }
    for (let i = 0; i < EXTRA; i++) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
      client.send("waiting");
      waiting.push(client);
    }
    await waitFor(() => acceptQueueLength(FRONTEND_ADDRESS, port) === EXTRA, `${EXTRA} connections in the backlog`);
    expect(await program.counter("fe", "FRONTEND", "scur")).toBe(LIMIT);
    expect(upstream.connections).toHaveLength(LIMIT);

    // Each place that becomes free is taken by one of those who wait, until all were served.
    const answered = () => [...served, ...waiting].filter((client) => client.received.bytes > 0);
    for (let done = 1; done <= EXTRA; done++) {
      const leaving = answered().find((client) => !client.socket.destroyed);
      leaving!.close();
      await waitFor(() => answered().length === LIMIT + done, `${done} of the waiting to be served`);
      await waitFor(
        () => acceptQueueLength(FRONTEND_ADDRESS, port) === EXTRA - done,
        "no more than one to be accepted",
      );
      expect(await program.counter("fe", "FRONTEND", "smax")).toBe(LIMIT);
    }
    expect(
      waiting.every((client) => client.received.tail === "waiting"),
      "none was dropped",
    ).toBe(true);
    expect(upstream.connections).toHaveLength(LIMIT + EXTRA);
  });

  it.each(["set maxconn frontend fe", "set maxconn global"])(
    "%s: a raised limit lets those in who wait",
    async (command) => {
      const upstream = opened(await Upstream.start(echo));
      const port = await freePort();
      const config = simpleConfig({ port, threads, servers: [`a ${upstream.endpoint}`], global: ["maxconn 100"] });
      const program = opened(await Program.start({ config }));
      expect(await program.runtime(`${command} 2`)).toBe("\n");
      const clients: Client[] = [];
      for (let i = 0; i < 5; i++) {
        const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
        client.send("hello");
        clients.push(client);
      }
      const served = () => clients.filter((client) => client.received.bytes > 0).length;
      await waitFor(() => served() === 2 && acceptQueueLength(FRONTEND_ADDRESS, port) === 3, "two to be let in");
      expect(await program.runtime(`${command} 4`)).toBe("\n");
      await waitFor(() => served() === 4, "two more to be let in");
      expect(await program.counter("fe", "FRONTEND", "scur")).toBe(4);
      expect(await program.runtime(`${command} 100`)).toBe("\n");
      await waitFor(() => served() === 5, "all to be let in");
    },
  );
});

describe.each([1, 2, 4])("a server's maxconn, %i thread(s)", (threads) => {
  it("the queue is served in order of arrival", async () => {
    const QUEUED = 24;
    const upstream = opened(await Upstream.start(silent));
    const port = await freePort();
    const program = opened(
      await Program.start({ config: simpleConfig({ port, threads, servers: [`a ${upstream.endpoint} maxconn 1`] }) }),
    );
    const clients: Client[] = [];
    for (let i = 0; i <= QUEUED; i++) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
      client.send(`client ${i}`);
      clients.push(client);
      await waitFor(async () => (await program.counter("be", "BACKEND", "qcur")) === i, `${i} in the queue`);
    }
    expect(await program.counter("be", "a", "scur")).toBe(1);
    for (let i = 0; i <= QUEUED; i++) {
      await waitFor(() => upstream.connections[i]?.received.head !== "" && upstream.connections[i], `connection ${i}`);
      expect(upstream.connections).toHaveLength(i + 1);
      expect(upstream.connections[i]!.received.head).toBe(`client ${i}`);
      upstream.connections[i]!.socket.end();
      clients[i]!.halfClose();
    }
    await waitFor(async () => (await program.sessions()).length === 0, "no session left");
    expect(await program.counter("be", "a", "smax")).toBe(1);
    expect(await program.counter("be", "BACKEND", "qmax")).toBe(QUEUED);
  });

  it("one that leaves the queue takes nobody's turn", async () => {
    const upstream = opened(await Upstream.start(silent));
    const port = await freePort();
    const program = opened(
      await Program.start({ config: simpleConfig({ port, threads, servers: [`a ${upstream.endpoint} maxconn 1`] }) }),
    );
    const clients: Client[] = [];
    for (let i = 0; i < 6; i++) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
      client.send(`client ${i}`);
      clients.push(client);
      await waitFor(async () => (await program.counter("be", "BACKEND", "qcur")) === i, `${i} in the queue`);
    }
    clients[2]!.reset();
    clients[4]!.reset();
    await waitFor(async () => (await program.counter("be", "BACKEND", "qcur")) === 3, "two to have left");
    for (const [place, name] of [0, 1, 3, 5].entries()) {
      await waitFor(() => upstream.connections[place]?.received.head, `connection ${place}`);
      expect(upstream.connections[place]!.received.head).toBe(`client ${name}`);
      upstream.connections[place]!.socket.end();
      clients[name]!.halfClose();
    }
    await waitFor(async () => (await program.sessions()).length === 0, "no session left");
    expect(upstream.connections).toHaveLength(4);
  });
});
