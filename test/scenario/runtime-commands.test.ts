// Runtime API behaviour that people rely on and that HAProxy gets wrong: wait-half-closed, set-addr-twice, bad-numbers; and the
// documented procedure for taking one server out, typed as people type it.

import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { parseSessions } from "../harness/show.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(count = 1) {
  const upstreams = await Promise.all(Array.from({ length: count }, () => Upstream.start(echo)));
  for (const upstream of upstreams) opened(upstream);
  const port = await freePort();
  const servers = upstreams.map((upstream, i) => `s${i + 1} ${upstream.endpoint} weight 10`);
  const program = opened(await Program.start({ config: simpleConfig({ port, threads: 2, servers }) }));
  return { program, upstreams, port, connect: () => Client.open({ host: FRONTEND_ADDRESS, port }) };
}

describe("the documented procedure", () => {
  it("disable, cut, wait, show: one server is empty and the other one serves", async () => {
    const { program, upstreams, connect } = await start(2);
    const clients: Client[] = [];
    for (let i = 0; i < 8; i++) clients.push(opened(await connect()));
    await Promise.all(clients.map((client) => client.roundTrip("hello")));
    expect(upstreams.map((u) => u.connections.length)).toEqual([4, 4]);

    expect(await program.runtime("disable server be/s1")).toBe("\n");
    expect(await program.runtime("shutdown sessions server be/s1")).toBe("\n");
    expect(await program.runtime("wait 100ms srv-removable be/s1")).toBe("Done.\n\n");
    const shown = parseSessions(await program.runtime("show sess"));
    expect(shown.map((s) => s.srv)).toEqual(["s2", "s2", "s2", "s2"]);
    await waitFor(() => clients.filter((c) => c.received.ended).length === 4, "four clients to be ended");
    await Promise.all(clients.filter((c) => !c.received.ended).map((c) => c.roundTrip("still here")));
    for (let i = 0; i < 4; i++) await opened(await connect()).roundTrip("new");
    expect(upstreams.map((u) => u.connections.length)).toEqual([4, 8]);

    expect(await program.runtime("enable server be/s1")).toBe("\n");
    for (let i = 0; i < 4; i++) await opened(await connect()).roundTrip("new");
    expect(upstreams[0]!.connections.length).toBeGreaterThan(4);
  });

  it("in one conversation with a prompt", async () => {
    const { program, connect } = await start(2);
    const clients = [opened(await connect()), opened(await connect())];
    await Promise.all(clients.map((client) => client.roundTrip("hello")));
    const conversation = opened(await program.runtimeInteractive());
    expect((await conversation.send("disable server be/s1")).trim()).toBe("");
    expect((await conversation.send("shutdown sessions server be/s1")).trim()).toBe("");
    expect((await conversation.send("wait 1s srv-removable be/s1")).trim()).toBe("Done.");
    expect(parseSessions(await conversation.send("show sess"))).toHaveLength(1);
    expect((await conversation.send("del server be/s1")).trim()).toBe("Server deleted.");
    expect((await conversation.send("del server be/s1")).trim()).toBe("No such server.");
  });
});

describe("wait", () => {
  it("wait-half-closed: a client that half-closes after the line gets its answer", async () => {
    const { program } = await start();
    await program.runtime("disable server be/s1");
    const halfClose = { halfClose: true };
    expect(await program.runtime("wait 2s srv-removable be/s1", halfClose)).toBe("Done.\n\n");
    expect(await program.runtime("wait 20ms", halfClose)).toBe("Done.\n\n");
  });

  it("wait-half-closed: the wait lasts until the server is removable, not shorter", async () => {
    const { program, connect, upstreams } = await start();
    const client = opened(await connect());
    await client.roundTrip("hello");
    await program.runtime("disable server be/s1");
    expect(await program.runtime("wait 50ms srv-removable be/s1", { halfClose: true })).toBe(
      "Wait delay expired. Server still has connections attached to it, cannot remove it.\n\n",
    );
    let answered = false;
    const waiting = program
      .runtime("wait 1h srv-removable be/s1; del server be/s1", { halfClose: true })
      .then((text) => {
        answered = true;
        return text;
      });
    // The wait is on while other commands are served, and the session is still there.
    await program.runtime("show info");
    expect(answered).toBe(false);
    expect(upstreams[0]!.openConnections).toHaveLength(1);
    await program.runtime("shutdown sessions server be/s1");
    expect(await waiting).toBe("Done.\n\nServer deleted.\n\n");
  });
});

