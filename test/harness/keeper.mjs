// Kills what a test started: every process whose working directory lies below a folder, because daemons such as PostgreSQL leave
// their process groups and outlive those who started them. Runs as the daemons' own account, in a session of its own, and does its
// work at the latest when its input ends: whether the test closed it, failed, was interrupted or was killed.
// A line "kill <folder>" is answered once nothing runs there, "signal <name> <folder>" once all that runs there has the signal; the
// end of the input means: kill what runs below the directory given as argument, and remove it.

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

function signalAll(folder, signal) {
  const found = workersBelow(folder);
  for (const pid of found) {
    try {
      process.kill(Number(pid), signal);
    } catch {
      // ended by itself
    }
  }
  return found.length;
}

/** Kills until a look finds nobody: one that was about to fork is found in the next round. */
async function empty(folder) {
  for (let round = 0; round < 1000; round++) {
    if (signalAll(folder, "SIGKILL") === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [, order, folder] = /^(kill|signal \w+) (.*)$/.exec(line) ?? [];
  if (!folder?.startsWith(`${directory}/`)) continue;
  if (order === "kill") await empty(folder);
  else signalAll(folder, order.slice("signal ".length));
  process.stdout.write("done\n");
}
await empty(directory);
rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
