// Who holds a socket: inodes of sockets to processes and descriptors, through /proc. Synchronous; only as far as permissions allow.
// Control thread.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface SocketOwner {
  readonly pid: number;
  /** The command's name, at most 15 characters as the kernel keeps it; "" if the process is gone. */
  readonly process: string;
}

/** Sockets that a process holds: descriptor by inode. Empty for a process that is gone or not ours to look into. */
export function socketsOf(pid: number | "self"): Map<number, number> {
  const sockets = new Map<number, number>();
  for (const fd of namesIn(`/proc/${pid}/fd`)) {
    const inode = socketInode(`/proc/${pid}/fd/${fd}`);
    if (inode > 0) sockets.set(inode, Number(fd));
  }
  return sockets;
}

/** The holders of these inodes; one that is not found is held by nobody, or by a process that we may not look into. */
export function ownersOf(inodes: ReadonlySet<number>): Map<number, SocketOwner> {
  const owners = new Map<number, SocketOwner>();
  if (inodes.size === 0) return owners;
  for (const name of namesIn("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    for (const fd of namesIn(`/proc/${name}/fd`)) {
      const inode = socketInode(`/proc/${name}/fd/${fd}`);
      if (inode > 0 && inodes.has(inode) && !owners.has(inode)) {
        owners.set(inode, { pid: Number(name), process: processName(name) });
      }
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
function socketInode(path: string): number {
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
