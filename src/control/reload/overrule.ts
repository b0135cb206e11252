// Whose word counts: an operator's, until the file says something else than it said before. Control thread, only within `commit`.

import type { ReloadRun } from "./run.ts";

/** True if the file's value is to be written; notes it where an operator's is lost by that. `what`: of which setting. */
export function overrulesValue(
  run: ReloadRun,
  what: () => string,
  before: number,
  now: number,
  current: number,
): boolean {
  if (before === now) return false;
  if (current !== before && current !== now) run.overrule({ what: what(), operator: `${current}`, file: `${now}` });
  return true;
}
