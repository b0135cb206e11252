// Every timeout of a session, with the cause and the phase that its record names.

import { expect, it } from "vitest";
import type { Timeouts } from "../../src/config/model.ts";
import { CT_SESSIONS } from "../../src/memory/counters.ts";
import * as S from "../../src/memory/session-row.ts";
import type { Connection } from "./connection.ts";
import type { ServerWishes } from "./registry.ts";
import { createRig, type SimRig } from "./sim-rig.ts";

interface Play {
  readonly rig: SimRig;
  readonly client: Connection;
}

interface Case {
  readonly timeouts: Timeouts;
  readonly ending: string;
  /** ms after the last thing that `play` does. */
  readonly afterMs: number;
  readonly servers?: readonly ServerWishes[];
  readonly play: (play: Play) => void;
}

const SMALL = { receive: 100, send: 100, peer: 100 };
const server = (rig: SimRig): Connection => rig.world.servers[rig.world.servers.length - 1];

const CASES: Record<string, Case> = {
  "a client that is idle": { timeouts: { clientMs: 500 }, ending: "cD", afterMs: 500, play: () => {} },
  "a server that is idle": { timeouts: { serverMs: 500 }, ending: "sD", afterMs: 500, play: () => {} },
  "a client that was active for a while": {
    timeouts: { clientMs: 500 },
    ending: "cD",
    afterMs: 500,
    play: ({ rig, client }) => {
      for (let i = 0; i < 5; i++) {
        rig.advance(400);
        client.peerSend(1);
      }
      rig.settle();
    },
  },
  "a client that takes no bytes": {
    timeouts: { clientMs: 500 },
    ending: "cD",
    afterMs: 500,
    play: ({ rig, client }) => {
      client.peerReads = false;
      client.peerShutdown();
      rig.settle();
      server(rig).peerSend(100_000);
      rig.settle();
    },
  },
  "a server that takes no bytes": {
    timeouts: { serverMs: 500 },
    ending: "sD",
    afterMs: 500,
    play: ({ rig, client }) => {
      server(rig).peerReads = false;
      server(rig).peerShutdown();
      rig.settle();
      client.peerSend(100_000);
      rig.settle();
    },
  },
  "a client whose server takes no bytes keeps no time, and has it back afterwards": {
    timeouts: { clientMs: 500 },
    ending: "cD",
    afterMs: 500,
    play: ({ rig, client }) => {
      server(rig).peerReads = false;
      client.peerSend(100_000);
      rig.advance(5000);
      server(rig).peerReads = true;
      server(rig).peerRead = server(rig).delivered;
      rig.settle();
    },
  },
  "a half-closed server side (server-fin)": {
    timeouts: { serverMs: 5000, serverFinMs: 300 },
    ending: "sD",
    afterMs: 300,
    play: ({ rig, client }) => {
      client.peerShutdown();
      rig.settle();
      server(rig).peerSend(1);
      rig.settle();
    },
  },
  "a half-closed client side (client-fin)": {
    timeouts: { clientMs: 5000, clientFinMs: 300 },
    ending: "cD",
    afterMs: 300,
    play: ({ rig, client }) => {
      server(rig).peerShutdown();
      rig.settle();
      client.peerSend(1);
      rig.settle();
    },
  },
};

interface Stuck extends Omit<Case, "play"> {
  readonly answer: "silent" | "accept" | "refuse";
  /** The client has sent something. */
  readonly speaks?: boolean;
  readonly retries?: number;
}

const STUCK: Record<string, Stuck> = {
  "a server that does not answer": { timeouts: { connectMs: 300 }, ending: "sC", afterMs: 300, answer: "silent" },
  "a place in the queue": {
    timeouts: { queueMs: 700, connectMs: 300 },
    ending: "sQ",
    afterMs: 700,
    servers: [{ maxconn: 1 }],
    answer: "accept",
  },
  "a silent client in the queue": {
    timeouts: { queueMs: 700, clientMs: 400 },
    ending: "cQ",
    afterMs: 400,
    servers: [{ maxconn: 1 }],
    answer: "accept",
  },
  "a client that spoke and waits in the queue": {
    timeouts: { queueMs: 700, clientMs: 400 },
    ending: "sQ",
    afterMs: 700,
    servers: [{ maxconn: 1 }],
    answer: "accept",
    speaks: true,
  },
  "a silent client in turn-around": {
    timeouts: { clientMs: 400 },
    ending: "cC",
    afterMs: 400,
    answer: "refuse",
    retries: 3,
  },
  "a client that spoke, when the retries are used up": {
    timeouts: { clientMs: 400 },
    ending: "SC",
    afterMs: 1000,
    answer: "refuse",
    retries: 1,
    speaks: true,
  },
  "a silent client whose server does not answer, in the end": {
    timeouts: { connectMs: 700, clientMs: 400 },
    ending: "sC",
    afterMs: 700,
    answer: "silent",
  },
  "a place in the queue, by the connect timeout": {
    timeouts: { connectMs: 300 },
    ending: "sQ",
    afterMs: 300,
    servers: [{ maxconn: 1 }],
    answer: "accept",
  },
};

