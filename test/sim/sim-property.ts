// The property that the tests of this folder share out among themselves by number of threads: whatever happens in whatever
// order, the invariants hold. SIM_RUNS and SIM_SEED (as printed by a failing run) steer it.

import fc from "fast-check";
import { runScript, scripts } from "./script.ts";

/** Runs in all, over the numbers of threads. */
const RUNS = Number(process.env.SIM_RUNS ?? 10_000);
const SEED = process.env.SIM_SEED === undefined ? undefined : Number(process.env.SIM_SEED);

/** @param share of all runs that have this many threads */
export async function checkInterleavings(threads: number, share: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(scripts, (script) => runScript(script, threads)),
    { numRuns: Math.ceil(RUNS * share), seed: SEED, endOnFailure: false, verbose: fc.VerbosityLevel.None },
  );
}
