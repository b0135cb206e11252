// The cut, in every state of a session, with 1 and 2 threads, by every command: what must hold when the answer arrives, seen by
// the client, the server, `show sess`, the counters and the kernel. One file for G1, G2 and G3 of the guarantees.

import { beforeAll, describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterAll, closeAfterEach, type Opened } from "../harness/closing.ts";
import { type KernelSocket, socketsHeldTo, survivingConnections } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { echo, takeHeldBytes, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { CUT_STATES, type CutStage, type CutState, type Victim } from "./cut-states.ts";

const SESSIONS = 6;
const opened = closeAfterEach();

type Order = "shutdown session <id>" | "shutdown sessions server" | "disable server, shutdown sessions server";
const ORDERS: readonly Order[] = [
  "shutdown session <id>",
  "shutdown sessions server",
  "disable server, shutdown sessions server",
];

interface Stage extends CutStage {
  readonly frontend: string;
  /** A session on another server, there from the beginning. */
  readonly bystander: Client;
}

/** One program with a stage for each order: a frontend, a backend and a victim of its own. */
async function startStages(state: CutState, threads: number, kept: Opened): Promise<Map<Order, Stage>> {
  const others = kept(await Upstream.start(echo));
  const otherPort = await freePort();
  const parts: { order: Order; number: number; victim: Victim; port: number }[] = [];
  for (const [number, order] of ORDERS.entries()) {
    const victim = await state.startVictim();
    if (victim.close) kept({ close: () => victim.close!() });
    parts.push({ order, number, victim, port: await freePort() });
  }
  const stages = parts.map(
    ({ number, victim, port }) => `
frontend fe${number}
    bind ${FRONTEND_ADDRESS}:${port}
    default_backend victims${number}
backend victims${number}
    ${(state.backend ?? []).join("\n    ")}
    server victim ${victim.endpoint} ${state.serverWords ?? ""}
`,
  );
  const program = kept(
    await Program.start({
      config: `
global
    nbthread ${threads}
defaults
    mode tcp
    balance roundrobin
    timeout client 1h
    timeout server 1h
    timeout connect 1h
    timeout queue 1h
listen others
    bind ${FRONTEND_ADDRESS}:${otherPort}
    server bystander ${others.endpoint}
${stages.join("")}`,
    }),
  );
  const bystander = kept(await Client.open({ host: FRONTEND_ADDRESS, port: otherPort }));
  return new Map(
    parts.map(({ order, number, victim, port }) => [
      order,
      { program, victim, port, count: SESSIONS, frontend: `fe${number}`, backend: `victims${number}`, bystander },
    ]),
  );
}

/** The kernel's view in the moment of an answer. */
interface Look {
  /** Connections to the server that can still carry bytes. */
  readonly surviving: KernelSocket[];
  /** Connections to the server of which the program still has a descriptor, in whatever state. */
  readonly held: KernelSocket[];
}

/** Sends the commands of an order one by one; each entry is what the kernel held for the server when that answer arrived. */
async function cut({ program, backend }: Stage, order: Order, look: () => Look): Promise<Look[]> {
  const looks: Look[] = [];
  const send = async (command: string) => {
    const answer = await program.runtime(command, { atAnswer: () => looks.push(look()) });
    expect(answer, command).toBe("\n");
  };
  if (order === "shutdown session <id>") {
    const ids = (await program.sessions()).filter((s) => s.be === backend).map((s) => s.id);
    expect(ids).toHaveLength(SESSIONS);
    for (const id of ids) await send(`shutdown session ${id}`);
  } else {
    if (order.startsWith("disable")) expect(await program.runtime(`disable server ${backend}/victim`)).toBe("\n");
    await send(`shutdown sessions server ${backend}/victim`);
  }
  return looks;
}

describe.each([1, 2])("the cut, %i thread(s)", (threads) => {
  describe.each(CUT_STATES)("$name", (state) => {
    const kept = closeAfterAll();
    let stages: Map<Order, Stage>;
    beforeAll(async () => {
      stages = await startStages(state, threads, kept);
    });

    it.each(ORDERS)("%s", async (order) => {
      const stage = stages.get(order)!;
      const { program, victim, backend, frontend, bystander } = stage;
      await bystander.roundTrip("before");
      const clients = (await state.enter(stage)).map(opened);
      const connections = victim.upstream?.connections ?? [];
      const serverBlocked = state.name === "blocked towards the server";
      let readByNode: number[] = [];

      const looks = await cut(stage, order, () => {
        const look = {
          surviving: survivingConnections(program.pid, victim.address, victim.port),
          held: socketsHeldTo(program.pid, victim.address, victim.port),
        };
        // A server that does not read empties its kernel's buffers after the last answer: nothing may be added to them.
        if (serverBlocked && look.held.length === 0) {
          readByNode = connections.map((c) => c.received.bytes + c.socket.readableLength);
          for (const c of connections) takeHeldBytes(c);
        }
        return look;
      });

      // The kernel, at the answer: one less with each `shutdown session`, none after the last order.
      if (order === "shutdown session <id>" && victim.upstream) {
        expect(looks.map((l) => l.held.length)).toEqual(clients.map((_, i) => SESSIONS - 1 - i));
      }
      expect(looks.at(-1), "connections to the server at the answer").toEqual({ surviving: [], held: [] });
      const heldClients = clients.flatMap((c) => socketsHeldTo(program.pid, c.local.address, c.local.port));
      expect(heldClients, "connections to the clients after the answer").toEqual([]);

      // `show sess` and the counters.
      expect((await program.sessions()).filter((s) => s.be === backend)).toEqual([]);
      const stat = await program.stat();
      expect(statRow(stat, backend, "victim").scur).toBe("0");
      expect(statRow(stat, backend, "BACKEND").scur).toBe("0");
      expect(statRow(stat, backend, "BACKEND").qcur).toBe("0");
      expect(statRow(stat, frontend, "FRONTEND").scur).toBe("0");
      expect((await program.info()).CurrConns).toBe("1");

      // The server: reset, and not a byte more than what had reached it.
      await waitFor(
        () => connections.every((c) => victim.upstream!.wasReset(c)),
        () => `every server connection to be reset: ${connections.map((c) => c.received.endings.join("+") || "open")}`,
      );
      if (serverBlocked) {
        expect(connections.map(takeHeldBytes), "bytes that came after the answer").toEqual(connections.map(() => 0));
        for (const c of connections) c.socket.resume();
        await waitFor(() => connections.every((c) => c.received.ended), "every server to see the end");
        expect(connections.map((c) => c.received.bytes)).toEqual(readByNode);
      }

      // The clients: all ended, in order unless bytes of theirs were still unread.
      if (state.clientReadsLater) for (const client of clients) client.resume();
      for (const client of clients) await client.waitForEnd();
      if (!state.clientMaySeeReset) {
        expect(clients.map((c) => c.received.endings)).toEqual(clients.map(() => ["fin"]));
      }

      // Those who had nothing to do with it.
      await bystander.roundTrip("after");
      expect(statRow(await program.stat(), "others", "bystander").scur).toBe("1");
      expect(program.running, program.stderr).toBe(true);
    });
  });
});
