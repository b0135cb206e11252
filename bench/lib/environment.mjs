// What a reader must know to judge or repeat a run: machine, kernel, versions; and how much the limits of the machine allow.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { basename } from "node:path";

const FULL = { maxconn: 9000, idle: 8000, cutIdle: 4000, cutBusy: 400, evictSeconds: 30 };
const QUICK = { maxconn: 2000, idle: 500, cutIdle: 400, cutBusy: 40, evictSeconds: 12 };
const SPARE_FDS = 500; // what a balancer needs besides two descriptors a session

/** @param {import("./options.mjs").Options} options @param {import("./balancers.mjs").Balancer[]} balancers */
export function describe(options, balancers) {
  const node = spawnSync(options.node, ["-p", "process.version"], { encoding: "utf8" });
  if (node.status !== 0) throw new Error(`--node ${options.node}: ${node.error?.message ?? node.stderr.trim()}`);
  return {
    date: new Date().toISOString(),
    commandLine: ["node bench/run.mjs", ...process.argv.slice(2).map(withoutFolders)].join(" "),
    cpu: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    kernel: release(),
    node: node.stdout.trim(),
    ...Object.fromEntries(balancers.map(({ id, version }) => [id, version])),
    rounds: options.rounds,
    seconds: options.seconds,
    warmupSeconds: options.warmupSeconds,
    cores: `balancer ${options.cores.balancer}, load and upstream ${options.cores.load}`,
  };
}

/** Results are published: which program was run matters, where it lies on this machine does not. */
function withoutFolders(argument) {
  return argument.replace(/[^\s,=]*\/[^\s,=]*/g, (path) => basename(path));
}

/** How many sessions are opened, less where the file limit is low. @returns {import("./measures.mjs").Run["sizes"]} */
export function sizes(quick) {
  const wanted = quick ? QUICK : FULL;
  const limit = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024);
  const maxconn = Math.min(wanted.maxconn, Math.floor((limit - SPARE_FDS) / 2));
  const room = Math.min(1, maxconn / wanted.maxconn);
  if (maxconn < 200) throw new Error(`a hard limit of ${limit} open files is too low (ulimit -Hn)`);
  return {
    maxconn,
    idle: Math.floor(wanted.idle * room),
    cutIdle: Math.floor(wanted.cutIdle * room),
    cutBusy: Math.floor(wanted.cutBusy * room),
    evictSeconds: wanted.evictSeconds,
  };
}
