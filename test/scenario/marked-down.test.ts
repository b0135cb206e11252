// `on-marked-down shutdown-sessions after <time> over <time>`: who stays, who ends and in which order, in every state of a session.

import { describe, expect, it } from "vitest";
import type { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { CUT_STATES } from "./cut-states.ts";
import { expectEndedAsDown, PolicyStage } from "./policy-stage.ts";

const SESSIONS = 4;
const opened = closeAfterEach();

async function stageOf(threads: number, backend: readonly string[]): Promise<PolicyStage> {
  const log = opened(await LogReceiver.start());
  return opened(await PolicyStage.start({ threads, log, backend }));
}

async function openClients(stage: PolicyStage, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(opened(await stage.open()));
    await clients.at(-1)!.roundTrip("hello");
  }
  return clients;
}

describe.each([1, 2])("on-marked-down shutdown-sessions after and over, %i thread(s)", (threads) => {
  it.each(CUT_STATES)("$name: sessions stay for a while, then end as DC, one after the other", async (state) => {
    const victim = await state.startVictim();
    if (victim.close) opened({ close: () => victim.close!() });
    const words = `${state.serverWords ?? ""} on-marked-down shutdown-sessions after 100ms over 200ms`;
    const stage = await stageOf(threads, [...(state.backend ?? []), `server victim ${victim.endpoint} ${words}`]);
    const { program, port } = stage;
    const clients = (await state.enter({ program, port, backend: "be", count: SESSIONS, victim })).map(opened);

    await stage.health("victim", "down");
    await stage.waitForLog(/Server be\/victim: 4 sessions stay, and end if it is still down in 100 ms\.\n$/);
    await stage.waitForLog(/Server be\/victim: 4 sessions end within 200 ms\.\n$/);
    await stage.waitForLog(/Server be\/victim: it is still down: 4 sessions were ended\.\n$/);

    await expectEndedAsDown(stage, state, victim, clients);
  });

  it("a flap costs nobody anything, but routing stops at once", async () => {
    const victim = opened(await Upstream.start(echo));
    const other = opened(await Upstream.start(echo));
    const stage = await stageOf(threads, [
      `server victim ${victim.endpoint} on-marked-down shutdown-sessions after 1h`,
      `server other ${other.endpoint} backup`,
    ]);
    const clients = await openClients(stage, SESSIONS);
    await stage.health("victim", "down");
    await openClients(stage, 2);
    expect([victim.connections.length, other.connections.length]).toEqual([SESSIONS, 2]);
    await Promise.all(clients.map((client) => client.roundTrip("while it is down")));
    await stage.health("victim", "up");
    await stage.waitForLog(/Server be\/victim: it is back: its 4 sessions stay\.\n$/);
    await Promise.all(clients.map((client) => client.roundTrip("as if nothing had been")));
    await openClients(stage, 1);
    expect(victim.connections).toHaveLength(SESSIONS + 1);
  });

  it("maintenance after the server went down does not shorten the time, and a command still cuts at once", async () => {
    const victim = opened(await Upstream.start(echo));
    const stage = await stageOf(threads, [
      `server victim ${victim.endpoint} on-marked-down shutdown-sessions after 1h over 1h`,
    ]);
    const clients = await openClients(stage, 2);
    await stage.health("victim", "down");
    expect(await stage.program.runtime("disable server be/victim")).toBe("\n");
    await Promise.all(clients.map((client) => client.roundTrip("still here")));
    await stage.program.runtime("shutdown sessions server be/victim");
    for (const client of clients) await client.waitForEnd();
  });

  it("ends little by little, in no order, and stops when the server is back", async () => {
    const victim = opened(await Upstream.start(echo));
    const stage = await stageOf(threads, [`server victim ${victim.endpoint} on-marked-down shutdown-sessions over 2s`]);
    const clients = await openClients(stage, 40);
    const ended: number[] = [];
    for (const [i, client] of clients.entries()) client.socket.once("end", () => ended.push(i));
    await stage.health("victim", "down");
    const seen = new Set<number>();
    await waitFor(() => {
      seen.add(ended.length);
      return ended.length >= 15;
    }, "fifteen clients to be let go");
    await stage.health("victim", "up");
    await stage.waitForLog(/Server be\/victim: it is back: \d+ sessions were ended, \d+ stay\.\n$/);
    expect(seen.size).toBeGreaterThan(3);
    expect(ended).not.toEqual([...ended].sort((a, b) => a - b));
    expect(ended).not.toEqual([...ended].sort((a, b) => b - a));
    const left = Number((await stage.row("victim")).scur);
    await waitFor(
      () => clients.filter((client) => client.received.ended).length === 40 - left,
      "the others to be told",
    );
    expect(left).toBeGreaterThan(0);
    await Promise.all(clients.filter((c) => !c.received.ended).map((client) => client.roundTrip("kept")));
  });
});
