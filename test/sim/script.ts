// A run as data: a setup and a list of steps, small numbers all of them, so that a failing run can be shrunk and replayed.

import fc from "fast-check";
import type { HealthPolicy, SessionPolicy } from "../../src/config/health-model.ts";
import type { BalanceAlgorithm } from "../../src/config/model.ts";
import type { Oper } from "../../src/control/health/state-machine.ts";
import type { Eviction } from "../../src/control/reconcile/eviction.ts";
import type { ServerEntry } from "../../src/control/registry.ts";
import { AdminState, OperState } from "../../src/memory/server-row.ts";
import * as S from "../../src/memory/session-row.ts";
import type { Connection } from "./connection.ts";
import { cancelEviction, checkEvictions, cutSelected, evict, evictSessions } from "./eviction-steps.ts";
import { isLive, must } from "./invariants.ts";
import { Judge, portOf } from "./judge.ts";
import { checkOutOfService } from "./policy-invariants.ts";
import { serverConfig } from "./registry.ts";
import { createRig, type SimRig } from "./sim-rig.ts";
import type { UpstreamAnswer } from "./sim-world.ts";

export interface Script {
  readonly seed: number;
  readonly isSplit: boolean;
  readonly sharesListener: boolean;
  readonly balance: BalanceAlgorithm;
  readonly maxconn: number;
  readonly frontMaxconn: number;
  readonly retries: number;
  readonly redispatch: number;
  readonly isSpliced: boolean;
  readonly buffersMax: number;
  /** ms; 0: none. */
  readonly timeouts: { client: number; server: number; connect: number; queue: number; fin: number };
  readonly fence: boolean;
  readonly allBackups: boolean;
  readonly rebalance: number;
  readonly servers: readonly { maxconn: number; isBackup: boolean; isUnix: boolean; policy: HealthPolicy }[];
  readonly steps: readonly Step[];
  /** What is ordered of all servers at the end, to be done by its deadline. */
  readonly last: StepKind;
}

export type Step = readonly [kind: StepKind, which: number, amount: number];

type StepKind = keyof typeof STEPS;

interface Scene {
  readonly rig: SimRig;
  readonly judge: Judge;
  which: number;
  amount: number;
}

/** There for the last order. */
const LATE_CLIENTS = 4;
/** Longer than any deadline of a script. */
const DEADLINE_ROUNDS = 8;
const DEADLINE_STEP_MS = 45;

const ANSWERS: readonly UpstreamAnswer[] = ["accept", "accept", "refuse", "silent", "unreachable"];

/** The client, or the connection to a server, that a step means; undefined if there is none. */
function choose(connections: readonly Connection[], which: number): Connection | undefined {
  const open = connections.filter(
    (connection) => connection.closed === "no" && connection.established && !connection.dead,
  );
  return open.length === 0 ? undefined : open[which % open.length];
}

const client = ({ rig, which }: Scene): Connection | undefined => choose(rig.world.clients, which);
const upstreamSide = ({ rig, which }: Scene): Connection | undefined => choose(rig.world.servers, which);
const server = ({ rig, which }: Scene): ServerEntry | undefined =>
  rig.backend.servers[which % rig.backend.servers.length];

const setAdmin = async (scene: Scene, set: number, clear: number): Promise<void> => {
  const entry = server(scene);
  if (entry !== undefined) await scene.rig.commit({ kind: "set-admin", server: entry, set, clear });
};

const setHealth = async (scene: Scene, oper: Oper): Promise<void> => {
  const entry = server(scene);
  if (entry !== undefined) await scene.rig.commit({ kind: "set-health", server: entry, source: "check", oper });
};

