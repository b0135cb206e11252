// `option fence`: no new session reaches a server before the last one of the server before it is closed, proven in the kernel's table
// at the moment in which the new server accepts its first connection.

import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { BlackHole, echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { CUT_STATES, type Victim } from "./cut-states.ts";
import { PolicyStage } from "./policy-stage.ts";

const SESSIONS = 4;
const opened = closeAfterEach();

interface Scene {
  readonly stage: PolicyStage;
  readonly next: Upstream;
  /** Sockets of the program to the old server, each time that the new one accepted. */
  readonly heldAtAccept: unknown[][];
}

async function sceneOf(threads: number, old: Victim, words: string, lines: readonly string[] = []): Promise<Scene> {
  const heldAtAccept: unknown[][] = [];
  const scene: { stage?: PolicyStage } = {};
  const next = opened(
    await Upstream.start((connection) => {
      heldAtAccept.push(socketsHeldTo(scene.stage!.program.pid, old.address, old.port));
      echo(connection);
    }),
  );
  const log = opened(await LogReceiver.start());
  const backend = ["option fence", ...lines, `server old ${old.endpoint} ${words}`, `server next ${next.endpoint}`];
  const stage = opened(await PolicyStage.start({ threads, log, backend }));
  scene.stage = stage;
  return { stage, next, heldAtAccept };
}

const upstreamVictim = async (): Promise<Victim & { readonly upstream: Upstream }> => {
  const upstream = opened(await Upstream.start(echo));
  return { address: upstream.address, port: upstream.port, endpoint: upstream.endpoint, upstream };
};

const waitForQueue = (stage: PolicyStage, count: number): Promise<unknown> =>
  stage.waitForRow("BACKEND", { qcur: String(count) });

describe.each([1, 2])("option fence, %i thread(s)", (threads) => {
  it.each(CUT_STATES)(
    "with on-marked-down, $name: the next server accepts when the old one has nothing left",
    async (state) => {
      const old = await state.startVictim();
      if (old.close) opened({ close: () => old.close!() });
      const words = `${state.serverWords ?? ""} on-marked-down shutdown-sessions`;
      const { stage, next, heldAtAccept } = await sceneOf(threads, old, words, state.backend ?? []);
      const { program, port } = stage;
      const clients = await state.enter({ program, port, backend: "be", count: SESSIONS, victim: old });
      clients.map(opened);
      expect(next.connections, "one server at a time").toHaveLength(0);

      await stage.health("old", "down");
      const late = opened(await stage.open());
      await late.roundTrip("to the next");
      await stage.waitForLog(/Backend be: server next follows old; none was given new sessions for \d+ ms\.\n$/);
      expect(heldAtAccept).toEqual([[]]);
    },
  );

  it("without it new sessions wait for the old server's last one", async () => {
    const old = await upstreamVictim();
    const { stage, next, heldAtAccept } = await sceneOf(threads, old, "");
    const clients = [opened(await stage.open()), opened(await stage.open())];
    await Promise.all(clients.map((client) => client.roundTrip("hello")));
    await stage.health("old", "down");
    const waiting = [opened(await stage.open()), opened(await stage.open())];
    await waitForQueue(stage, 2);
    await stage.waitForLog(/Backend be: new sessions wait for server next until the 2 sessions of old are closed\.\n$/);
    clients[0]!.close();
    await waitFor(() => old.upstream.openConnections.length === 1, "the first to leave");
    await clients[1]!.roundTrip("still on the old one");
    expect(next.connections).toHaveLength(0);
    clients[1]!.close();
    await Promise.all(waiting.map((client) => client.roundTrip("to the next")));
    expect(heldAtAccept).toEqual([[], []]);
    // And back: it leads until it cannot.
    await stage.health("old", "up");
    const late = opened(await stage.open());
    await late.roundTrip("to the next, which still leads");
    expect(next.connections).toHaveLength(3);
  });

  it("a session that waits times out as any in a queue, and goes to the old server if that is back first", async () => {
    const old = await upstreamVictim();
    const { stage, next } = await sceneOf(threads, old, "", ["timeout queue 200ms"]);
    const client = opened(await stage.open());
    await client.roundTrip("hello");
    await stage.health("old", "down");
    const impatient = opened(await stage.open());
    await impatient.waitForEnd();
    expect((await stage.log.waitForSession(impatient.local)).termination).toBe("sQ");
    await stage.health("old", "up");
    const late = opened(await stage.open());
    await late.roundTrip("hello");
    expect([old.upstream.connections.length, next.connections.length]).toEqual([2, 0]);
  });

  it("a black hole: attempts that are under way hold the next server off until they give up", async () => {
    const old = opened(await BlackHole.start());
    const { stage, heldAtAccept } = await sceneOf(threads, old, "", ["timeout connect 700ms", "retries 1"]);
    const lost = opened(await stage.open());
    await waitFor(() => socketsHeldTo(stage.program.pid, old.address, old.port).length === 1, "an attempt");
    await stage.health("old", "down");
    const waiting = opened(await stage.open());
    await lost.waitForEnd();
    await waiting.roundTrip("to the next");
    expect(heldAtAccept).toEqual([[]]);
  });

  it("redispatched sessions wait as well, and nobody waits where no server is left", async () => {
    const old = opened(await BlackHole.start());
    const lines = ["timeout connect 2s", "retries 1", "option redispatch"];
    const { stage, next, heldAtAccept } = await sceneOf(threads, old, "", lines);
    const moved = opened(await stage.open());
    await waitFor(() => socketsHeldTo(stage.program.pid, old.address, old.port).length === 1, "an attempt");
    await stage.health("old", "down");
    await moved.roundTrip("to the next");
    expect(heldAtAccept).toEqual([[]]);
    await stage.health("next", "down");
    const late = opened(await stage.open());
    await late.waitForEnd();
    expect((await stage.log.waitForSession(late.local)).termination).toBe("SC");
    expect(next.connections).toHaveLength(1);
  });
});
