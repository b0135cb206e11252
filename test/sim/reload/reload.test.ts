// The property of reloads: whatever configurations follow each other, with whatever orders and sessions between them, there is one
// population that the model agrees with. SIM_RUNS and SIM_SEED steer it as the other properties of test/sim.

import fc from "fast-check";
import { describe, it } from "vitest";
import { reloadScripts, runReloadScript } from "./reload-script.ts";

/** Few beside the others: each is a dozen reloads. */
const RUNS = Math.ceil(Number(process.env.SIM_RUNS ?? 10_000) / 100);
const SEED = process.env.SIM_SEED === undefined ? undefined : Number(process.env.SIM_SEED);

describe("reloads, operators' orders and sessions in any order", () => {
  it.each([1, 2])("agree with the model after every step, with %i threads to begin with", async (threads) => {
    await fc.assert(
      fc.asyncProperty(reloadScripts, (script) => runReloadScript(script, threads)),
      { numRuns: Math.ceil(RUNS / 2), seed: SEED, endOnFailure: false, verbose: fc.VerbosityLevel.None },
    );
  });
});
