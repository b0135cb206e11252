// Who holds a socket: inodes of sockets to processes and descriptors, through /proc; only as far as permissions allow.
// Control thread.

import { fstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface SocketOwner {
  readonly pid: number;
  /** The command's name, at most 15 characters as the kernel keeps it; "" if the process is gone. */
  readonly process: string;
}

/** Descriptors that are looked at before the thread does something else. */
const DESCRIPTORS_PER_PART = 128;

/** This process's open descriptors. */
export const ownDescriptors = (): number[] => namesIn("/proc/self/fd").map(Number);

/** The inode of the socket that a descriptor of this process refers to; 0 if it is closed, or no socket. */
export function socketInode(fd: number): number {
  try {
    const stat = fstatSync(fd);
    return stat.isSocket() ? stat.ino : 0;
  } catch {
    return 0;
  }
}

/**
 * The holders of these inodes; one that is not found is held by nobody, or by a process that we may not look into. In parts, so that
 * processes with many descriptors do not hold up the thread.
 */
export async function ownersOf(inodes: ReadonlySet<number>): Promise<Map<number, SocketOwner>> {
  const owners = new Map<number, SocketOwner>();
  if (inodes.size === 0) return owners;
  let looked = 0;
  for (const name of namesIn("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    for (const fd of namesIn(`/proc/${name}/fd`)) {
      const inode = linkedInode(`/proc/${name}/fd/${fd}`);
      if (inode > 0 && inodes.has(inode) && !owners.has(inode)) {
        owners.set(inode, { pid: Number(name), process: processName(name) });
      }
      if (++looked % DESCRIPTORS_PER_PART === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (owners.size === inodes.size) break;
  }
  return owners;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** 0 for what is no socket, or was closed since. */
function linkedInode(path: string): number {
  try {
    return Number(/^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function processName(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
  } catch {
    return "";
  }
}
