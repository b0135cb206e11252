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

it("goes on with one buffer for all: who finds none waits and gets its turn", async () => {
  const { rig, judge } = await scene({ buffersMax: 1, maxconn: 12 });
  const clients = Array.from({ length: 6 }, () => rig.world.connectClient(rig.listenerFds[0]));
  rig.settle();
  for (const server of rig.world.servers) server.peerReads = false;
  for (const client of clients) client.peerSend(1_000_000);
  rig.settle();
  expect(counter(rig, CT_BUFFERS_EXHAUSTED)).toBeGreaterThan(0);
  for (const server of rig.world.servers) server.peerReads = true;
  for (const server of rig.world.servers) server.peerRead = server.delivered;
  rig.settle();
  expect(rig.world.servers.map((server) => server.delivered)).toEqual(clients.map(() => 1_000_000));
  await judge.end();
});

it("wakes all that wait for a buffer, also if the first of them needs none for long", async () => {
  const { rig, judge } = await scene({ buffersMax: 1, maxconn: 12 });
  const clients = Array.from({ length: 4 }, () => rig.world.connectClient(rig.listenerFds[0]));
  rig.settle();
  const [{ relay }] = rig.relays;
  const slow = rig.world.servers[0];
  slow.peerReads = false;
  clients[0].peerSend(1_000_000);
  rig.settle();
  expect(relay.buffers.used).toBe(1);
  for (const client of clients.slice(1)) client.peerSend(10);
  rig.settle();
  expect(rig.world.servers.slice(1).map((server) => server.delivered)).toEqual([0, 0, 0]);
  slow.peerReads = true;
  slow.peerRead = slow.delivered;
  rig.settle();
  expect(rig.world.servers.map((server) => server.delivered)).toEqual([1_000_000, 10, 10, 10]);
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
