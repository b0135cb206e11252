// What a server's way down does to its sessions under `on-marked-down shutdown-sessions`: the same as the operator's cut, in every
// state of a session, and what its way up does to those on backups.

import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { echo, silent, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { CUT_STATES } from "./cut-states.ts";
import { HealthSwitch } from "./health-switch.ts";
import { expectEndedAsDown, policyConfig } from "./policy-stage.ts";

const SESSIONS = 4;
const opened = closeAfterEach();

interface Setup {
  readonly threads: number;
  readonly log?: LogReceiver;
  readonly backend: readonly string[];
}

async function start({ threads, log, backend }: Setup): Promise<{ program: Program; port: number }> {
  const port = await freePort();
  const config = policyConfig(port, { threads, log, name: "victims", backend: ["option httpchk", ...backend] });
  return { program: opened(await Program.start({ config })), port };
}

const waitForStatus = (program: Program, server: string, pattern: RegExp): Promise<unknown> =>
  waitFor(
    async () => pattern.test(statRow(await program.stat(), "victims", server).status!),
    () => `${server} to be ${pattern}`,
  );

/** Changes are carried out one after the other: at the answer of any, the one before it is done. */
async function afterAllChanges(program: Program): Promise<void> {
  expect(await program.runtime("set server victims/victim weight 1")).toBe("\n");
}

describe.each([1, 2])("on-marked-down shutdown-sessions, %i thread(s)", (threads) => {
  it.each(CUT_STATES)("$name: every session ends as DC, nothing reaches the server afterwards", async (state) => {
    const victim = await state.startVictim();
    if (victim.close) opened({ close: () => victim.close!() });
    const health = opened(await HealthSwitch.start());
    const log = opened(await LogReceiver.start());
    const { program, port } = await start({
      threads,
      log,
      backend: [
        ...(state.backend ?? []),
        `server victim ${victim.endpoint} ${state.serverWords ?? ""} ${health.words()} on-marked-down shutdown-sessions`,
      ],
    });
    const clients = (await state.enter({ program, port, backend: "victims", count: SESSIONS, victim })).map(opened);

    health.state = "down";
    await waitForStatus(program, "victim", /^DOWN$/);
    await afterAllChanges(program);

    await expectEndedAsDown({ program, log }, state, victim, clients);
    const late = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await late.waitForEnd();
    expect((await log.waitForSession(late.local)).server).toBe("<NOSRV>");
  });

  it("envoy-11241: busy and idle sessions are cut alike, and those on another server are left alone", async () => {
    const victim = opened(await Upstream.start(echo));
    const other = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program, port } = await start({
      threads,
      backend: [
        `server victim ${victim.endpoint} ${health.words()} on-marked-down shutdown-sessions`,
        `server other ${other.endpoint}`,
      ],
    });
    const clients = (await openClients(8, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("hello")));
    for (const client of clients.slice(0, 4)) client.pingPong(Buffer.alloc(1024, "busy "));
    const before = victim.connections.slice();
    expect(before).toHaveLength(4);

    health.state = "gone";
    await waitForStatus(program, "victim", /^DOWN$/);
    await waitFor(() => before.every((c) => victim.wasReset(c)), "every connection of the victim to be reset");
    await waitFor(() => clients.filter((c) => c.received.ended).length === 4, "its clients to see the end");
    const left = clients.filter((client) => !client.received.ended);
    await Promise.all(left.map((client) => client.roundTrip("still here")));
    const late = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await late.roundTrip("to the other");
    expect(victim.connections).toHaveLength(4);
  });

  it("sessions that wait for it go to another server, or end when there is none", async () => {
    const victim = opened(await Upstream.start(silent));
    const other = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const otherHealth = opened(await HealthSwitch.start());
    otherHealth.state = "down";
    const { program, port } = await start({
      threads,
      backend: [
        `server victim ${victim.endpoint} maxconn 2 ${health.words()} on-marked-down shutdown-sessions`,
        `server other ${other.endpoint} ${otherHealth.words("rise 1 fall 1")}`,
      ],
    });
    await waitForStatus(program, "other", /^DOWN$/);
    const connected = (await openClients(2, { host: FRONTEND_ADDRESS, port })).map(opened);
    await victim.waitForConnections(2);
    const queued = (await openClients(4, { host: FRONTEND_ADDRESS, port })).map(opened);
    await waitFor(async () => (await program.counter("victims", "BACKEND", "qcur")) === 4, "four to wait");
    otherHealth.state = "up";
    await Promise.all(queued.map((client) => client.roundTrip("served by the other")));
    health.state = "down";
    for (const client of connected) await client.waitForEnd();
    expect(victim.connections).toHaveLength(2);

    // Again, with nobody to go to: whoever waits is let go at once, not at its queue timeout of an hour.
    health.state = "up";
    await waitForStatus(program, "victim", /^UP$/);
    otherHealth.state = "down";
    await waitForStatus(program, "other", /^DOWN$/);
    const again = (await openClients(6, { host: FRONTEND_ADDRESS, port })).map(opened);
    await waitFor(async () => (await program.counter("victims", "BACKEND", "qcur")) === 4, "four to wait again");
    health.state = "gone";
    for (const client of again) await client.waitForEnd();
    expect(victim.connections).toHaveLength(4);
  });

  it("a server that comes back and fails again cuts again; without the words sessions stay", async () => {
    const victim = opened(await Upstream.start(echo));
    const kept = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program, port } = await start({
      threads,
      backend: [
        `server victim ${victim.endpoint} ${health.words()} on-marked-down shutdown-sessions`,
        `server kept ${kept.endpoint} ${health.words()}`,
      ],
    });
    const clients: Client[] = [];
    for (let round = 0; round < 2; round++) {
      health.state = "up";
      await waitForStatus(program, "victim", /^UP$/);
      await waitForStatus(program, "kept", /^UP$/);
      clients.push(...(await openClients(4, { host: FRONTEND_ADDRESS, port })).map(opened));
      await Promise.all(clients.slice(-4).map((client) => client.roundTrip("hello")));
      health.state = "down";
      await waitForStatus(program, "victim", /^DOWN$/);
      await waitForStatus(program, "kept", /^DOWN$/);
      await waitFor(() => victim.connections.every((c) => victim.wasReset(c)), "its connections to be reset");
    }
    expect(kept.openConnections.length + victim.connections.length).toBe(8);
    await waitFor(() => clients.filter((c) => c.received.ended).length === victim.connections.length, "their ends");
    await Promise.all(clients.filter((c) => !c.received.ended).map((client) => client.roundTrip("kept")));
  });

  it("maintenance and `set server ... health down` cut as well, as in HAProxy", async () => {
    const victim = opened(await Upstream.start(echo));
    const log = opened(await LogReceiver.start());
    const { program, port } = await start({
      threads,
      log,
      backend: [`server victim ${victim.endpoint} on-marked-down shutdown-sessions`],
    });
    for (const [down, up] of [
      ["disable server victims/victim", "enable server victims/victim"],
      ["set server victims/victim health down", "set server victims/victim health up"],
    ]) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
      await client.roundTrip("hello");
      let held: unknown;
      await program.runtime(down!, {
        atAnswer: () => (held = socketsHeldTo(program.pid, victim.address, victim.port)),
      });
      expect(held, down).toEqual([]);
      await client.waitForEnd();
      expect((await log.waitForSession(client.local)).termination).toBe("DC");
      expect(await program.runtime(up!)).toBe("\n");
    }
  });
});

