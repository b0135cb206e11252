// Whom the process becomes once its addresses are bound: root directory, group, user. All threads change together: the root
// directory is the process's, and libc carries setgid and setuid to every thread. Control thread, at start.

import { AppError } from "../base/errors.ts";
import { c, errno, errorText } from "./libc.ts";

export interface ProcessIdentity {
  readonly chroot?: string;
  readonly gid?: number;
  readonly uid?: number;
}

/** Takes the identity on, in the order in which rights are needed. Throws AppError where the system refuses. */
export function takeIdentity({ chroot, gid, uid }: ProcessIdentity): void {
  if (chroot !== undefined) {
    if (c.chroot(chroot) < 0)
      throw new AppError("cannot-chroot", `Cannot chroot(${chroot}): ${errorText(errno())}.`, NEEDS_ROOT);
    process.chdir("/");
  }
  if (gid !== undefined) {
    change(`Cannot set gid ${gid}`, () => {
      // Groups of whoever started the process would give it rights that the new group is to take away.
      if (process.getuid?.() === 0) process.setgroups?.([]);
      process.setgid?.(gid);
    });
  }
  if (uid !== undefined) change(`Cannot set uid ${uid}`, () => process.setuid?.(uid));
}

const NEEDS_ROOT = "start it as root, or remove the line and leave it to the service manager";

function change(failure: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw new AppError("cannot-change-identity", `${failure}: ${(error as Error).message}.`, NEEDS_ROOT);
  }
}
