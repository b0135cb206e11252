// From configuration files to the plan of a reload with them: read, checked, compared with what runs; nothing is changed. Control thread.

import { Turns } from "../../../base/turns.ts";
import { diffSteps } from "../../../config/diff/diff.ts";
import { loadConfigSteps } from "../../../config/load.ts";
import type { Diagnostic } from "../../../config/model.ts";
import type { Program } from "../../program.ts";
import type { ReloadPlan } from "./model.ts";
import { planReload } from "./plan.ts";

/** What was found: of valid files the plan, with warnings and notices; of others what is wrong. */
export type PlanResult =
  | { readonly valid: true; readonly diagnostics: readonly Diagnostic[]; readonly plan: ReloadPlan }
  | { readonly valid: false; readonly diagnostics: readonly Diagnostic[] };

/** Plans a reload with these files. Between two changes, so that none is half carried out. */
export async function planFiles(
  program: Pick<Program, "registry" | "memory" | "nowMs" | "settled">,
  files: readonly string[],
): Promise<PlanResult> {
  const turns = new Turns();
  const { config, diagnostics } = await turns.run(loadConfigSteps(files, process.env));
  if (config === undefined) return { valid: false, diagnostics };
  const { registry, memory } = program;
  const old = registry.config;
  const diff = await turns.run(diffSteps(old, config));
  // A reload may have come in between.
  const plan = await program.settled(() =>
    planReload(registry, memory, config, program.nowMs(), registry.config === old ? diff : undefined),
  );
  return { valid: true, diagnostics, plan };
}
