// How sessions end, as `option tcplog` tells it: every timeout, refusals with retries and redispatch, ends by either side and by
// the operator; one line each, with HAProxy's termination states.

import { describe, expect, it } from "vitest";
import { Client, type ConnectOptions } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { BlackHole, echo, halfCloser, refuser, resetter, silent, sink, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { type SimpleConfig, simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(config: Partial<SimpleConfig> & Pick<SimpleConfig, "servers">) {
  const log = opened(await LogReceiver.start());
  const port = await freePort();
  const program = opened(
    await Program.start({
      config: simpleConfig({
        port,
        threads: 2,
        ...config,
        global: [`log ${log.endpoint} local3`, ...(config.global ?? [])],
        frontend: ["log global", "option tcplog", ...(config.frontend ?? [])],
      }),
    }),
  );
  const connect = async (options: ConnectOptions = {}) =>
    opened(await Client.open({ host: FRONTEND_ADDRESS, port, ...options }));
  return { log, program, port, connect };
}

async function upstreamOf(...args: Parameters<typeof Upstream.start>): Promise<Upstream> {
  return opened(await Upstream.start(...args));
}

describe("timeouts", () => {
  it("connect: sC", async () => {
    const hole = opened(await BlackHole.start());
    const servers = [`a ${hole.endpoint}`];
    const { log, connect } = await start({ servers, timeouts: { connect: "50ms" }, backend: ["retries 1"] });
    const client = await connect();
    const line = await log.waitForSession(client.local);
    expect(line).toMatchObject({
      termination: "sC",
      backend: "be",
      server: "a",
      connectMs: -1,
      bytes: 0,
      retries: "1",
    });
    await client.waitForEnd();
  });

  it("queue: sQ, with <NOSRV> and the time spent waiting", async () => {
    const upstream = await upstreamOf(silent);
    const servers = [`a ${upstream.endpoint} maxconn 1`];
    const { log, connect, program } = await start({ servers, timeouts: { queue: "100ms" } });
    await connect();
    await upstream.waitForConnections(1);
    const queued = await connect();
    const line = await log.waitForSession(queued.local);
    expect(line).toMatchObject({ termination: "sQ", server: "<NOSRV>", connectMs: -1, bytes: 0 });
    expect(line.queueMs).toBeGreaterThanOrEqual(100);
    await queued.waitForEnd();
    expect(await program.sessions()).toHaveLength(1);
    expect(await program.counter("be", "BACKEND", "qcur")).toBe(0);
  });

  it("client, of one that says nothing in the queue: cQ; one that has spoken waits on", async () => {
    const upstream = await upstreamOf(echo);
    const servers = [`a ${upstream.endpoint} maxconn 1`];
    const timeouts = { client: "800ms", queue: "1h" };
    const { log, connect, program } = await start({ servers, timeouts });
    const served = await connect();
    served.pingPong("busy", 1);
    await upstream.waitForConnections(1);
    const spoke = await connect();
    spoke.send("hello");
    const silentOne = await connect();
    const line = await log.waitForSession(silentOne.local);
    expect(line).toMatchObject({ termination: "cQ", server: "<NOSRV>", queueMs: -1, connectMs: -1, bytes: 0 });
    await silentOne.waitForEnd();
    expect(spoke.received.ended).toBe(false);
    expect(await program.counter("be", "BACKEND", "qcur")).toBe(1);
    expect(await program.counter("be", "BACKEND", "cli_abrt")).toBe(1);
    served.close();
    await waitFor(() => spoke.received.bytes === 5, "the one that has spoken to be served");
  });

  it("client, of one that says nothing in turn-around: cC", async () => {
    const refusing = await refuser();
    const servers = [`a ${refusing.endpoint}`];
    const { log, connect } = await start({ servers, timeouts: { client: "100ms" }, backend: ["retries 1000"] });
    const client = await connect();
    expect(await log.waitForSession(client.local)).toMatchObject({ termination: "cC", server: "a", connectMs: -1 });
    await client.waitForEnd();
  });

  it("client: cD", async () => {
    const upstream = await upstreamOf(echo);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint}`], timeouts: { client: "600ms" } });
    const client = await connect();
    await client.roundTrip("hello");
    expect(await log.waitForSession(client.local)).toMatchObject({ termination: "cD", server: "a", bytes: 5 });
    await client.waitForEnd();
    await waitFor(() => upstream.connections[0]!.received.ended, "the server to see the end");
  });

  it("server: sD", async () => {
    const upstream = await upstreamOf(echo);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint}`], timeouts: { server: "600ms" } });
    const client = await connect();
    await client.roundTrip("hello");
    await client.waitForEnd();
    client.close();
    expect(await log.waitForSession(client.local)).toMatchObject({ termination: "sD", bytes: 5 });
  });

  it("a session with traffic outlives its timeouts", async () => {
    const upstream = await upstreamOf(echo);
    const timeouts = { client: "700ms", server: "700ms" };
    const { log, connect, program } = await start({ servers: [`a ${upstream.endpoint}`], timeouts });
    const busy = await connect();
    const idle = await connect();
    busy.pingPong("busy", 1);
    await log.waitForSession(idle.local);
    const [shown] = await program.sessions();
    expect(shown?.src.endsWith(`:${busy.local.port}`), "the busy one is still there").toBe(true);
    // Twice the timeout's worth of other sessions' ends, and it still is.
    const second = await connect();
    await log.waitForSession(second.local);
    expect(busy.received.ended).toBe(false);
  });

  it("client-fin: cD, and timeout client does not count any more", async () => {
    const upstream = await upstreamOf(halfCloser);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint}`], timeouts: { "client-fin": "100ms" } });
    const client = await connect();
    expect((await log.waitForSession(client.local)).termination).toBe("cD");
  });

  it("server-fin: sD, and timeout server does not count any more", async () => {
    const upstream = await upstreamOf(silent);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint}`], timeouts: { "server-fin": "100ms" } });
    const client = await connect();
    client.send("hello");
    await waitFor(() => upstream.connections[0]?.received.bytes === 5, "the server to be reached");
    client.halfClose();
    expect((await log.waitForSession(client.local)).termination).toBe("sD");
  });
});

