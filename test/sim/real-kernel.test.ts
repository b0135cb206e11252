// The same property on the real kernel: some hundreds of runs of random steps with real sockets. SIM_REAL_RUNS and SIM_SEED
// steer it.

import { readdirSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { BalanceAlgorithm } from "../../src/config/model.ts";
import type { ServerEntry } from "../../src/control/registry.ts";
import { AdminState, SERVER_WORDS, V_ATTACHED, V_SERVED } from "../../src/memory/server-row.ts";
import { checkIdle, checkTables, must } from "./invariants.ts";
import type { RealPeer } from "./real-peers.ts";
import { RealRig } from "./real-rig.ts";

const RUNS = Number(process.env.SIM_REAL_RUNS ?? 300);
const SEED = process.env.SIM_SEED === undefined ? undefined : Number(process.env.SIM_SEED);
const PIECES = [1, 100, 5000, 65_536, 300_000, 1_000_000] as const;

type Steps = Record<string, (rig: RealRig, which: number, amount: number) => unknown>;

const open = (peers: readonly RealPeer[], which: number): RealPeer | undefined => {
  const left = peers.filter((peer) => !peer.isClosed);
  return left[which % Math.max(1, left.length)];
};
const client = (rig: RealRig, which: number): RealPeer | undefined => open(rig.clients, which);
const upstream = (rig: RealRig, which: number): RealPeer | undefined => open(rig.serverSide(), which);
const server = (rig: RealRig, which: number): ServerEntry => rig.backend.servers[which % rig.backend.servers.length];
const toggle = (peer: RealPeer | undefined): void => {
  if (peer !== undefined) peer.reads = !peer.reads;
};

/** One that saw its client's end in good order before the cut does not notice the reset: it has lost bytes all the same. */
function noteCut(rig: RealRig, entry: ServerEntry): void {
  for (const peer of rig.upstreams.find(({ port }) => port === entry.port)?.peers ?? []) rig.wasCut.add(peer);
}

const STEPS = {
  connect: (rig) => rig.connect(),
  "client sends": (rig, which, amount) => client(rig, which)?.send(PIECES[amount % PIECES.length]),
  "server sends": (rig, which, amount) => upstream(rig, which)?.send(PIECES[amount % PIECES.length]),
  "client shuts": (rig, which) => client(rig, which)?.shutdown(),
  "server shuts": (rig, which) => upstream(rig, which)?.shutdown(),
  "client closes": (rig, which, amount) => client(rig, which)?.close(amount % 3 === 0),
  "server closes": (rig, which, amount) => upstream(rig, which)?.close(amount % 3 === 0),
  "client reads or not": (rig, which) => toggle(client(rig, which)),
  "server reads or not": (rig, which) => toggle(upstream(rig, which)),
  turns: (rig, which) => {
    for (let i = 0; i <= which; i++) rig.turn(0);
  },
  disable: (rig, which) =>
    rig.commit({ kind: "set-admin", server: server(rig, which), set: AdminState.FORCED_MAINT, clear: 0 }),
  drain: (rig, which) =>
    rig.commit({ kind: "set-admin", server: server(rig, which), set: AdminState.FORCED_DRAIN, clear: 0 }),
  enable: (rig, which) => rig.commit({ kind: "set-admin", server: server(rig, which), set: 0, clear: 0xff }),
  cut: async (rig, which) => {
    noteCut(rig, server(rig, which));
    const receipt = await rig.commit({ kind: "cut-server", server: server(rig, which) });
    must(receipt.done && receipt.survivors === 0, "the cut left survivors");
  },
  "disable and cut": disableAndCut,
  weight: (rig, which, amount) => rig.commit({ kind: "set-weight", server: server(rig, which), weight: amount % 4 }),
  maxconn: (rig, which, amount) => rig.commit({ kind: "set-maxconn", server: server(rig, which), maxconn: amount % 4 }),
} as const satisfies Steps;

/** Afterwards nothing of the server is left: in the tables, nor at the server, whose sockets have all been reset. */
async function disableAndCut(rig: RealRig, which: number): Promise<void> {
  const entry = server(rig, which);
  await rig.commit({ kind: "set-admin", server: entry, set: AdminState.FORCED_MAINT, clear: 0 });
  const alive = rig.serverSide().filter((peer) => {
    peer.read();
    return !peer.isClosed && !peer.hasShut && peer.ended === 0;
  });
  noteCut(rig, entry);
  await rig.commit({ kind: "cut-server", server: entry });
  const row = entry.index * SERVER_WORDS;
  must(rig.memory.serversI32[row + V_SERVED] === 0, "a server that is disabled and cut serves sessions");
  must(rig.memory.serversI32[row + V_ATTACHED] === 0, "a server that is disabled and cut has sessions");
  const side = rig.upstreams.find(({ port }) => port === entry.port);
  if (side === undefined) return;
  rig.accept(side);
  for (const peer of side.peers) {
    if (!peer.isClosed) peer.read();
    must(peer.isClosed || peer.ended !== 0, `a connection to ${entry.name} is open after the answer to the cut`);
    must(!alive.includes(peer) || peer.ended < 0, `a connection to ${entry.name} was not cut by a reset`);
  }
}

const kinds = Object.keys(STEPS) as (keyof typeof STEPS)[];
const FREQUENT = ["connect", "connect", "client sends", "client sends", "server sends", "turns", "turns"] as const;

const scripts = fc.record({
  threads: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer(),
  balance: fc.constantFrom<BalanceAlgorithm[]>("roundrobin", "leastconn", "source", "first", "random"),
  retries: fc.nat(1),
  isSpliced: fc.boolean(),
  buffersMax: fc.constantFrom(64, 64, 1, 2),
  servers: fc.array(fc.record({ maxconn: fc.nat(3), isThere: fc.nat(4).map((n) => n > 0) }), {
    minLength: 1,
    maxLength: 3,
  }),
  steps: fc.array(fc.tuple(fc.constantFrom(...FREQUENT, ...FREQUENT, ...kinds), fc.nat(5), fc.nat(20)), {
    minLength: 5,
    maxLength: 40,
    size: "max",
  }),
});

/** Where both ends of a session saw the other's end in good order, each got all that the other sent. */
function checkComplete(rig: RealRig): void {
  for (const client of rig.clients) {
    const side = rig.serverSide().find((peer) => (peer.id & 255) === client.source);
    if (
      side === undefined ||
      rig.wasCut.has(side) ||
      client.isClosed ||
      side.isClosed ||
      client.ended !== 1 ||
      side.ended !== 1
    )
      continue;
    must(client.received === side.sent && side.received === client.sent, `client ${client.id}: bytes are missing`);
  }
}

type Script = typeof scripts extends fc.Arbitrary<infer T> ? T : never;

async function run(script: Script): Promise<void> {
  const proxy = {
    balance: { algorithm: script.balance, draws: 2, explicit: true },
    retries: script.retries,
    redispatchInterval: -1,
    splice: script.isSpliced,
    timeouts: { connectMs: 20 },
  };
  const rig = new RealRig(script.threads, script.seed, proxy, script.buffersMax);
  try {
    for (const { maxconn, isThere } of script.servers) await rig.addServer(maxconn, isThere);
    for (const [kind, which, amount] of script.steps) {
      await STEPS[kind](rig, which, amount);
      checkTables(rig, () => {});
      rig.turn(0);
      checkTables(rig, () => {});
    }
    for (const peer of rig.peers()) {
      peer.reads = true;
      peer.shutdown();
    }
    // A server that came late has to be told as well.
    rig.runUntil(() => {
      for (const peer of rig.serverSide()) peer.shutdown();
      return rig.isEmpty();
    }, "all sessions to end after all peers did");
    checkTables(rig, () => {});
    checkIdle(rig);
    checkComplete(rig);
    must(
      rig.records === rig.clients.length,
      `${rig.clients.length} clients came, ${rig.records} sessions left a record`,
    );
  } finally {
    rig.close();
  }
}

it("holds the invariants after every step on the real kernel, and leaks no descriptor", async () => {
  await run(fc.sample(scripts, { numRuns: 1, seed: 1 })[0]);
  const before = readdirSync("/proc/self/fd").length;
  await fc.assert(fc.asyncProperty(scripts, run), { numRuns: RUNS, seed: SEED });
  expect(readdirSync("/proc/self/fd").length).toBe(before);
}, 300_000);