async function start(
  timeouts: Timeouts,
  servers: readonly ServerWishes[],
  retries = 0,
): Promise<{ rig: SimRig; endings: string[] }> {
  const rig = await createRig({ seed: 3, threads: 1, servers, proxy: { timeouts, retries } });
  rig.world.betweenCalls = () => {};
  rig.world.readingPercent = 100;
  const endings: string[] = [];
  rig.onRecord = (word) => {
    const ring = rig.memory.ringsI32;
    endings.push(String.fromCharCode(ring[word + S.S_END_CAUSE], ring[word + S.S_END_PHASE]));
  };
  return { rig, endings };
}

/** The session is there one ms before its time, and ended one ms after. */
function expectEnd(rig: SimRig, endings: string[], afterMs: number, ending: string, busy?: Connection): void {
  for (let left = afterMs - 1; left > 0; left -= 100) {
    busy?.peerSend(1);
    rig.advance(Math.min(left, 100));
  }
  expect(endings).toEqual([]);
  rig.advance(2);
  expect(endings).toEqual([ending]);
}

it.each(Object.entries(CASES))("ends %s", async (_name, { timeouts, ending, afterMs, play }) => {
  const { rig, endings } = await start(timeouts, [{}]);
  rig.world.randomRooms = () => SMALL;
  const client = rig.world.connectClient(rig.listenerFds[0], SMALL);
  rig.settle();
  play({ rig, client });
  expectEnd(rig, endings, afterMs, ending);
});

it.each(Object.entries(STUCK))("ends %s", async (_name, stuck) => {
  const { timeouts, ending, afterMs, servers = [{}], answer, speaks = false, retries } = stuck;
  const { rig, endings } = await start(timeouts, servers, retries);
  let served: Connection | undefined;
  if (servers[0].maxconn !== undefined) {
    served = rig.world.connectClient(rig.listenerFds[0]);
    rig.settle();
  }
  rig.world.upstreams.get(7001)!.answer = answer;
  const client = rig.world.connectClient(rig.listenerFds[0]);
  if (speaks) client.peerSend(1);
  rig.settle();
  expectEnd(rig, endings, afterMs, ending, served);
});

it("does not hold the time it waited for a server against a client that has spoken", async () => {
  const { rig, endings } = await start({ clientMs: 500, queueMs: 5000 }, [{ maxconn: 1 }]);
  const first = rig.world.connectClient(rig.listenerFds[0]);
  const second = rig.world.connectClient(rig.listenerFds[0]);
  second.peerSend(10);
  for (let i = 0; i < 5; i++) {
    first.peerSend(1);
    rig.advance(400);
  }
  first.resetByPeer(rig.world.random);
  rig.settle();
  expect(rig.world.servers[1].delivered).toBe(10);
  expect(endings).toEqual(["CD"]);
  rig.advance(499);
  expect(endings).toEqual(["CD"]);
});

it("tries the same server again after a second, as often as retries says", async () => {
  const { rig, endings } = await start({}, [{}]);
  rig.memory.proxiesI32[11] = 2;
  rig.world.upstreams.get(7001)!.answer = "refuse";
  rig.world.connectClient(rig.listenerFds[0]);
  rig.advance(999);
  expect(rig.world.servers.length).toBe(1);
  rig.advance(1);
  expect(rig.world.servers.length).toBe(2);
  rig.advance(1000);
  expect(rig.world.servers.length).toBe(3);
  expect(endings).toEqual(["SC"]);
  expect(rig.relays[0].relay.counters[rig.relays[0].relay.ownCounters + CT_SESSIONS]).toBe(0);
});
