// Peers that do not read: client-not-reading and server-not-reading end when they are cut, haproxy-3483 at their timeouts, and
// haproxy-155 when a half-closed session's peer stays silent.

import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketBetween, socketsHeldTo, survivingConnections } from "../harness/kernel-sockets.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import {
  type Behaviour,
  deafHalfCloser,
  halfCloser,
  silent,
  sink,
  source,
  takeHeldBytes,
  Upstream,
} from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(behaviour: Behaviour, threads: number, timeouts: Record<string, string> = {}, splice = false) {
  const upstream = opened(await Upstream.start(behaviour));
  const log = opened(await LogReceiver.start());
  const port = await freePort();
  const program = opened(
    await Program.start({
      config: simpleConfig({
        port,
        threads,
        timeouts,
        global: [`log ${log.endpoint} local0`],
        frontend: ["log global", "option tcplog"],
        backend: splice ? ["option splice-auto"] : [],
        servers: [`a ${upstream.endpoint}`],
      }),
    }),
  );
  const connect = (paused = false) => Client.open({ host: FRONTEND_ADDRESS, port, paused });
  return { upstream, log, port, program, connect };
}

/** Both of the program's sockets of this session are closed, whatever the kernel still has to deliver to the client. */
function holdsNothing(program: Program, client: Client, upstream: Upstream): boolean {
  return (
    socketsHeldTo(program.pid, client.local.address, client.local.port).length === 0 &&
    socketsHeldTo(program.pid, upstream.address, upstream.port).length === 0
  );
}

