// Kills what a test started: every process whose working directory lies below a folder, because daemons such as PostgreSQL leave
// their process groups and outlive those who started them. Runs as the daemons' own account, in a session of its own, and does its
// work at the latest when its input ends: whether the test closed it, failed, was interrupted or was killed.
// A line "<folder>" is answered with "gone" once nothing runs there; the end of the input means the directory given as argument.

import { readdirSync, readlinkSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";

const directory = process.argv[2];

function workersBelow(folder) {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
    try {
      const where = readlinkSync(`/proc/${name}/cwd`).replace(/ \(deleted\)$/, "");
      return where === folder || where.startsWith(`${folder}/`);
    } catch {
      return false; // gone, or another account's
    }
  });
}

/** Kills until a look finds nobody: one that was about to fork is found in the next round. */
async function empty(folder) {
  for (let round = 0; round < 1000; round++) {
    const found = workersBelow(folder);
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // ended by itself
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for await (const folder of createInterface({ input: process.stdin })) {
  if (folder !== directory && !folder.startsWith(`${directory}/`)) continue;
  await empty(folder);
  process.stdout.write("gone\n");
}
await empty(directory);
rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
