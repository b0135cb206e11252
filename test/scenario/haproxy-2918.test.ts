// haproxy-2918: the cut comes while sessions wait between two attempts at a server that refuses, or while their connection is not
// answered. All of them are gone at the answer, and none comes back to life when the server does.

import { describe, expect, it } from "vitest";
import { openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { SERVER_SIDE } from "../harness/show.ts";
import { BlackHole, echo, refuser, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();
const SESSIONS = 50;

describe.each([1, 2])("%i thread(s)", (threads) => {
  async function start(endpoint: string) {
    const log = opened(await LogReceiver.start());
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: simpleConfig({
          port,
          threads,
          global: [`log ${log.endpoint} local0`],
          frontend: ["log global", "option tcplog"],
          backend: ["retries 1000"],
          servers: [`a ${endpoint}`],
        }),
      }),
    );
    const clients = (await openClients(SESSIONS, { host: FRONTEND_ADDRESS, port })).map(opened);
    return { log, port, program, clients };
  }

  it("haproxy-2918: sessions in turn-around are gone at the answer and never reach the server again", async () => {
    const target = await refuser();
    const { log, program, clients, port } = await start(target.endpoint);
    await waitFor(async () => {
      const sessions = await program.sessions();
      return sessions.filter((s) => s.serverSide === SERVER_SIDE.turnAround).length === SESSIONS;
    }, "all sessions to wait for their next attempt");
    expect(await program.runtime("disable server be/a; shutdown sessions server be/a; show sess")).not.toMatch(
      / fe=fe /,
    );
    expect(await program.counter("be", "a", "scur")).toBe(0);
    for (const client of clients) await client.waitForEnd();
    const lines = await Promise.all(clients.map((client) => log.waitForSession(client.local)));
    expect(new Set(lines.map((line) => line.termination))).toEqual(new Set(["KC"]));

    // The server comes up where it refused: only a new session may reach it.
    const upstream = opened(await Upstream.start(echo, { address: target.address, port: target.port }));
    expect(await program.runtime("enable server be/a")).toBe("\n");
    const [fresh] = (await openClients(1, { host: FRONTEND_ADDRESS, port })).map(opened);
    await fresh!.roundTrip("hello");
    expect(upstream.connections).toHaveLength(1);
  });

  it("haproxy-2918: sessions whose connection is not answered are gone at the answer", async () => {
    const hole = opened(await BlackHole.start());
    const { log, program, clients } = await start(hole.endpoint);
    const connecting = () => socketsHeldTo(program.pid, hole.address, hole.port);
    await waitFor(() => connecting().length === SESSIONS, "all sessions to be connecting");
    let held: unknown;
    await program.runtime("shutdown sessions server be/a", { atAnswer: () => (held = connecting()) });
    expect(held).toEqual([]);
    expect(await program.sessions()).toEqual([]);
    expect(await program.counter("be", "a", "scur")).toBe(0);
    for (const client of clients) await client.waitForEnd();
    const lines = await Promise.all(clients.map((client) => log.waitForSession(client.local)));
    expect(new Set(lines.map((line) => line.termination))).toEqual(new Set(["KC"]));
  });
});
