// How Linux's scheduler treats the calling thread beside others. No function needs rights, nor changes a thread's share of the
// processor, its nice value included; where the operator chose another policy (chrt), or the kernel knows nothing of it, all stays as it is.

import { SCHED_BATCH, SCHED_OTHER } from "./constants.ts";
import { c, errno } from "./libc.ts";

/** The number of sched_setattr, where it is known. */
const SCHED_SETATTR = ({ x64: 314, arm64: 274 } as Readonly<Record<string, number>>)[process.arch];
/** struct sched_attr, as far as every kernel knows it. */
const ATTRIBUTES_BYTES = 48;
/** The least that Linux takes. */
const SHORT_TURN_NS = 100_000n;

/**
 * The thread's turns are short, so that it is let in soon when it wakes beside threads whose turns are long (from Linux 6.12 on;
 * others take no notice). 0 or -errno.
 */
export const takeShortTurns = (): number =>
  c.schedGetscheduler(0) === SCHED_OTHER ? setAttributes(SCHED_OTHER, SHORT_TURN_NS) : 0;

/** Whether `interruptNobody` changed this thread's policy. */
let isPatient = false;

/** The thread interrupts nobody when it wakes: it waits until who runs has had its turn. 0 or -errno. */
export function interruptNobody(): number {
  if (isPatient || c.schedGetscheduler(0) !== SCHED_OTHER) return 0;
  const failed = setAttributes(SCHED_BATCH, 0n);
  isPatient = failed === 0 && c.schedGetscheduler(0) === SCHED_BATCH;
  return failed;
}

/** Runs `start` as if `interruptNobody` had not been called: a thread that it starts inherits the policy. */
export function asBeforePatience<T>(start: () => T): T {
  if (!isPatient) return start();
  setAttributes(SCHED_OTHER, 0n);
  try {
    return start();
  } finally {
    setAttributes(SCHED_BATCH, 0n);
  }
}

/** Whoever else is ready on this core gets a turn first; nothing happens where nobody is. */
export const letOthersRun = (): void => {
  c.schedYield();
};

/** @param turnNs 0: the kernel's own */
function setAttributes(policy: number, turnNs: bigint): number {
  if (SCHED_SETATTR === undefined) return 0;
  const attributes = new Uint8Array(ATTRIBUTES_BYTES);
  const view = new DataView(attributes.buffer);
  view.setUint32(0, ATTRIBUTES_BYTES, true);
  view.setUint32(4, policy, true);
  view.setInt32(16, c.getpriority(0, 0), true);
  view.setBigUint64(24, turnNs, true);
  return c.schedSetattr(SCHED_SETATTR, 0, attributes, 0) < 0 ? -errno() : 0;
}
