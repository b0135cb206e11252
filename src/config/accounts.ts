// Names of users and groups to numbers, from /etc/passwd and /etc/group. Control thread; a file is read when first asked for.

import { readFileSync } from "node:fs";
import type { Accounts } from "./drafts.ts";

/** A name service beyond these files is not asked: use `uid` and `gid` there. */
export function readSystemAccounts(): Accounts {
  let users: ReadonlyMap<string, number> | undefined;
  let groups: ReadonlyMap<string, number> | undefined;
  return {
    uidOf(user) {
      users ??= readNumbers("/etc/passwd");
      return users.get(user);
    },
    gidOf(group) {
      groups ??= readNumbers("/etc/group");
      return groups.get(group);
    },
  };
}

/** Both files hold `name:password:number:...` lines. */
function readNumbers(path: string): ReadonlyMap<string, number> {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    const entries = lines.map((line) => line.split(":")).filter((fields) => /^[0-9]+$/.test(fields[2] ?? ""));
    return new Map(entries.map((fields) => [fields[0] ?? "", Number(fields[2])]));
  } catch {
    return new Map(); // Without the file no name is known; the caller says so at the word.
  }
}
