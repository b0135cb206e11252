// A file replaced as a whole: what is written is complete and on the disk when it takes its name. Its descriptor stays open with a lock, so
// that another process knows that somebody writes it; the kernel lets go of it however the process ends. Control thread.

import {
  close,
  closeSync,
  fstatSync,
  fsync,
  fsyncSync,
  lstatSync,
  open,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs";
import { rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { EAGAIN, LOCK_EX, LOCK_NB, LOCK_SH } from "../../sys/constants.ts";
import { c, errno } from "../../sys/libc.ts";

/** A file that was written, and is held. */
export interface HeldFile {
  readonly fd: number;
  readonly inode: bigint;
}

const FILE_MODE = 0o600;

const openFile = promisify(open);
const writePart = promisify(write);
const syncFile = promisify(fsync);
const closeFile = promisify(close);

const temporaryName = (path: string): string => `${path}.${process.pid}.tmp`;

/** Rejects with the system's error; then the file is what it was. The name is on the disk too when this resolves. */
export async function replaceFile(path: string, text: string): Promise<HeldFile> {
  const temporary = temporaryName(path);
  const fd = await openFile(temporary, "w", FILE_MODE);
  try {
    lock(fd);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += (await writePart(fd, bytes, at)).bytesWritten;
    await syncFile(fd);
    const written = held(fd);
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return written;
  } catch (error) {
    closeSync(fd);
    removeFile(temporary);
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await openFile(path, "r");
  try {
    await syncFile(folder);
  } finally {
    await closeFile(folder);
  }
}

/** The same, at once, but for the name, which may reach the disk later. */
export function replaceFileNow(path: string, text: string): HeldFile {
  const temporary = temporaryName(path);
  const fd = openSync(temporary, "w", FILE_MODE);
  try {
    lock(fd);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
    const written = held(fd);
    renameSync(temporary, path);
    return written;
  } catch (error) {
    closeSync(fd);
    removeFile(temporary);
    throw error;
  }
}

/** Nobody else knows of it yet. */
const lock = (fd: number): number => c.flock(fd, LOCK_EX | LOCK_NB);

/** What was written; known while nobody else can have put another file in its place. */
const held = (fd: number): HeldFile => ({ fd, inode: fstatSync(fd, { bigint: true }).ino });

/** Lets another process have it. */
export const release = ({ fd }: HeldFile): void => closeSync(fd);

/** True while a process holds the file that is at the path; this one too. */
export function isHeld(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return false;
  }
  const isLocked = c.flock(fd, LOCK_SH | LOCK_NB) < 0 && errno() === EAGAIN;
  closeSync(fd);
  return isLocked;
}

/** The file at the path; undefined where there is none. */
export const inodeOf = (path: string): bigint | undefined =>
  lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;

/** Removes what processes left that were killed while they wrote. */
export function removeLeftovers(path: string): void {
  const start = `${basename(path)}.`;
  for (const name of namesIn(dirname(path))) {
    if (!name.startsWith(start) || !/^\d+\.tmp$/.test(name.slice(start.length))) continue;
    const leftover = join(dirname(path), name);
    if (!isHeld(leftover)) removeFile(leftover);
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not made.
  }
}
