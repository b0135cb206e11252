// Whom the process becomes once its addresses are bound: root directory, group, user. All threads change together: the root
// directory is the process's, and libc carries setgid and setuid to every thread. Control thread, at start.

import { existsSync, readFileSync } from "node:fs";
import { AppError } from "../base/errors.ts";
import { ENOENT, EPERM } from "./constants.ts";
import { c, errno, errorText } from "./libc.ts";

export interface ProcessIdentity {
  readonly chroot?: string;
  readonly gid?: number;
  readonly uid?: number;
}

/** Of linux/capability.h. */
const CAP_SETGID = 6;
const CAP_SETUID = 7;
const CAP_SYS_CHROOT = 18;

/** Throws AppError where `takeIdentity` is sure to fail, while nothing has happened yet that would have to be undone. */
export function checkIdentity({ chroot, gid, uid }: ProcessIdentity): void {
  const refuse = (code: "cannot-chroot" | "cannot-change-identity", what: string, error: number): never => {
    throw new AppError(code, `${what}: ${errorText(error)}.`, NEEDS_ROOT);
  };
  if (chroot !== undefined && !existsSync(chroot)) refuse("cannot-chroot", `Cannot chroot(${chroot})`, ENOENT);
  const { may } = readRights();
  if (chroot !== undefined && !may(CAP_SYS_CHROOT)) refuse("cannot-chroot", `Cannot chroot(${chroot})`, EPERM);
  if (gid !== undefined && gid !== process.getegid?.() && !may(CAP_SETGID))
    refuse("cannot-change-identity", `Cannot set gid ${gid}`, EPERM);
  if (uid !== undefined && uid !== process.geteuid?.() && !may(CAP_SETUID))
    refuse("cannot-change-identity", `Cannot set uid ${uid}`, EPERM);
}

/** What the process may do; everything where the kernel does not say. */
function readRights(): { may(capability: number): boolean } {
  let status = "";
  try {
    status = readFileSync("/proc/self/status", "latin1");
  } catch {
    // Without /proc the attempt itself has to tell.
  }
  const found = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1];
  return { may: (capability) => found === undefined || ((BigInt(`0x${found}`) >> BigInt(capability)) & 1n) === 1n };
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