describe("set server", () => {
  it("set-addr-twice: two changes on one line take effect in order, and the dump after them shows it", async () => {
    const { program, upstreams, connect } = await start();
    const next = opened(await Upstream.start(echo));
    const [first] = upstreams;
    const set = (u: Upstream) => `set server be/s1 addr ${u.address} port ${u.port}`;
    const answer = await program.runtime(`${set(next)}; ${set(first!)}; ${set(next)}`);
    const texts = answer.split("\n\n").filter((text) => text !== "");
    expect(texts).toEqual([
      `port changed from '${first!.port}' to '${next.port}' by 'stats socket command'`,
      `port changed from '${next.port}' to '${first!.port}' by 'stats socket command'`,
      `port changed from '${first!.port}' to '${next.port}' by 'stats socket command'`,
    ]);
    const [row] = await program.serversState();
    expect(row).toMatchObject({ srv_name: "s1", srv_addr: next.address, srv_port: `${next.port}` });
    await opened(await connect()).roundTrip("hello");
    expect([first!.connections.length, next.connections.length]).toEqual([0, 1]);
    expect(await program.runtime(set(next))).toBe("nothing changed\n\n");
  });

  it("set-addr-twice: sessions made before stay where they are", async () => {
    const { program, upstreams, connect } = await start();
    const client = opened(await connect());
    await client.roundTrip("before");
    const next = opened(await Upstream.start(echo));
    await program.runtime(`set server be/s1 addr ${next.address} port ${next.port}`);
    await client.roundTrip("after");
    expect(upstreams[0]!.openConnections).toHaveLength(1);
    expect(next.connections).toHaveLength(0);
    // ... and a cut of the server reaches them all the same.
    await program.runtime("shutdown sessions server be/s1");
    await waitFor(() => upstreams[0]!.connections[0]!.received.wasReset, "the session on the old address to be reset");
  });

  it.each(["99999", "65536", "-1", "abc", "80x"])(
    "bad-numbers: port %s is refused and changes nothing",
    async (port) => {
      const { program, upstreams } = await start();
      const { address, port: before } = upstreams[0]!;
      const answer = await program.runtime(`set server be/s1 addr ${address} port ${port}`);
      expect(answer.trim()).not.toBe("");
      expect(answer).not.toMatch(/changed from/);
      if (/^-?\d+$/.test(port)) expect(answer, "names the accepted range").toMatch(/65535/);
      expect((await program.serversState())[0]).toMatchObject({ srv_addr: address, srv_port: `${before}` });
    },
  );

  it.each([
    ["257", "Absolute weight can only be between 0 and 256 inclusive."],
    ["-1", "Absolute weight can only be between 0 and 256 inclusive."],
    ["4294967297", "Absolute weight can only be between 0 and 256 inclusive."],
    ["5x", "Trailing garbage in weight string"],
    ["abc", "Empty weight string empty or preceded by garbage"],
  ])("bad-numbers: weight %s is refused and changes nothing", async (weight, text) => {
    const { program } = await start();
    expect(await program.runtime(`set weight be/s1 ${weight}`)).toBe(`${text}\n\n`);
    expect(await program.runtime(`set server be/s1 weight ${weight}`)).toBe(`${text}\n\n`);
    expect(await program.runtime("get weight be/s1")).toBe("10 (initial 10)\n\n");
  });

  it("weights: absolute and relative, both shown", async () => {
    const { program } = await start();
    expect(await program.runtime("set weight be/s1 256")).toBe("\n");
    expect(await program.runtime("get weight be/s1")).toBe("256 (initial 10)\n\n");
    expect(await program.runtime("set weight be/s1 50%")).toBe("\n");
    expect(await program.runtime("get weight be/s1")).toBe("5 (initial 10)\n\n");
  });
});