describe.each([1, 2])("on-marked-up shutdown-backup-sessions, %i thread(s)", (threads) => {
  it("haproxy-2848: sessions on backups end when the primary returns, and new ones go there", async () => {
    const primary = opened(await Upstream.start(echo));
    const backup = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const log = opened(await LogReceiver.start());
    health.state = "down";
    const { program, port } = await start({
      threads,
      log,
      backend: [
        `server primary ${primary.endpoint} ${health.words()} on-marked-up shutdown-backup-sessions`,
        `server backup ${backup.endpoint} backup`,
      ],
    });
    await waitForStatus(program, "primary", /^DOWN$/);
    const clients = (await openClients(SESSIONS, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("hello")));
    clients[0]!.pingPong(Buffer.alloc(1024, "busy "));
    expect(backup.connections).toHaveLength(SESSIONS);

    health.state = "up";
    await waitForStatus(program, "primary", /^UP$/);
    for (const client of clients) {
      await client.waitForEnd();
      expect(await log.waitForSession(client.local)).toMatchObject({ termination: "UC", server: "backup" });
    }
    await waitFor(() => backup.connections.every((c) => backup.wasReset(c)), "the backup's connections to be reset");
    const next = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await next.roundTrip("to the primary");
    expect(primary.connections).toHaveLength(1);
    expect(backup.connections).toHaveLength(SESSIONS);
  });
});
