// A reload brings other words about the sessions of a server that is in maintenance, drains or is down already: they hold at once, whatever
// the server was told before. SIM_RUNS and SIM_SEED steer it as the other properties of test/sim.

import fc from "fast-check";
import { it } from "vitest";
import type { ServerEntry } from "../../../src/control/registry.ts";
import { AdminState, OperState } from "../../../src/memory/server-row.ts";
import { S_SERVER, S_STATE, SESSION_WORDS, SessionState } from "../../../src/memory/session-row.ts";
import { checkTables, must } from "../invariants.ts";
import { FIRST_PORT } from "./reload-config.ts";
import { ReloadRig } from "./reload-rig.ts";

const RUNS = Math.ceil(Number(process.env.SIM_RUNS ?? 10_000) / 150);
const SEED = process.env.SIM_SEED === undefined ? undefined : Number(process.env.SIM_SEED);
const SESSIONS = 6;
const TIME_MS = 60;

/** How the server leaves service, and words about its sessions: whether they end, after how long, at the latest. */
const STATES = {
  maintenance: {
    "": null,
    "on-maint keep": null,
    "on-maint shutdown-sessions": 0,
    [`on-maint drain ${TIME_MS}ms`]: TIME_MS,
  },
  drain: {
    "": null,
    "on-drain keep": null,
    [`on-drain over ${TIME_MS}ms`]: TIME_MS,
    [`on-drain idle ${TIME_MS}ms`]: TIME_MS,
  },
  down: {
    "": null,
    "on-marked-down shutdown-sessions": 0,
    [`on-marked-down shutdown-sessions after ${TIME_MS}ms`]: TIME_MS,
    [`on-marked-down shutdown-sessions over ${TIME_MS}ms`]: TIME_MS,
  },
} as const;

type State = keyof typeof STATES;

const scripts = fc.constantFrom<State[]>("maintenance", "drain", "down").chain((state) => {
  const words = fc.constantFrom(...Object.keys(STATES[state]));
  return fc.record({
    state: fc.constant(state),
    seed: fc.integer(),
    threads: fc.constantFrom(1, 2),
    before: words,
    after: words,
    /** Further words that change. */
    weight: fc.constantFrom(1, 2),
    /** Of the server, or of its section. */
    isOfSection: fc.boolean(),
  });
});

type Script = typeof scripts extends fc.Arbitrary<infer T> ? T : never;

const config = (words: string, weight: number, isOfSection: boolean): string => `
global
  log 127.0.0.1:9 local0
defaults
  timeout client 1h
  timeout server 1h
  timeout connect 1s
listen b0
  bind 127.0.0.1:${FIRST_PORT}
  balance leastconn
  ${isOfSection && !words.startsWith("on-marked-down") ? words : ""}
  server s0 127.0.0.1:7000 check weight ${weight} ${isOfSection && !words.startsWith("on-marked-down") ? "" : words}
  server s1 127.0.0.1:7002 weight ${weight}
`;

async function takeOut(rig: ReloadRig, server: ServerEntry, state: State): Promise<void> {
  if (state === "down") {
    await rig.commit({ kind: "set-health", server, source: "check", oper: OperState.STOPPED });
    return;
  }
  const set = state === "drain" ? AdminState.FORCED_DRAIN : AdminState.FORCED_MAINT;
  await rig.commit({ kind: "set-admin", server, set, clear: 0 });
}

function sessionsOn({ memory }: ReloadRig, { index }: ServerEntry): number {
  const { sessions, threads, rowsPerThread } = memory;
  let count = 0;
  for (let base = 0; base < threads * rowsPerThread * SESSION_WORDS; base += SESSION_WORDS) {
    if (sessions[base + S_STATE] !== SessionState.FREE && sessions[base + S_SERVER] === index) count++;
  }
  return count;
}

async function pass(rig: ReloadRig, ms: number): Promise<void> {
  for (let i = 0; i < ms; i += 5) {
    rig.advance(5);
    await rig.reconcileDue();
  }
  rig.settle();
  checkTables(rig, () => {});
}

async function run({ state, seed, threads, before, after, weight, isOfSection }: Script): Promise<void> {
  const rig = await ReloadRig.start(config(before, 1, isOfSection), { seed, threads });
  for (let i = 0; i < SESSIONS; i++) {
    rig.connect(0);
    rig.settle();
  }
  const [s0, s1] = rig.proxies[0]!.servers as [ServerEntry, ServerEntry];
  const others = sessionsOn(rig, s1);
  await takeOut(rig, s0, state);
  rig.settle();
  const had = sessionsOn(rig, s0);
  const wordsOf: Readonly<Record<string, number | null>> = STATES[state];
  const [endsBefore, ends] = [wordsOf[before]!, wordsOf[after]!];
  const { plan, report } = await rig.reload(config(after, weight, isOfSection));
  const cuts = plan.cuts.map(({ of, sessions }) => `${of} ${sessions}`).join();
  must(JSON.stringify(plan.cuts) === JSON.stringify(report.cuts), `planned is ${cuts}, done is another thing`);
  const isTold = had > 0 && ends !== null && before !== after && (state !== "down" || endsBefore === null);
  must(cuts === (isTold ? `b0/s0 ${had}` : ""), `the plan tells of ${cuts}, and ${had} sessions were there`);
  must(ends !== 0 || sessionsOn(rig, s0) === 0, "sessions are left at the answer");
  rig.settle();
  must(ends !== null || sessionsOn(rig, s0) === had, "sessions ended that were to stay");
  await pass(rig, ends === null ? 4 * TIME_MS : 2 * TIME_MS);
  const left = sessionsOn(rig, s0);
  must(left === (ends === null ? had : 0), `${left} of ${had} sessions are left`);
  must(sessionsOn(rig, s1) === others, "sessions of the other server ended");
}

it("other words about a server that is out of service already hold for the sessions that it has", async () => {
  await fc.assert(fc.asyncProperty(scripts, run), { numRuns: RUNS, seed: SEED, endOnFailure: false });
});