const STEPS = {
  connect: ({ rig, which }: Scene) => void rig.world.connectClient(rig.listenerFds[which % rig.listenerFds.length]),
  "client sends": (scene: Scene) => client(scene)?.peerSend(scene.rig.world.pieceBytes(scene.amount)),
  "server sends": (scene: Scene) => upstreamSide(scene)?.peerSend(scene.rig.world.pieceBytes(scene.amount)),
  chatter: ({ rig }: Scene) => {
    for (const peer of [...rig.world.clients, ...rig.world.servers]) {
      if (peer.closed === "no" && rig.world.random.chance(50))
        peer.peerSend(rig.world.pieceBytes(rig.world.random.below(20)));
    }
  },
  "client shuts": (scene: Scene) => client(scene)?.peerShutdown(),
  "server shuts": (scene: Scene) => upstreamSide(scene)?.peerShutdown(),
  "client closes": (scene: Scene) => client(scene)?.peerClose(scene.rig.world.random),
  "server closes": (scene: Scene) => upstreamSide(scene)?.peerClose(scene.rig.world.random),
  "client resets": (scene: Scene) => client(scene)?.resetByPeer(scene.rig.world.random),
  "server resets": (scene: Scene) => upstreamSide(scene)?.resetByPeer(scene.rig.world.random),
  "client reads or not": (scene: Scene) => toggleReading(client(scene)),
  "server reads or not": (scene: Scene) => toggleReading(upstreamSide(scene)),
  network: ({ rig }: Scene) => void rig.world.network(false),
  time: ({ rig, amount }: Scene) => rig.advance(amount * 10),
  idle: ({ rig, judge }: Scene) => {
    rig.runUntilIdle();
    judge.checkIdle();
  },
  settle: ({ rig, judge }: Scene) => {
    rig.settle();
    judge.checkIdle();
  },
  disable: (scene: Scene) => setAdmin(scene, AdminState.FORCED_MAINT, 0),
  enable: (scene: Scene) => setAdmin(scene, 0, AdminState.FORCED_MAINT | AdminState.FORCED_DRAIN),
  drain: (scene: Scene) => setAdmin(scene, AdminState.FORCED_DRAIN, 0),
  "health down": (scene: Scene) => setHealth(scene, OperState.STOPPED),
  "health up": (scene: Scene) => setHealth(scene, OperState.RUNNING),
  "health stopping": (scene: Scene) => setHealth(scene, OperState.STOPPING),
  "health down and up": async (scene: Scene) => {
    await setHealth(scene, OperState.STOPPED);
    scene.rig.advance(scene.amount);
    await setHealth(scene, OperState.RUNNING);
  },
  "fail over": async (scene: Scene) => {
    await setHealth(scene, OperState.STOPPED);
    await setHealth({ ...scene, which: scene.which + 1 }, OperState.RUNNING);
  },
  cut: async (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) await scene.judge.cut(entry, false);
  },
  "cut amid a turn": (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) scene.judge.cutAmidTurn(entry);
  },
  "disable and cut": async (scene: Scene) => {
    const entry = server(scene);
    if (entry === undefined) return;
    await setAdmin(scene, AdminState.FORCED_MAINT, 0);
    await scene.judge.cut(entry, true);
  },
  "cut session": cutSession,
  evict: async (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) await evict(scene.rig, entry, scene.amount);
  },
  "evict sessions": async (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) await evictSessions(scene.rig, entry, scene.amount);
  },
  "cancel eviction": ({ rig }: Scene) => cancelEviction(rig),
  "cut selected": async (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) await cutSelected(scene.rig, entry, scene.amount);
  },
  add: addServer,
  delete: async (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) await scene.rig.commit({ kind: "delete-server", server: entry });
  },
  weight: async (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) await scene.rig.commit({ kind: "set-weight", server: entry, weight: scene.amount % 4 });
  },
  maxconn: async (scene: Scene) => {
    const entry = server(scene);
    if (entry !== undefined) await scene.rig.commit({ kind: "set-maxconn", server: entry, maxconn: scene.amount % 4 });
  },
  "upstream answers": (scene: Scene) => {
    const entry = server(scene);
    const upstream = entry && scene.rig.world.upstreams.get(portOf(entry));
    if (upstream === undefined) return;
    upstream.answer = ANSWERS[scene.amount % ANSWERS.length];
    upstream.delayMs = scene.amount % 3 === 0 ? 0 : scene.amount * 5;
  },
  faults: ({ rig, amount }: Scene) => {
    rig.world.faultPercent = amount % 2 === 0 ? 0 : 10;
    rig.world.splices = amount % 5 !== 0;
    rig.world.fdLimit = amount % 3 === 0 ? rig.world.descriptors.size + (amount % 7) : 1000;
  },
} as const satisfies Record<string, (scene: Scene) => unknown>;

