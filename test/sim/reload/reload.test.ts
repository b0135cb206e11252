// The property of reloads: whatever configurations follow each other, with whatever orders and sessions between them, there is one
// population that the model agrees with. SIM_RELOAD_RUNS says how many runs; it does not run without. SIM_SEED as elsewhere.

import fc from "fast-check";
import { describe, it } from "vitest";
import { reloadScripts, runReloadScript } from "./reload-script.ts";

const RUNS = Number(process.env.SIM_RELOAD_RUNS ?? 0);
const SEED = process.env.SIM_SEED === undefined ? undefined : Number(process.env.SIM_SEED);

describe.runIf(RUNS > 0)("reloads, operators' orders and sessions in any order", () => {
  it.each([1, 2])("agree with the model after every step, with %i threads", async (threads) => {
    await fc.assert(
      fc.asyncProperty(reloadScripts, (script) => runReloadScript(script, threads)),
      { numRuns: Math.ceil(RUNS / 2), seed: SEED, endOnFailure: false, verbose: fc.VerbosityLevel.None },
    );
  });
});
