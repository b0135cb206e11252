// `rebalance` on simulated sessions and a simulated clock: what becomes of the sessions of a full server when an empty one comes back,
// according to what the clients that were let go do.

import { expect, it } from "vitest";
import { CutReason } from "../../src/memory/cut-reason.ts";
import { AdminState, SERVER_WORDS, V_ATTACHED } from "../../src/memory/server-row.ts";
import { Judge } from "./judge.ts";
import { createRig, type SimRig } from "./sim-rig.ts";

const CLIENTS = 20;
const STEP_MS = 50;

async function scene(rate = 20) {
  const rig = await createRig({
    seed: 3,
    threads: 2,
    maxconn: 100,
    rowsPerThread: 100,
    servers: [{}, { disabled: true }],
    proxy: { balance: { algorithm: "leastconn", draws: 2, explicit: true }, rebalancePerSecond: rate },
  });
  const judge = new Judge(rig);
  for (let i = 0; i < CLIENTS; i++) rig.world.connectClient(rig.listenerFds[i % 2]!);
  rig.settle();
  return { rig, judge };
}

const sessions = (rig: SimRig): number[] =>
  rig.backend.servers.map(({ index }) => rig.memory.serversI32[index * SERVER_WORDS + V_ATTACHED]!);

const setMaintenance = async (rig: SimRig, on: boolean): Promise<void> => {
  const [, server] = rig.backend.servers;
  const [set, clear] = on ? [AdminState.FORCED_MAINT, 0] : [0, AdminState.FORCED_MAINT];
  await rig.commit({ kind: "set-admin", server: server!, set, clear });
};

async function pass(rig: SimRig, ms: number, each: () => void = () => {}): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    rig.advance(STEP_MS);
    await rig.reconcileDue();
    each();
    rig.settle();
  }
}

const letGo = (judge: Judge): number =>
  [...judge.reasons.values()].filter((reason) => reason === CutReason.REBALANCE).length;

it("clients that come back at once find the empty server: no more are let go than it takes", async () => {
  const { rig, judge } = await scene();
  await setMaintenance(rig, false);
  let back = 0;
  const paces: number[] = [];
  await pass(rig, 2000, () => {
    paces.push(letGo(judge));
    for (; back < letGo(judge); back++) rig.world.connectClient(rig.listenerFds[back % 2]!);
  });
  expect(sessions(rig)).toEqual([11, 9]);
  expect(letGo(judge)).toBe(9);
  // 20 a second is one at each of these steps.
  expect(paces.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
  expect(rig.backend.policies.rebalancing).toBeUndefined();
  await judge.end();
});

it("clients that never come back: the others stay, and after a while it ends", async () => {
  const { rig, judge } = await scene();
  await setMaintenance(rig, false);
  await pass(rig, 5000);
  expect(sessions(rig)).toEqual([11, 0]);
  expect(rig.backend.policies.rebalancing).toBeDefined();
  await pass(rig, 6000);
  expect(sessions(rig)).toEqual([11, 0]);
  expect(rig.backend.policies.rebalancing).toBeUndefined();
  await judge.end();
});

it("sessions that end by themselves make it needless", async () => {
  const { rig, judge } = await scene(1);
  await setMaintenance(rig, false);
  for (const client of rig.world.clients.slice(1)) client.resetByPeer(rig.world.random);
  await pass(rig, 3000);
  expect([letGo(judge), sessions(rig)]).toEqual([0, [1, 0]]);
  expect(rig.backend.policies.rebalancing).toBeUndefined();
  await judge.end();
});

it("a server that leaves again makes it needless", async () => {
  const { rig, judge } = await scene(1);
  await setMaintenance(rig, false);
  await pass(rig, 1000);
  expect(letGo(judge)).toBe(1);
  await setMaintenance(rig, true);
  await pass(rig, 3000);
  expect(letGo(judge)).toBe(1);
  expect(rig.backend.policies.rebalancing).toBeUndefined();
  await judge.end();
});
