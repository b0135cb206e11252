// What the kernel may refuse: descriptors, memory, room in the event ring. The threads stay up, count it, and recover.

import { expect, it } from "vitest";
import {
  CT_BUFFERS_EXHAUSTED,
  CT_RECORDS_DROPPED,
  CT_RESOURCE_ERRNO,
  CT_RESOURCE_ERRORS,
  CT_SESSIONS,
} from "../../src/memory/counters.ts";
import { EMFILE } from "../../src/sys/constants.ts";
import { Judge } from "./judge.ts";
import { createRig, type RigSetup, type SimRig } from "./sim-rig.ts";

const ROOMY = { receive: 300_000, send: 300_000, peer: 300_000 };

async function scene(setup: Partial<RigSetup> = {}): Promise<{ rig: SimRig; judge: Judge }> {
  const rig = await createRig({ seed: 7, threads: 1, servers: [{}], ...setup });
  // Nothing by chance but what a test asks for.
  rig.world.betweenCalls = () => {};
  rig.world.readingPercent = 100;
  rig.world.randomRooms = () => ROOMY;
  return { rig, judge: new Judge(rig) };
}

const counter = (rig: SimRig, word: number): number =>
  rig.relays[0].relay.counters[rig.relays[0].relay.ownCounters + word];

it("pauses when accept() finds no descriptor, and accepts again when there are some", async () => {
  const { rig, judge } = await scene();
  rig.world.fdLimit = rig.world.descriptors.size;
  rig.world.connectClient(rig.listenerFds[0]);
  rig.settle();
  expect(counter(rig, CT_RESOURCE_ERRORS)).toBe(1);
  expect(counter(rig, CT_RESOURCE_ERRNO)).toBe(EMFILE);
  expect(counter(rig, CT_SESSIONS)).toBe(0);
  rig.advance(450);
  expect(counter(rig, CT_RESOURCE_ERRORS)).toBe(5);
  rig.world.fdLimit = 1000;
  rig.advance(100);
  expect(counter(rig, CT_SESSIONS)).toBe(1);
  await judge.end();
});

it("tries a server again when socket() found no descriptor", async () => {
  const { rig, judge } = await scene();
  rig.world.fdLimit = rig.world.descriptors.size + 1;
  const client = rig.world.connectClient(rig.listenerFds[0]);
  client.peerSend(10);
  rig.settle();
  expect(counter(rig, CT_RESOURCE_ERRORS)).toBe(1);
  rig.world.fdLimit = 1000;
  rig.advance(1100);
  expect(rig.world.servers.map((server) => server.delivered)).toEqual([10]);
  await judge.end();
});

it.each([
  ["pipe() finds no descriptor", (rig: SimRig) => (rig.world.fdLimit = rig.world.descriptors.size)],
  ["splice() is not possible", (rig: SimRig) => (rig.world.splices = false)],
])("copies when %s", async (_when, spoil) => {
  const { rig, judge } = await scene({ proxy: { splice: true } });
  const client = rig.world.connectClient(rig.listenerFds[0]);
  rig.settle();
  spoil(rig);
  client.peerSend(1_000_000);
  rig.settle();
  expect(rig.world.servers[0].sent).toBe(1_000_000);
  await judge.end();
});

it("gives spare pipes back when descriptors run out", async () => {
  const { rig, judge } = await scene({ proxy: { splice: true } });
  const client = rig.world.connectClient(rig.listenerFds[0]);
  client.peerSend(1_000_000);
  rig.settle();
  const { pipes } = rig.relays[0].relay;
  expect(pipes.spare).toBe(1);
  rig.world.fdLimit = rig.world.descriptors.size;
  rig.world.connectClient(rig.listenerFds[0]);
  rig.advance(150);
  expect(pipes.spare).toBe(0);
  expect(counter(rig, CT_SESSIONS)).toBe(2);
  await judge.end();
});

it("drops and counts records that find the event ring full", async () => {
  const { rig } = await scene({ records: 2 });
  rig.readsRecords = false;
  const clients = Array.from({ length: 5 }, () => rig.world.connectClient(rig.listenerFds[0]));
  rig.settle();
  for (const client of clients) client.resetByPeer(rig.world.random);
  rig.settle();
  expect(counter(rig, CT_SESSIONS)).toBe(0);
  expect(counter(rig, CT_RECORDS_DROPPED)).toBe(3);
});

