// The limit on file descriptors, read and raised. Control thread, at start.

import { RLIMIT_NOFILE } from "./constants.ts";
import { c } from "./libc.ts";

/** Raises the soft limit to `wanted` descriptors (the hard one too where that is allowed); answers what is in force. */
export function raiseFileLimit(wanted: number): number {
  const limits = new BigUint64Array(2);
  if (c.getrlimit(RLIMIT_NOFILE, limits) < 0) return 1024;
  const hard = limits[1];
  const target = BigInt(wanted);
  if (limits[0] >= target) return Number(limits[0]);
  if (hard < target) {
    const raised = new BigUint64Array([target, target]);
    if (c.setrlimit(RLIMIT_NOFILE, raised) === 0) return wanted;
  }
  const soft = new BigUint64Array([hard < target ? hard : target, hard]);
  return c.setrlimit(RLIMIT_NOFILE, soft) === 0 ? Number(soft[0]) : Number(limits[0]);
}
