// From configuration files to the plan of a reload with them: read, checked, compared with what runs; nothing is changed. Control thread.

import { loadConfig } from "../../../config/load.ts";
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
  const { config, diagnostics } = loadConfig(files, process.env);
  if (config === undefined) return { valid: false, diagnostics };
  const plan = await program.settled(() => planReload(program.registry, program.memory, config, program.nowMs()));
  return { valid: true, diagnostics, plan };
}
