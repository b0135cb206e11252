// What may happen between two events of one batch: stale events, orders, and a stream without end.

import { expect, it } from "vitest";
import { READ_BYTES, TURN_BYTES_MAX } from "../../src/base/limits.ts";
import { WAKE_TAG } from "../../src/dataplane/relay.ts";
import { CT_STALE_EVENTS } from "../../src/memory/counters.ts";
import { CutReason } from "../../src/memory/cut-reason.ts";
import { V_CUT_GENERATION, V_CUT_REASON } from "../../src/memory/server-row.ts";
import * as S from "../../src/memory/session-row.ts";
import type { Connection } from "./connection.ts";
import { Judge } from "./judge.ts";
import { createRig, type SimRig } from "./sim-rig.ts";

const ROOMY = { receive: 300_000, send: 300_000, peer: 300_000 };

async function scene(): Promise<{ rig: SimRig; judge: Judge }> {
  const rig = await createRig({ seed: 11, threads: 1, servers: [{}], proxy: { splice: true } });
  rig.world.betweenCalls = () => {};
  rig.world.randomRooms = () => ROOMY;
  rig.world.readingPercent = 100;
  rig.relays[0].kernel.takesAll = true;
  return { rig, judge: new Judge(rig) };
}

const connect = (rig: SimRig): Connection => rig.world.connectClient(rig.listenerFds[0]);
const fdOf = (rig: SimRig, row: number, word: number): number => rig.memory.sessions[row * S.SESSION_WORDS + word];

it("drops an event of a session that ended in the same batch, though row and descriptors are in use again", async () => {
  const { rig, judge } = await scene();
  connect(rig);
  rig.settle();
  const [{ kernel, relay }] = rig.relays;
  const before = [fdOf(rig, 0, S.S_CLIENT_FD), fdOf(rig, 0, S.S_SERVER_FD)];
  // One batch: an order ends the session, then a new one is accepted, then the ended one's FINs are reported.
  rig.world.clients[0].peerShutdown();
  rig.world.servers[0].peerShutdown();
  rig.world.network(true);
  const newcomer = connect(rig);
  rig.post({ kind: "cut-session", row: 0, generation: rig.memory.sessions[S.S_GENERATION] });
  kernel.arrange = (events) => {
    const rank = ({ low, high }: { low: number; high: number }): number => (high !== 0 ? 2 : low === WAKE_TAG ? 0 : 1);
    return events.sort((a, b) => rank(a) - rank(b));
  };
  rig.turn(0);
  expect([fdOf(rig, 0, S.S_CLIENT_FD), fdOf(rig, 0, S.S_SERVER_FD)]).toEqual(before);
  expect(relay.counters[relay.ownCounters + CT_STALE_EVENTS]).toBe(2);
  newcomer.peerSend(10);
  rig.settle();
  expect(rig.world.servers[1].delivered).toBe(10);
  await judge.end();
});

it("carries out an order that comes in the middle of a batch before the next event", async () => {
  const { rig, judge } = await scene();
  const clients = [connect(rig), connect(rig), connect(rig)];
  rig.settle();
  for (const client of clients) client.peerSend(100);
  rig.world.network(true);
  let posted = false;
  rig.world.betweenCalls = () => {
    if (posted) return;
    posted = true;
    rig.memory.serversI32[V_CUT_REASON] = CutReason.OPERATOR;
    rig.memory.serversI32[V_CUT_GENERATION]++;
    rig.post({ kind: "cut-server", server: 0, resetClients: false });
  };
  rig.turn(0);
  // The first event was under way; the other two sessions had theirs in the same batch.
  expect(rig.world.servers.map((server) => server.closed)).toEqual(["abortive", "abortive", "abortive"]);
  expect(rig.world.servers.filter((server) => server.sent > 0).length).toBe(1);
  expect(clients.map((client) => client.peerReset)).toEqual([false, false, false]);
  await judge.end();
});

it("starts no further attempt for a session that was cut, even before the order is looked at", async () => {
  const { rig, judge } = await scene();
  const upstream = rig.world.upstreams.get(7001)!;
  upstream.answer = "refuse";
  connect(rig);
  connect(rig);
  rig.advance(999);
  expect(rig.world.servers.length).toBe(2);
  upstream.answer = "silent";
  // Both retries are due in one turn. The cut comes right after the first of them connects.
  let connects = 0;
  rig.world.betweenCalls = (_thread, call) => {
    if (!call.startsWith("watch") || ++connects > 1) return;
    rig.memory.serversI32[V_CUT_REASON] = CutReason.OPERATOR;
    rig.memory.serversI32[V_CUT_GENERATION]++;
    rig.post({ kind: "cut-server", server: 0, resetClients: false });
  };
  rig.advance(1);
  expect(rig.world.servers.length).toBe(3);
  expect(rig.world.servers.map((server) => server.closed)).toEqual(["abortive", "abortive", "abortive"]);
  rig.world.betweenCalls = () => {};
  await judge.end();
});

it("gives no session a pipe that still holds bytes of another", async () => {
  const { rig, judge } = await scene();
  rig.world.readingPercent = 0;
  const blocked = connect(rig);
  blocked.peerSend(3_000_000);
  rig.settle();
  expect(rig.memory.sessions[S.S_UP + S.D_PIPE_LENGTH]).toBeGreaterThan(0);
  rig.post({ kind: "cut-session", row: 0, generation: rig.memory.sessions[S.S_GENERATION] });
  rig.settle();
  rig.world.readingPercent = 100;
  connect(rig).peerSend(3_000_000);
  rig.settle();
  expect(rig.world.servers[1].delivered).toBe(3_000_000);
  await judge.end();
});

it("moves at most TURN_BYTES_MAX a turn, so a stream without end starves nobody", async () => {
  const { rig, judge } = await scene();
  const stream = connect(rig);
  const quiet = connect(rig);
  rig.settle();
  // Whatever is read is there again at once, and whatever is sent is taken at once.
  rig.world.betweenCalls = () => {
    stream.peerSent = stream.read + 250_000;
    rig.world.network(true);
  };
  rig.world.network(true);
  stream.peerSend(1);
  let most = 0;
  for (let turn = 0; turn < 30; turn++) {
    if (turn === 10) quiet.peerSend(10);
    rig.world.network(true);
    const before = stream.read;
    expect(rig.turn(0)).toBe(true);
    most = Math.max(most, stream.read - before);
  }
  // An event's share, and that of the ready list in the same turn.
  expect(most).toBeGreaterThan(READ_BYTES);
  expect(most).toBeLessThanOrEqual(2 * (TURN_BYTES_MAX + 300_000));
  expect(rig.world.servers.some((server) => server.delivered === 10)).toBe(true);
  rig.world.betweenCalls = () => {};
  await judge.end();
});
