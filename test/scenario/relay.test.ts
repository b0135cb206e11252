// The relay from outside: random streams in both directions at once arrive whole, half-closes and resets are passed on. Each run
// prints its seed in its title; the same seed gives the same bytes and the same chunks.

import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { type RandomStream, randomStream, seededRandom } from "../harness/random-stream.ts";
import { silent, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();
const STREAMS = 48;
const NAME_BYTES = 8;

/** Reads a chunk, rests for some turns of the loop, reads the next. */
function readSlowly(socket: Socket, restTurns: number): void {
  socket.on("data", () => {
    socket.pause();
    let left = restTurns;
    const rest = () => {
      if (socket.destroyed) return;
      if (left-- > 0) setImmediate(rest);
      else socket.resume();
    };
    rest();
  });
}

/** Writes a stream in its chunks, waiting for room as a well-behaved program does, then closes the sending side. */
async function sendStream(socket: Socket, stream: RandomStream): Promise<void> {
  for (const chunk of stream.chunks) {
    if (socket.destroyed) return;
    if (!socket.write(chunk)) {
      await new Promise<void>((resolve) => {
        socket.once("drain", resolve);
        socket.once("close", resolve);
      });
    }
  }
  socket.end();
}

const CASES = [1, 2].flatMap((threads) =>
  [false, true].flatMap((splice) =>
    (["fast", "slow"] as const).map((pace, i) => ({
      threads,
      splice,
      pace,
      seed: threads * 100 + (splice ? 10 : 0) + i,
    })),
  ),
);

describe("bytes are not lost, doubled or reordered", () => {
  it.each(CASES)(
    "$threads thread(s), splice $splice, $pace readers, seed $seed",
    async ({ threads, splice, pace, seed }) => {
      const random = seededRandom(seed);
      const streams = Array.from({ length: STREAMS }, () => ({
        up: randomStream(random, 1 << 20),
        down: randomStream(random, 1 << 20),
      }));
      const restTurns = pace === "slow" ? 3 : 0;
      // A stream begins with its number, so that the server knows which one to answer with.
      const upstream = opened(
        await Upstream.start(({ socket, received }) => {
          if (restTurns > 0) readSlowly(socket, restTurns);
          let started = false;
          socket.on("data", () => {
            if (started || received.bytes < NAME_BYTES) return;
            started = true;
            void sendStream(socket, streams[Number(received.head.slice(0, NAME_BYTES))]!.down);
          });
        }),
      );
      const port = await freePort();
      const backend = splice ? ["option splice-auto"] : [];
      const program = opened(
        await Program.start({ config: simpleConfig({ port, threads, backend, servers: [`a ${upstream.endpoint}`] }) }),
      );
      const clients = streams.map(({ up }, i) => {
        const client = opened(new Client({ host: FRONTEND_ADDRESS, port }));
        if (restTurns > 0) readSlowly(client.socket, restTurns);
        client.send(`${i}`.padStart(NAME_BYTES));
        void sendStream(client.socket, up);
        return client;
      });
      await waitFor(
        () =>
          clients.every((c) => c.received.ended) &&
          upstream.connections.length === STREAMS &&
          upstream.connections.every((c) => c.received.ended),
        () =>
          `all streams to end; clients ${clients.filter((c) => !c.received.ended).length} open, servers ${upstream.openConnections.length} open`,
        60_000,
      );
      clients.forEach((client, i) => {
        expect(client.received, `down ${i}`).toMatchObject({ bytes: streams[i]!.down.bytes, endings: ["fin"] });
        expect(client.received.checksum(), `down ${i}`).toBe(streams[i]!.down.checksum);
      });
      const byName = new Map(
        upstream.connections.map((c) => [Number(c.received.head.slice(0, NAME_BYTES)), c.received]),
      );
      streams.forEach(({ up }, i) => {
        const name = `${i}`.padStart(NAME_BYTES);
        const whole = createHash("sha1").update(name);
        for (const chunk of up.chunks) whole.update(chunk);
        const received = byName.get(i)!;
        expect(received, `up ${i}`).toMatchObject({ bytes: NAME_BYTES + up.bytes, endings: ["fin"] });
        expect(received.checksum(), `up ${i}`).toBe(whole.digest("hex"));
      });
      await waitFor(async () => (await program.sessions()).length === 0, "no session left");
      const sum = (direction: "up" | "down") => streams.reduce((total, stream) => total + stream[direction].bytes, 0);
      expect(await program.counter("be", "a", "bin")).toBe(sum("up") + STREAMS * NAME_BYTES);
      expect(await program.counter("be", "a", "bout")).toBe(sum("down"));
    },
  );
});

describe.each([
  { threads: 1, splice: false },
  { threads: 2, splice: true },
])("half-closes and resets, $threads thread(s), splice $splice", ({ threads, splice }) => {
  async function start() {
    const upstream = opened(await Upstream.start(silent));
    const port = await freePort();
    const backend = splice ? ["option splice-auto"] : [];
    const program = opened(
      await Program.start({ config: simpleConfig({ port, threads, backend, servers: [`a ${upstream.endpoint}`] }) }),
    );
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    client.send("hello");
    await waitFor(() => upstream.connections[0]?.received.bytes === 5, "the server to be reached");
    const server = upstream.connections[0]!;
    return { program, client, server };
  }

  it("after the client's half-close the server still sends, and the other way round", async () => {
    const { program, client, server } = await start();
    client.halfClose();
    await waitFor(() => server.received.ended, "the server to see the FIN");
    server.socket.write("late answer");
    await waitFor(() => client.received.tail === "late answer", "the late answer");
    server.socket.end();
    await client.waitForEnd();
    expect([client.received.endings, server.received.endings]).toEqual([["fin"], ["fin"]]);
    await waitFor(async () => (await program.sessions()).length === 0, "no session left");
  });

  it("after the server's half-close the client still sends", async () => {
    const { program, client, server } = await start();
    server.socket.end("goodbye");
    await client.waitForEnd();
    expect(client.received).toMatchObject({ tail: "goodbye", endings: ["fin"] });
    client.send(" and more");
    await waitFor(() => server.received.tail === "hello and more", "the client's last words");
    expect(await program.sessions()).toHaveLength(1);
    client.halfClose();
    await waitFor(() => server.received.ended, "the server to see the FIN");
    expect(server.received.endings).toEqual(["fin"]);
    await waitFor(async () => (await program.sessions()).length === 0, "no session left");
  });

  it("a reset by the client reaches the server as a reset", async () => {
    const { program, client, server } = await start();
    client.reset();
    await waitFor(() => server.received.ended, "the server to see the end");
    expect(server.received.endings).toEqual(["rst"]);
    await waitFor(async () => (await program.sessions()).length === 0, "no session left");
  });

  it("a reset by the server reaches the client as a reset", async () => {
    const { program, client, server } = await start();
    server.socket.resetAndDestroy();
    await client.waitForEnd();
    expect(client.received.endings).toEqual(["rst"]);
    await waitFor(async () => (await program.sessions()).length === 0, "no session left");
  });

  it("a reset after a half-close is passed on too", async () => {
    const { program, client, server } = await start();
    client.halfClose();
    await waitFor(() => server.received.ended, "the server to see the FIN");
    server.socket.resetAndDestroy();
    await waitFor(() => client.received.wasReset, "the client to see the reset");
    await waitFor(async () => (await program.sessions()).length === 0, "no session left");
  });
});
