// Which programs of other projects this machine has: tests that need one say so in their names when it is missing.

import { accessSync, constants, readdirSync } from "node:fs";
import { join } from "node:path";

/** The path of `command` on PATH or in the places of system programs, or undefined. */
export function findCommand(command: string): string | undefined {
  const directories = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":").filter((path) => path !== "");
  return directories.map((directory) => join(directory, command)).find(canRun);
}

/** The folder with the newest PostgreSQL server's programs, where Debian keeps one for each version; undefined without one. */
export function postgresPrograms(): string | undefined {
  const home = "/usr/lib/postgresql";
  let versions: string[];
  try {
    versions = readdirSync(home);
  } catch {
    return undefined;
  }
  const newest = versions.sort((a, b) => Number(b) - Number(a)).find((v) => canRun(join(home, v, "bin", "postgres")));
  return newest === undefined ? undefined : join(home, newest, "bin");
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** "" if all of `needs` are there (name -> found), else what a test's title says about why it is skipped. */
export function whyMissing(needs: Readonly<Record<string, string | undefined>>): string {
  const missing = Object.entries(needs).filter(([, found]) => found === undefined);
  return missing.length === 0 ? "" : ` (skipped: needs ${missing.map(([name]) => name).join(", ")})`;
}
