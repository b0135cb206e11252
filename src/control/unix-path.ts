// The path of a unix socket: bound under a name of its own, it takes its path when it is complete, and at a start not before all else has
// succeeded: a start that fails takes nothing from whoever has the path. Only a path that still leads to its socket is removed. Control thread.

import { lstatSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { isAlone } from "./hand-over/handed-over.ts";

export class UnixPath {
  readonly path: string;
  /** What it is bound to until it is published. */
  readonly temporary: string;
  #inode: number | undefined;

  /** Removes what a process of the same number may have left. */
  constructor(path: string) {
    this.path = path;
    this.temporary = `${path}.${process.pid}.tmp`;
    removeFile(this.temporary);
  }

  /** That of a socket that came from another process, which leads to it already. */
  static taken(path: string): UnixPath {
    const taken = new UnixPath(path);
    taken.#inode = statOf(path)?.ino;
    return taken;
  }

  /** The path leads to this socket from now on, whoever had it. Throws the system's error. */
  publish(): void {
    this.#inode = statOf(this.temporary)?.ino;
    renameSync(this.temporary, this.path);
  }

  /** Takes the path away, unless another process has the socket too, or has put its own there. */
  remove(): void {
    removeFile(this.temporary);
    if (this.#inode !== undefined && isAlone() && statOf(this.path)?.ino === this.#inode) removeFile(this.path);
  }
}

/** The paths of a start: they are published together. */
export class UnixPaths {
  #waiting: UnixPath[] | undefined = [];

  /** To be published with the others, or now where they are. */
  add(path: UnixPath): void {
    if (this.#waiting === undefined) path.publish();
    else this.#waiting.push(path);
  }

  /** Everything else has succeeded. Throws the system's error. */
  publish(): void {
    for (const path of this.#waiting ?? []) path.publish();
    this.#waiting = undefined;
  }
}

const statOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there, or is not ours to remove; bind or rename says so if it matters.
  }
}