/** One buffer for all, in the hands of a session whose server does not read. */
async function exhausted(sessions: number) {
  const { rig, judge } = await scene({ buffersMax: 1, maxconn: 12 });
  const clients = Array.from({ length: sessions }, () => rig.world.connectClient(rig.listenerFds[0]));
  rig.settle();
  const [slow] = rig.world.servers;
  slow.peerReads = false;
  clients[0].peerSend(1_000_000);
  rig.settle();
  expect(rig.relays[0].relay.buffers.hasFree()).toBe(false);
  const readAgain = (): void => {
    slow.peerReads = true;
    slow.peerRead = slow.delivered;
    rig.settle();
  };
  return { rig, judge, clients, readAgain };
}

const delivered = (rig: SimRig): number[] => rig.world.servers.map((server) => server.delivered);

it("goes on without buffers: who does not read stops nobody else, in either direction", async () => {
  const { rig, judge, clients, readAgain } = await exhausted(4);
  for (const client of clients.slice(1)) client.peerSend(500_000);
  for (const server of rig.world.servers.slice(1)) server.peerSend(400_000);
  rig.settle();
  expect(counter(rig, CT_BUFFERS_EXHAUSTED)).toBeGreaterThan(0);
  expect(delivered(rig).slice(1)).toEqual([500_000, 500_000, 500_000]);
  expect(clients.slice(1).map((client) => client.delivered)).toEqual([400_000, 400_000, 400_000]);
  for (const client of clients.slice(1)) client.peerShutdown();
  for (const server of rig.world.servers.slice(1)) server.peerShutdown();
  rig.settle();
  expect(counter(rig, CT_SESSIONS)).toBe(1);
  readAgain();
  expect(delivered(rig)).toEqual([1_000_000, 500_000, 500_000, 500_000]);
  await judge.end();
});

it("holds nothing of a blocked session without a buffer: its bytes stay in the source and come once the peer reads", async () => {
  const { rig, judge, clients } = await exhausted(6);
  for (const server of rig.world.servers) server.peerReads = false;
  for (const client of clients.slice(1)) client.peerSend(2_000_000);
  rig.settle();
  expect(clients.map((client, i) => client.read === rig.world.servers[i].sent)).toEqual([
    false,
    ...Array(5).fill(true),
  ]);
  judge.checkIdle();
  for (const server of rig.world.servers) {
    server.peerReads = true;
    server.peerRead = server.delivered;
  }
  rig.settle();
  expect(delivered(rig)).toEqual([1_000_000, ...Array(5).fill(2_000_000)]);
  await judge.end();
});

it("cuts sessions that are blocked without a buffer: clients end in good order, servers get nothing more", async () => {
  const { rig, judge, clients } = await exhausted(3);
  for (const server of rig.world.servers) server.peerReads = false;
  for (const client of clients.slice(1)) client.peerSend(700_000);
  rig.settle();
  await judge.cut(rig.backend.servers[0], false);
  expect(counter(rig, CT_SESSIONS)).toBe(0);
  expect(clients.slice(1).map(({ closed }) => closed)).toEqual(["orderly", "orderly"]);
  expect(rig.world.servers.map(({ closed }) => closed)).toEqual(["abortive", "abortive", "abortive"]);
  await judge.end();
});

it("ends a session that is blocked without a buffer at its timeout", async () => {
  const { rig, judge } = await scene({ buffersMax: 1, proxy: { timeouts: { serverMs: 500 } } });
  const clients = [0, 1].map(() => rig.world.connectClient(rig.listenerFds[0]));
  rig.settle();
  for (const server of rig.world.servers) server.peerReads = false;
  for (const client of clients) client.peerSend(1_000_000);
  rig.settle();
  expect(counter(rig, CT_SESSIONS)).toBe(2);
  rig.advance(600);
  expect(counter(rig, CT_SESSIONS)).toBe(0);
  await judge.end();
});

it("accepts again when a thread that had no row left gets one back", async () => {
  const { rig, judge } = await scene({ maxconn: 6, rowsPerThread: 2 });
  const clients = Array.from({ length: 3 }, () => rig.world.connectClient(rig.listenerFds[0]));
  rig.settle();
  expect(counter(rig, CT_SESSIONS)).toBe(2);
  clients[0].resetByPeer(rig.world.random);
  rig.settle();
  expect(counter(rig, CT_SESSIONS)).toBe(2);
  expect(clients[2].watches.length).toBe(1);
  await judge.end();
});

it("reads what a unix server said that left before its connection was looked at", async () => {
  const { rig, judge } = await scene({ servers: [{ endpoint: { kind: "unix", path: "9001" } }] });
  const client = rig.world.connectClient(rig.listenerFds[0]);
  rig.turn(0);
  expect(rig.world.servers.length).toBe(1);
  rig.world.servers[0].peerSend(10);
  rig.world.servers[0].peerClose(rig.world.random);
  rig.settle();
  expect(client.delivered).toBe(10);
  expect(rig.world.servers.length).toBe(1);
  await judge.end();
});
