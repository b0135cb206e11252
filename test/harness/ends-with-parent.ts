// Programs that do not outlive the test process that started them, even if that is killed and can clean up nothing.

import { findCommand } from "./packages.ts";

const setpriv = findCommand("setpriv");

/**
 * The command so that the kernel kills it when whoever spawned it is gone; without setpriv (util-linux) as it is. The process id is the
 * command's own. A program that changes its user outlives its parent all the same: the kernel forgets the wish then.
 */
export const endsWithParent = (command: readonly string[]): string[] =>
  setpriv === undefined ? [...command] : [setpriv, "--pdeathsig", "KILL", "--", ...command];