function toggleReading(connection: Connection | undefined): void {
  if (connection !== undefined) connection.peerReads = !connection.peerReads;
}

async function cutSession({ rig, which }: Scene): Promise<void> {
  const { sessions, threads, rowsPerThread } = rig.memory;
  const live: number[] = [];
  for (let row = 0; row < threads * rowsPerThread; row++) {
    if (isLive(sessions[row * S.SESSION_WORDS + S.S_STATE])) live.push(row);
  }
  if (live.length === 0) return;
  const row = live[which % live.length];
  const id = S.sessionIdOf(row, sessions[row * S.SESSION_WORDS + S.S_GENERATION]);
  await rig.commit({ kind: "cut-session", id });
}

async function addServer({ rig, amount }: Scene): Promise<void> {
  const id = Math.max(0, ...rig.backend.servers.map((entry) => entry.id)) + 1;
  const config = serverConfig(id, { maxconn: amount % 3 });
  const receipt = await rig.commit({ kind: "add-server", backend: rig.backend, server: config, words: [] });
  if (!receipt.done || receipt.server === undefined) return;
  if (!rig.world.upstreams.has(portOf(receipt.server))) rig.world.addUpstream(portOf(receipt.server), false);
  if (amount % 2 === 0)
    await rig.commit({ kind: "set-admin", server: receipt.server, set: 0, clear: AdminState.FORCED_MAINT });
}

const kinds = Object.keys(STEPS) as StepKind[];
/** What happens most: connections and bytes. */
const FREQUENT: readonly StepKind[] = [
  "connect",
  "connect",
  "client sends",
  "server sends",
  "network",
  "settle",
  "time",
];

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(fc.constantFrom(...FREQUENT, ...FREQUENT, ...FREQUENT, ...kinds), fc.nat(7), fc.nat(63)),
  { minLength: 10, maxLength: 60, size: "max" },
);

const short = fc.constantFrom(0, 0, 30, 200);

const sessionPolicies: fc.Arbitrary<SessionPolicy> = fc.record(
  {
    maxAge: fc.record({ ms: fc.constantFrom(0, 40, 300), jitterPercent: fc.constantFrom(0, 0, 20, 100) }),
    maxIdleMs: fc.constantFrom(0, 25, 200),
    onMaint: fc.oneof(fc.constant("keep" as const), fc.record({ afterMs: short })),
    onDrain: fc.oneof(
      fc.constant("keep" as const),
      fc.record({ idleMs: fc.constantFrom(20, 100) }),
      fc.record({ overMs: fc.constantFrom(30, 200) }),
    ),
  },
  { requiredKeys: [] },
);

const policies: fc.Arbitrary<HealthPolicy> = fc.record(
  {
    sessions: sessionPolicies,
    onMarkedDown: fc.record({ afterMs: short, overMs: short }),
    onMarkedUpShutdownBackupSessions: fc.boolean(),
    cutGuardPercent: fc.constantFrom(0, 0, 0, 50, 100),
    slowStartMs: fc.constantFrom(0, 0, 100, 2000),
  },
  { requiredKeys: ["onMarkedUpShutdownBackupSessions", "cutGuardPercent", "slowStartMs"] },
);

const timeout = fc.constantFrom(0, 0, 0, 20, 150, 1500, 1500);

