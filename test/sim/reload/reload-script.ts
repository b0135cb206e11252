// A run as data: configurations, and steps of clients, operators and reloads between them; small numbers all of them, so that a failing
// run can be shrunk and replayed.

import fc from "fast-check";
import { EVICT_NOW } from "../../../src/control/reconcile/eviction.ts";
import type { ServerEntry } from "../../../src/control/registry.ts";
import { AdminState } from "../../../src/memory/server-row.ts";
import type { Connection } from "../connection.ts";
import { must } from "../invariants.ts";
import { serverConfig } from "../registry.ts";
import { type ConfigPlan, configPlans, configText, PORTS } from "./reload-config.ts";
import { keyOfEntry, ReloadJudge } from "./reload-judge.ts";
import { ReloadRig } from "./reload-rig.ts";

const { FORCED_DRAIN, FORCED_MAINT } = AdminState;

export interface ReloadScript {
  readonly seed: number;
  readonly configs: readonly ConfigPlan[];
  readonly steps: readonly (readonly [kind: StepKind, which: number, amount: number])[];
}

type StepKind = keyof typeof STEPS;

interface Scene {
  readonly rig: ReloadRig;
  readonly judge: ReloadJudge;
  readonly configs: readonly ConfigPlan[];
  added: number;
  which: number;
  amount: number;
}

const pick = <T>(items: readonly T[], which: number): T | undefined => items[which % Math.max(1, items.length)];

/** Any server, those that leave among them. */
const anyServer = ({ rig, which }: Scene): ServerEntry | undefined =>
  pick(
    rig.proxies.flatMap(({ servers }) => servers),
    which,
  );

const presentServer = ({ rig, which }: Scene): ServerEntry | undefined =>
  pick(
    rig.proxies.flatMap(({ servers }) => servers).filter(({ leaving }) => leaving === undefined),
    which,
  );

const open = (connections: readonly Connection[], which: number): Connection | undefined =>
  pick(
    connections.filter(({ closed, established, dead }) => closed === "no" && established && !dead),
    which,
  );

async function setAdmin(scene: Scene, set: number, clear: number): Promise<void> {
  const server = presentServer(scene);
  if (server === undefined) return;
  const { values } = scene.judge.model.servers.get(keyOfEntry(server))!;
  values.admin = (values.admin & ~clear) | set;
  scene.judge.model.noteMaintenance(scene.rig.world.now);
  await scene.rig.commit({ kind: "set-admin", server, set, clear });
}