describe("connecting", () => {
  it("refused, retries exhausted: SC with the retries counted", async () => {
    const target = await refuser();
    const servers = [`a ${target.endpoint}`];
    const { log, connect, program } = await start({ servers, backend: ["retries 2"], timeouts: { connect: "30ms" } });
    const client = await connect();
    const line = await log.waitForSession(client.local);
    expect(line).toMatchObject({ termination: "SC", server: "a", connectMs: -1, retries: "2" });
    await client.waitForEnd();
    expect(await program.counter("be", "a", "wretr")).toBe(2);
    expect(await program.counter("be", "a", "econ")).toBeGreaterThan(0);
    expect(await program.counter("be", "a", "scur")).toBe(0);
  });

  it("a server that comes up during the retries gets the session", async () => {
    const target = await refuser();
    const servers = [`a ${target.endpoint}`];
    const { connect, program } = await start({ servers, backend: ["retries 1000"], timeouts: { connect: "50ms" } });
    const client = await connect();
    client.send("hello");
    await waitFor(async () => (await program.counter("be", "a", "wretr")) >= 2, "two attempts to fail");
    const upstream = await upstreamOf(echo, { address: target.address, port: target.port });
    await waitFor(() => client.received.bytes === 5, "the answer");
    expect(upstream.connections).toHaveLength(1);
  });

  it("option redispatch: the last retry goes to another server, and the line says so", async () => {
    const target = await refuser();
    const upstream = await upstreamOf(echo);
    const { log, connect, program } = await start({
      servers: [`bad ${target.endpoint}`, `good ${upstream.endpoint}`],
      backend: ["retries 2", "option redispatch", "balance first"],
      timeouts: { connect: "30ms" },
    });
    const client = await connect();
    await client.roundTrip("hello");
    client.halfClose();
    const line = await log.waitForSession(client.local);
    // "+": redispatched. HAProxy already counts the first failure as a reason, its manual says the last retry.
    expect(line).toMatchObject({ termination: "--", server: "good", bytes: 5 });
    expect(line.retries).toMatch(/^\+[12]$/);
    expect(await program.counter("be", "bad", "wredis")).toBe(1);
    expect(await program.counter("be", "BACKEND", "wredis")).toBe(1);
  });

  it("without redispatch a session stays with its server", async () => {
    const target = await refuser();
    const upstream = await upstreamOf(echo);
    const { log, connect } = await start({
      servers: [`bad ${target.endpoint}`, `good ${upstream.endpoint}`],
      backend: ["retries 1", "balance first"],
      timeouts: { connect: "30ms" },
    });
    const client = await connect();
    expect(await log.waitForSession(client.local)).toMatchObject({ termination: "SC", server: "bad", retries: "1" });
    expect(upstream.connections).toEqual([]);
  });

  it("no usable server: SC with <NOSRV>, at once", async () => {
    const upstream = await upstreamOf(echo);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint} disabled`] });
    const client = await connect();
    expect(await log.waitForSession(client.local)).toMatchObject({
      termination: "SC",
      server: "<NOSRV>",
      queueMs: -1,
      connectMs: -1,
    });
    await client.waitForEnd();
  });

  it("a client that leaves without a byte while its server does not answer: CC", async () => {
    const hole = opened(await BlackHole.start());
    const { log, connect, program } = await start({ servers: [`a ${hole.endpoint}`] });
    const client = await connect();
    await waitFor(async () => (await program.counter("be", "a", "scur")) === 1, "the session to be connecting");
    client.halfClose();
    expect(await log.waitForSession(client.local)).toMatchObject({ termination: "CC", server: "a" });
  });

  it("a client that leaves the queue without a byte: CQ", async () => {
    const upstream = await upstreamOf(silent);
    const { log, connect, program } = await start({ servers: [`a ${upstream.endpoint} maxconn 1`] });
    await connect();
    await upstream.waitForConnections(1);
    const queued = await connect();
    await waitFor(async () => (await program.counter("be", "BACKEND", "qcur")) === 1, "the session to be queued");
    queued.halfClose();
    expect(await log.waitForSession(queued.local)).toMatchObject({ termination: "CQ", server: "<NOSRV>" });
  });

  it("a client that sent its question and its FIN while queued still gets its answer", async () => {
    const upstream = await upstreamOf(echo);
    const { log, connect, program } = await start({ servers: [`a ${upstream.endpoint} maxconn 1`] });
    const first = await connect();
    await first.roundTrip("first");
    const queued = await connect();
    queued.send("question");
    queued.halfClose();
    await waitFor(async () => (await program.counter("be", "BACKEND", "qcur")) === 1, "the session to be queued");
    first.halfClose();
    await queued.waitForEnd();
    expect(queued.received).toMatchObject({ tail: "question", endings: ["fin"] });
    expect((await log.waitForSession(queued.local)).termination).toBe("--");
  });
});

describe("ends in the data phase", () => {
  it("orderly: --", async () => {
    const upstream = await upstreamOf(echo);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint}`] });
    const client = await connect();
    await client.roundTrip("hello");
    client.halfClose();
    const line = await log.waitForSession(client.local);
    expect(line).toMatchObject({
      termination: "--",
      frontend: "fe",
      backend: "be",
      server: "a",
      bytes: 5,
      retries: "0",
    });
    expect(line.text).toMatch(/^<158>/);
  });

  it("reset by the client: CD", async () => {
    const upstream = await upstreamOf(echo);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint}`] });
    const client = await connect();
    await client.roundTrip("hello");
    client.reset();
    expect(await log.waitForSession(client.local)).toMatchObject({ termination: "CD", bytes: 5 });
  });

  it("reset by the server: SD", async () => {
    const upstream = await upstreamOf(resetter);
    const { log, connect } = await start({ servers: [`a ${upstream.endpoint}`] });
    const client = await connect();
    client.send("hello");
    expect(await log.waitForSession(client.local)).toMatchObject({ termination: "SD", server: "a" });
  });

  it.each(["shutdown session", "shutdown sessions server"])("%s: KC, one line for each session", async (command) => {
    const upstream = await upstreamOf(sink);
    const { log, connect, program } = await start({ servers: [`a ${upstream.endpoint}`] });
    const clients = [await connect(), await connect(), await connect()];
    await upstream.waitForConnections(3);
    if (command === "shutdown session") {
      for (const session of await program.sessions()) await program.runtime(`shutdown session ${session.id}`);
    } else {
      await program.runtime("shutdown sessions server be/a");
    }
    for (const client of clients) expect((await log.waitForSession(client.local)).termination).toBe("KC");
    expect(log.sessions).toHaveLength(3);
  });

  it("option dontlognull: a connection without a byte leaves no line, one with a byte does", async () => {
    const upstream = await upstreamOf(echo);
    const servers = [`a ${upstream.endpoint}`];
    const { log, connect } = await start({ servers, frontend: ["option dontlognull"] });
    const silentOne = await connect();
    silentOne.halfClose();
    await silentOne.waitForEnd();
    const talking = await connect();
    await talking.roundTrip("hello");
    talking.halfClose();
    await log.waitForSession(talking.local);
    expect(log.sessions).toHaveLength(1);
  });
});