describe.each([1, 2])("%i thread(s)", (threads) => {
  it("client-not-reading: cut at the answer, the server can be deleted, a client that reads later finds an orderly end", async () => {
    const { upstream, program, port, connect } = await start(source, threads);
    const client = opened(await connect(true));
    await waitFor(
      () =>
        socketBetween({ address: FRONTEND_ADDRESS, port }, client.local)?.windowClosed &&
        upstream.connections[0] !== undefined &&
        socketBetween(upstream, upstream.connections[0].peer)?.windowClosed,
      "all buffers between server and client to be full",
    );
    let clean: unknown;
    const answer = await program.runtime("shutdown sessions server be/a", {
      atAnswer: () => (clean = holdsNothing(program, client, upstream)),
    });
    expect(answer).toBe("\n");
    expect(clean, "both sides closed at the answer").toBe(true);
    expect(survivingConnections(program.pid, upstream.address, upstream.port)).toEqual([]);
    expect(await program.sessions()).toEqual([]);
    expect(await program.counter("be", "a", "scur")).toBe(0);
    expect(await program.runtime("disable server be/a; del server be/a")).toBe("\nServer deleted.\n\n");
    await waitFor(() => upstream.connections[0]!.received.wasReset, "the server's connection to be reset");
    client.resume();
    await client.waitForEnd();
    expect(client.received.endings).toEqual(["fin"]);
  });

  it("server-not-reading: reset at the answer, not a byte arrives after what the server's kernel held by then", async () => {
    const { upstream, program, connect } = await start(sink, threads);
    const client = opened(await connect());
    client.flood();
    await waitFor(() => {
      const held = socketsHeldTo(program.pid, upstream.address, upstream.port);
      return held.length === 1 && held[0]!.windowClosed && upstream.connections.length === 1;
    }, "the way to the server to be blocked");
    const connection = upstream.connections[0]!;
    let clean: unknown;
    let heldBytes = -1;
    let readByNode = -1;
    // Counted at the answer, not before: until then the window may open, as it does when Node reads ahead for a paused socket.
    const answer = await program.runtime("shutdown sessions server be/a", {
      atAnswer: () => {
        readByNode = connection.socket.readableLength;
        heldBytes = takeHeldBytes(connection);
        clean = holdsNothing(program, client, upstream);
      },
    });
    expect(answer).toBe("\n");
    expect(clean, "both sides closed at the answer").toBe(true);
    expect(survivingConnections(program.pid, upstream.address, upstream.port)).toEqual([]);
    await client.waitForEnd();
    await waitFor(() => upstream.wasReset(connection), "the server's connection to be reset, by the kernel's table");
    expect(heldBytes, "the server's kernel held bytes").toBeGreaterThan(0);
    expect(takeHeldBytes(connection), "bytes that came after the answer").toBe(0);
    connection.socket.resume();
    await waitFor(() => connection.received.ended, "the server to see the end");
    expect(connection.received.bytes).toBe(readByNode);
  });

  describe("both sides have ended, but the server's kernel has not taken all that its client sent", () => {
    const SENT = 600_000;

    async function endWithBytesOnTheirWay(timeouts: Record<string, string> = {}) {
      const set = await start(deafHalfCloser, threads, timeouts);
      const client = opened(await set.connect());
      client.send(Buffer.alloc(SENT, "last words "));
      client.halfClose();
      await client.waitForEnd();
      return { ...set, client };
    }

    /** The last bytes stand in the send queue of the program's socket to the server; the program itself holds none. */
    async function endBlocked(timeouts: Record<string, string> = {}) {
      const set = await endWithBytesOnTheirWay(timeouts);
      const { upstream, program } = set;
      await waitFor(() => {
        const [held] = socketsHeldTo(program.pid, upstream.address, upstream.port);
        return (held?.state === "LAST_ACK" || held?.state === "CLOSING") && held.windowClosed;
      }, "the program's FIN to stand behind bytes that have no room");
      return { ...set, connection: upstream.connections[0]! };
    }

    it("a cut discards them", async () => {
      const { upstream, program, log, client, connection } = await endBlocked();
      expect(await program.counter("be", "a", "scur")).toBe(1);
      let heldBytes = -1;
      let readByNode = -1;
      await program.runtime("shutdown sessions server be/a", {
        atAnswer: () => {
          readByNode = connection.socket.readableLength;
          heldBytes = takeHeldBytes(connection);
        },
      });
      expect(survivingConnections(program.pid, upstream.address, upstream.port)).toEqual([]);
      await waitFor(() => upstream.wasReset(connection), "the server's connection to be reset, by the kernel's table");
      expect(takeHeldBytes(connection), "bytes that came after the answer").toBe(0);
      expect(heldBytes + readByNode).toBeLessThan(SENT);
      expect((await log.waitForSession(client.local)).termination).toBe("KC");
    });

    it("a server that reads after all gets them, and the session ends in good order", async () => {
      const { program, log, client, connection } = await endBlocked({ server: "1h" });
      connection.socket.resume();
      await waitFor(() => connection.received.ended, "the server to see the end");
      expect(connection.received.bytes).toBe(SENT);
      expect(connection.received.endings).toEqual(["fin"]);
      expect((await log.waitForSession(client.local)).termination).toBe("--");
      expect(await program.sessions()).toEqual([]);
    });

    it("timeout server ends it: sD", async () => {
      const { upstream, program, log, client } = await endWithBytesOnTheirWay({ server: "300ms" });
      expect((await log.waitForSession(client.local)).termination).toBe("sD");
      await waitFor(
        () => upstream.wasReset(upstream.connections[0]!),
        "the server's connection to be reset, by the kernel's table",
      );
      expect(await program.sessions()).toEqual([]);
    });
  });

  it.each([
    ["client", { client: "150ms" }],
    ["client and server", { client: "500ms", server: "500ms" }],
  ])("haproxy-3483: timeout %s ends a session whose client does not read", async (_, timeouts) => {
    const { upstream, program, log, connect } = await start(source, threads, timeouts);
    const client = opened(await connect(true));
    expect((await log.waitForSession(client.local)).termination).toBe("cD");
    await waitFor(() => holdsNothing(program, client, upstream), "both sockets to be closed");
    expect(await program.sessions()).toEqual([]);
  });

  it.each([
    ["server", { server: "150ms" }],
    ["client and server", { client: "500ms", server: "500ms" }],
  ])("haproxy-3483: timeout %s ends a session whose server does not read", async (_, timeouts) => {
    const { upstream, program, log, connect } = await start(sink, threads, timeouts);
    const client = opened(await connect());
    client.flood();
    expect((await log.waitForSession(client.local)).termination).toBe("sD");
    await waitFor(() => holdsNothing(program, client, upstream), "both sockets to be closed");
    expect(await program.sessions()).toEqual([]);
    await client.waitForEnd();
  });

  it("haproxy-3483: also while the bytes are in a pipe (option splice-auto)", async () => {
    const { upstream, program, log, connect } = await start(source, threads, { client: "150ms" }, true);
    const client = opened(await connect());
    await waitFor(() => client.received.bytes > 8_000_000, "a stream under way");
    client.socket.pause();
    expect((await log.waitForSession(client.local)).termination).toBe("cD");
    await waitFor(() => holdsNothing(program, client, upstream), "both sockets to be closed");
  });

  it("haproxy-155: timeout server-fin ends a session that its client half-closed while the server is silent", async () => {
    const { upstream, program, log, connect } = await start(silent, threads, { "server-fin": "100ms" });
    const client = opened(await connect());
    const busy = opened(await connect());
    client.send("question");
    client.halfClose();
    const line = await log.waitForSession(client.local);
    expect(line.termination).toBe("sD");
    await client.waitForEnd();
    await upstream.waitForConnections(2);
    expect(await program.sessions(), "the session that nobody half-closed stays").toHaveLength(1);
    expect(busy.received.ended).toBe(false);
  });

  it("haproxy-155: timeout client-fin ends a session that its server half-closed while the client is silent", async () => {
    const { upstream, program, log, connect } = await start(halfCloser, threads, { "client-fin": "100ms" });
    const client = opened(await connect());
    const line = await log.waitForSession(client.local);
    expect(line.termination).toBe("cD");
    await waitFor(() => holdsNothing(program, client, upstream), "both sockets to be closed");
    expect(await program.sessions()).toEqual([]);
    expect(client.received.endings[0]).toBe("fin");
  });
});