const STEPS = {
  connect: ({ rig, which }: Scene) => rig.connect(which % PORTS),
  chatter: ({ rig, amount }: Scene) => {
    for (const peer of [...rig.world.clients, ...rig.world.servers]) {
      if (peer.closed === "no" && rig.world.random.chance(50)) peer.peerSend(rig.world.pieceBytes(amount));
    }
  },
  "client closes": ({ rig, which }: Scene) => open(rig.world.clients, which)?.peerClose(rig.world.random),
  "server closes": ({ rig, which }: Scene) => open(rig.world.servers, which)?.peerClose(rig.world.random),
  "client resets": ({ rig, which }: Scene) => open(rig.world.clients, which)?.resetByPeer(rig.world.random),
  "upstream answers": ({ rig, which, amount }: Scene) => {
    const upstream = pick([...rig.world.upstreams.values()], which * 7);
    if (upstream !== undefined) upstream.answer = pick(["accept", "accept", "refuse", "silent"] as const, amount)!;
  },
  network: ({ rig }: Scene) => void rig.world.network(false),
  time: ({ rig, amount }: Scene) => rig.advance(amount * 2),
  settle: async ({ rig, judge }: Scene) => {
    rig.settle();
    await rig.reconcileDue();
    rig.settle();
    judge.checkIdle();
  },
  reload: async ({ judge, configs, which }: Scene) => judge.reload(pick(configs, which)!),
  maintenance: (scene: Scene) => setAdmin(scene, FORCED_MAINT, 0),
  drain: (scene: Scene) => setAdmin(scene, FORCED_DRAIN, 0),
  ready: (scene: Scene) => setAdmin(scene, 0, FORCED_MAINT | FORCED_DRAIN),
  weight: async (scene: Scene) => {
    const server = presentServer(scene);
    if (server === undefined) return;
    const weight = scene.amount % 5;
    const receipt = await scene.rig.commit({ kind: "set-weight", server, weight });
    if (receipt.done) scene.judge.model.servers.get(keyOfEntry(server))!.values.weight = weight;
  },
  maxconn: async (scene: Scene) => {
    const server = presentServer(scene);
    if (server === undefined) return;
    scene.judge.model.servers.get(keyOfEntry(server))!.values.maxconn = scene.amount % 3;
    await scene.rig.commit({ kind: "set-maxconn", server, maxconn: scene.amount % 3 });
  },
  cut: async (scene: Scene) => {
    const server = anyServer(scene);
    if (server === undefined) return;
    scene.judge.excuse(server);
    const receipt = await scene.rig.commit({ kind: "cut-server", server });
    must(receipt.done && receipt.survivors === 0, `a cut of ${server.name}: ${JSON.stringify(receipt)}`);
  },
  evict: async (scene: Scene) => {
    const server = anyServer(scene);
    if (server === undefined) return;
    const key = keyOfEntry(server);
    scene.judge.evicted.add(key);
    const known = scene.judge.model.servers.get(key) ?? scene.judge.model.leavingServers.get(key);
    if (known !== undefined) known.values.admin = FORCED_MAINT;
    const overMs = (scene.amount & 1) === 0 ? 0 : 40;
    await scene.rig.commit({ kind: "evict-server", server, request: { ...EVICT_NOW, overMs } });
  },
  "add server": async (scene: Scene) => {
    const backend = pick(
      scene.rig.proxies.filter(({ isBackend, leaving }) => isBackend && leaving === undefined),
      scene.which,
    );
    if (backend === undefined) return;
    const id = 900 + ++scene.added;
    const config = { ...serverConfig(id, {}), name: `d${scene.added}` };
    const receipt = await scene.rig.commit({ kind: "add-server", backend, server: config, words: [] });
    if (!receipt.done || receipt.server === undefined) return;
    scene.rig.world.addUpstream(7000 + id, false);
    const key = keyOfEntry(receipt.server);
    const [section = ""] = key.split("/");
    scene.judge.model.servers.set(key, {
      section,
      name: config.name,
      port: 7000 + id,
      file: undefined,
      staysMs: Number.POSITIVE_INFINITY,
      values: { weight: 1, maxconn: 0, admin: FORCED_MAINT },
    });
  },
  "delete server": async (scene: Scene) => {
    const server = presentServer(scene);
    if (server === undefined) return;
    const key = keyOfEntry(server);
    const receipt = await scene.rig.commit({ kind: "delete-server", server });
    if (receipt.done) scene.judge.model.delete(key);
  },
};

const kinds = Object.keys(STEPS) as StepKind[];
/** What happens most. */
const FREQUENT: readonly StepKind[] = ["connect", "connect", "chatter", "network", "settle", "time", "reload"];

export const reloadScripts: fc.Arbitrary<ReloadScript> = fc.record({
  seed: fc.integer(),
  configs: fc.array(configPlans, { minLength: 2, maxLength: 4 }),
  steps: fc.array(fc.tuple(fc.constantFrom(...FREQUENT, ...FREQUENT, ...FREQUENT, ...kinds), fc.nat(15), fc.nat(31)), {
    minLength: 8,
    maxLength: 40,
    size: "max",
  }),
});

/** Runs a script and holds the program to the model after every step; throws at the first thing that does not hold. */
export async function runReloadScript(script: ReloadScript, threads: number): Promise<void> {
  const { seed, steps } = script;
  const [start, ...others] = script.configs;
  if (start === undefined) return;
  const first = { ...start, threads };
  const configs = [first, ...others];
  const rig = await ReloadRig.start(configText(first), { seed, threads });
  rig.clientsComeAmid = process.env.HEADGATE_NIGHTLY === "1";
  const judge = new ReloadJudge(rig, first);
  judge.check();
  const scene: Scene = { rig, judge, configs, added: 0, which: 0, amount: 0 };
  for (const [kind, which, amount] of steps) {
    scene.which = which;
    scene.amount = amount;
    await STEPS[kind](scene);
    judge.check();
    await rig.reconcileDue();
    judge.check();
    judge.checkOverdue();
    for (let turns = rig.world.random.below(4); turns > 0 && rig.turnAny(); turns--) judge.check();
  }
  await judge.end();
}