export const scripts: fc.Arbitrary<Script> = fc.record({
  seed: fc.integer(),
  isSplit: fc.boolean(),
  sharesListener: fc.boolean(),
  balance: fc.constantFrom<BalanceAlgorithm[]>("roundrobin", "leastconn", "source", "first", "random"),
  maxconn: fc.integer({ min: 2, max: 9 }),
  frontMaxconn: fc.integer({ min: 1, max: 9 }),
  retries: fc.nat(3),
  redispatch: fc.constantFrom(0, -1, 1),
  isSpliced: fc.boolean(),
  buffersMax: fc.integer({ min: 1, max: 5 }),
  timeouts: fc.record({ client: timeout, server: timeout, connect: timeout, queue: timeout, fin: timeout }),
  fence: fc.nat(2).map((n) => n === 0),
  allBackups: fc.boolean(),
  rebalance: fc.constantFrom(0, 0, 20, 500),
  servers: fc.array(
    fc.record({
      maxconn: fc.nat(3),
      isBackup: fc.nat(3).map((n) => n === 0),
      isUnix: fc.nat(4).map((n) => n === 0),
      policy: policies,
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  steps,
  last: fc.constantFrom<StepKind[]>("network", "drain", "disable", "evict", "evict sessions", "health down"),
});

/** Runs a script and holds every invariant after every step; throws at the first that does not hold. */
export async function runScript(script: Script, threads: number): Promise<void> {
  const { timeouts } = script;
  const rig = await createRig({
    seed: script.seed,
    threads,
    maxconn: script.maxconn,
    rowsPerThread: script.maxconn,
    buffersMax: script.buffersMax,
    isSplit: script.isSplit,
    sharesListener: script.sharesListener,
    proxy: {
      maxconn: script.frontMaxconn,
      balance: { algorithm: script.balance, draws: 2, explicit: true },
      retries: script.retries,
      redispatchInterval: script.redispatch,
      splice: script.isSpliced,
      fence: script.fence,
      allBackups: script.allBackups,
      rebalancePerSecond: script.rebalance,
      timeouts: {
        clientMs: timeouts.client,
        serverMs: timeouts.server,
        connectMs: timeouts.connect,
        queueMs: timeouts.queue,
        clientFinMs: timeouts.fin,
        serverFinMs: timeouts.fin,
      },
    },
    servers: script.servers.map(({ maxconn, isBackup, isUnix, policy }, i) => ({
      policy,
      maxconn,
      backup: isBackup,
      ...(isUnix ? { endpoint: { kind: "unix" as const, path: String(9001 + i) } } : {}),
    })),
  });
  const judge = new Judge(rig);
  const seenEvictions = new Set<Eviction>();
  const scene: Scene = { rig, judge, which: 0, amount: 0 };
  for (const [kind, which, amount] of script.steps) {
    scene.which = which;
    scene.amount = amount;
    await STEPS[kind](scene);
    judge.check();
    await rig.reconcileDue();
    checkEvictions(rig, seenEvictions);
    checkOutOfService(rig);
    judge.check();
    for (let turns = rig.world.random.below(4); turns > 0 && rig.turnAny(); turns--) judge.check();
  }
  for (let n = 0; n < LATE_CLIENTS; n++) rig.world.connectClient(rig.listenerFds[n % rig.listenerFds.length]);
  rig.settle();
  for (scene.which = 0; scene.which < rig.backend.servers.length; scene.which++) await STEPS[script.last](scene);
  await letTimePass(rig, judge, seenEvictions);
  await judge.end();
  // Clients that rebalancing let go have had their time to come back.
  for (let round = 0; round < 3; round++) {
    rig.advance(6000);
    await rig.reconcileDue();
  }
  must(rig.backend.policies.rebalancing === undefined, "there is no end to rebalancing");
}

/** With nobody doing anything any more, every deadline passes, and what it promises holds by then. */
async function letTimePass(rig: SimRig, judge: Judge, seen: Set<Eviction>): Promise<void> {
  for (let round = 0; round < DEADLINE_ROUNDS; round++) {
    rig.advance(DEADLINE_STEP_MS);
    await rig.reconcileDue();
    checkEvictions(rig, seen);
    checkOutOfService(rig);
    judge.check();
  }
  for (const { id, request, outcome } of rig.evictions.all) {
    must(request.deadlineMs === undefined || outcome !== "running", `eviction ${id} outlives its deadline`);
  }
}
