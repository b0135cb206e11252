// Places in a queue: changes to a server that still takes sessions cost nobody its place or its time.

import { expect, it } from "vitest";
import { EndCause } from "../../src/memory/end-state.ts";
import { AdminState } from "../../src/memory/server-row.ts";
import * as S from "../../src/memory/session-row.ts";
import { Judge } from "./judge.ts";
import { createRig, type SimRig } from "./sim-rig.ts";

/** One server of one slot that is taken, and four clients in line, spread over two threads. */
async function line(balance: "source" | "roundrobin"): Promise<{ rig: SimRig; judge: Judge }> {
  const rig = await createRig({
    seed: 5,
    threads: 2,
    servers: [{ maxconn: 1 }],
    sharesListener: true,
    proxy: { balance: { algorithm: balance, draws: 2, explicit: true }, timeouts: { queueMs: 1000, connectMs: 1000 } },
  });
  rig.world.betweenCalls = () => {};
  rig.world.readingPercent = 100;
  const judge = new Judge(rig);
  for (let i = 0; i < 5; i++) {
    rig.world.connectClient(rig.listenerFds[0]).peerSend(1);
    rig.settle();
  }
  return { rig, judge };
}

/** Ends whoever has the slot, one after the other: the numbers of the clients in the order in which they were served. */
function serveAll(rig: SimRig): number[] {
  const served: number[] = [];
  for (let i = 0; i < 5; i++) {
    const server = rig.world.servers.at(-1)!;
    served.push(server.source);
    server.resetByPeer(rig.world.random);
    rig.settle();
  }
  return served;
}

it.each(["source", "roundrobin"] as const)("keeps the order of arrival over changes (%s)", async (balance) => {
  const { rig, judge } = await line(balance);
  const [server] = rig.backend.servers;
  await rig.commit({ kind: "set-weight", server, weight: 3 });
  await rig.commit({ kind: "set-maxconn", server, maxconn: 1 });
  expect(serveAll(rig)).toEqual([0, 1, 2, 3, 4]);
  await judge.end();
});

it.each(["source", "roundrobin"] as const)(
  "does not begin the queue timeout anew with a change (%s)",
  async (balance) => {
    const { rig, judge } = await line(balance);
    const [server] = rig.backend.servers;
    for (let i = 0; i < 4; i++) {
      rig.advance(300);
      await rig.commit({ kind: "set-weight", server, weight: 2 + i });
    }
    expect([...judge.causes.values()]).toEqual(new Array(4).fill(EndCause.SERVER_TIMEOUT));
    await judge.end();
  },
);

it("ends those in line when their only server is disabled", async () => {
  const { rig, judge } = await line("source");
  const [server] = rig.backend.servers;
  await rig.commit({ kind: "set-admin", server, set: AdminState.FORCED_MAINT, clear: 0 });
  expect([...judge.causes.values()]).toEqual(new Array(4).fill(EndCause.SERVER));
  await judge.end();
});

it("keeps the place of a session whose grant is taken back", async () => {
  const rig = await createRig({
    seed: 5,
    threads: 2,
    servers: [{ maxconn: 1 }, { maxconn: 1 }],
    sharesListener: true,
    proxy: { timeouts: { queueMs: 1000, connectMs: 1000 } },
  });
  rig.world.betweenCalls = () => {};
  rig.world.readingPercent = 100;
  const judge = new Judge(rig);
  for (let i = 0; i < 6; i++) {
    rig.world.connectClient(rig.listenerFds[0]).peerSend(1);
    rig.settle();
  }
  const { sessions, rowsPerThread } = rig.memory;
  const granted = (): number[] =>
    [...new Array(2 * rowsPerThread).keys()].filter(
      (row) => sessions[row * S.SESSION_WORDS + S.S_QUEUE_STATE] === S.QueueState.GRANTED,
    );
  // Threads take turns at new clients: if number 2 is on the thread of number 0, then number 3 is not on that of number 2.
  for (const ends of [0, 2]) {
    if (granted().length > 0) break;
    rig.settle();
    rig.world.servers[ends].resetByPeer(rig.world.random);
    rig.turnAny();
  }
  expect(granted(), "a grant that its thread has not taken").toHaveLength(1);
  const slotOf = sessions[granted()[0] * S.SESSION_WORDS + S.S_QUEUE_SERVER];
  const server = rig.backend.servers.find(({ index }) => index === slotOf)!;
  await rig.commit({ kind: "set-admin", server, set: AdminState.FORCED_MAINT, clear: 0 });
  for (let i = 0; i < 6; i++) {
    rig.settle();
    rig.world.servers.at(-1)!.resetByPeer(rig.world.random);
    rig.world.servers[i].resetByPeer(rig.world.random);
  }
  rig.settle();
  expect(rig.world.servers.map(({ source }) => source)).toEqual([0, 1, 2, 3, 4, 5]);
  await judge.end();
});
