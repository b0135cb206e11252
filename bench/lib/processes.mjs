// Every process and temporary file of a run: started here, and gone when the run ends, however it ends.
// Each process leads its own group, so that the end of one takes its children (nginx's workers) with it.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const STOP_PATIENCE_MS = 5000;
const STDERR_KEPT_BYTES = 4000;

/** @type {Set<Running>} */
const running = new Set();
/** @type {string | undefined} */
let folder;

/** The run's temporary folder; made on first use. */
export function temporaryFolder() {
  folder ??= mkdtempSync(join(tmpdir(), "headgate-bench-"));
  return folder;
}

/** One started process. */
export class Running {
  /** @param {import("node:child_process").ChildProcess} child @param {string} name */
  constructor(child, name) {
    this.child = child;
    this.name = name;
    this.stderr = "";
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on("data", (chunk) => {
      this.stderr = (this.stderr + chunk).slice(-STDERR_KEPT_BYTES);
    });
    /** @type {string | undefined} how it ended, once it has */
    this.ended = undefined;
    this.exited = new Promise((resolve) => {
      child.once("error", (error) => resolve(this.#end(error.message)));
      child.once("close", (code, signal) => resolve(this.#end(signal ?? `code ${code}`)));
    });
  }

  #end(how) {
    this.ended = how;
    running.delete(this);
    return how;
  }

  get pid() {
    return /** @type {number} */ (this.child.pid);
  }

  /** The next line of stdout as JSON. Rejects if the process ends, or says nothing for `timeoutMs`. */
  async nextJson(timeoutMs) {
    const late = new AbortController();
    const line = await Promise.race([
      this.lines.next(),
      sleep(timeoutMs, { late: true }, { signal: late.signal }).catch(() => ({ late: true })),
    ]);
    late.abort();
    if ("late" in line) throw new Error(`${this.name}: no answer in ${timeoutMs / 1000} s`);
    if (line.done) throw new Error(`${this.name} ended with ${await this.exited}: ${this.stderr.trim()}`);
    return JSON.parse(line.value);
  }

  /** SIGTERM, SIGKILL for what is left of its group; resolves when it is gone. */
  async stop() {
    if (this.ended !== undefined) return;
    this.signal("SIGTERM");
    const done = new AbortController();
    await Promise.race([this.exited, sleep(STOP_PATIENCE_MS, 0, { signal: done.signal }).catch(() => 0)]);
    done.abort();
    this.signal("SIGKILL");
    await this.exited;
  }

  /** Signals the whole group; one that is gone already is fine. @param {NodeJS.Signals} signal */
  signal(signal) {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
}

/** What every program is started through. */
let launcher = ["taskset", "-c"];
/** @type {string | undefined} of the session that each program begins */
let groupPriority;

/** From now on programs are started with real-time priority, so that other work on the machine cannot take their cores. */
export function useRealtime() {
  const { status, error, stderr } = spawnSync("chrt", ["--rr", "10", "true"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`--realtime: ${error?.message ?? stderr.trim()}`);
  launcher = ["chrt", "--rr", "10", "taskset", "-c"];
}

/** From now on programs get nearly all of their cores where other work wants them too, but are scheduled among themselves as always. */
export function usePriority() {
  const { status, error, stderr } = spawnSync("nice", ["-n", "-20", "true"], { encoding: "utf8" });
  if (status !== 0 || stderr !== "") throw new Error(`--nice: ${error?.message ?? stderr.trim()}`);
  launcher = ["nice", "-n", "-20", "taskset", "-c"];
  groupPriority = "-20";
}

/** @type {boolean | undefined} */
let mayComeFirst;

/** Real-time priority above all that is measured; nothing where that takes rights that are not there. @returns {string[]} */
function comingFirst() {
  mayComeFirst ??= spawnSync("chrt", ["--rr", "20", "true"]).status === 0;
  return mayComeFirst ? ["chrt", "--rr", "20"] : [];
}

/** Each program is a session of its own, and where the kernel shares cores between sessions first, `nice` alone counts for little. */
function raiseSession(pid) {
  const file = `/proc/${pid}/autogroup`;
  if (groupPriority !== undefined && pid !== undefined && existsSync(file)) writeFileSync(file, groupPriority);
}

/**
 * Starts a program on the given cores.
 * @param {string} program @param {string[]} args
 * @param {{cores: string, env?: Record<string, string>, name?: string, first?: boolean}} options  first: it stands for another machine, and
 *   never waits for a core here
 */
export function start(program, args, { cores, env = {}, name = program, first: comesFirst = false }) {
  const [first, ...rest] = [...launcher.slice(0, -2), ...(comesFirst ? comingFirst() : []), ...launcher.slice(-2)];
  const child = spawn(first, [...rest, cores, program, ...args], {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  raiseSession(child.pid);
  child.stdin.on("error", () => {}); // it may end before its input is closed
  const process_ = new Running(child, name);
  if (child.pid !== undefined) running.add(process_);
  return process_;
}

/** Runs a program that prints one line of JSON. Rejects with its stderr if it fails or takes longer than `timeoutMs`. */
export async function runForJson(program, args, { cores, timeoutMs, name, first }) {
  const started = start(program, args, { cores, name, first });
  try {
    const answer = await started.nextJson(timeoutMs);
    await started.exited;
    return answer;
  } finally {
    await started.stop();
  }
}

/** The process and all its descendants. @param {number} pid @returns {number[]} */
export function family(pid) {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    return [pid, ...children.flatMap(family)];
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ESRCH") return [];
    throw error;
  }
}

/** Memory of processes: bytes that are theirs alone, and resident bytes. @param {number[]} pids */
export function memory(pids) {
  const sum = { privateBytes: 0, rssBytes: 0 };
  for (const pid of pids) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    for (const [, key, kilobytes] of text.matchAll(
      /^(Rss|Private_Clean|Private_Dirty|Private_Hugetlb):\s+(\d+) kB/gm,
    )) {
      if (key === "Rss") sum.rssBytes += Number(kilobytes) * 1024;
      else sum.privateBytes += Number(kilobytes) * 1024;
    }
  }
  return sum;
}

/** Memory of processes in bytes, pages that several of them share counted once. @param {number[]} pids */
export function proportionalBytes(pids) {
  let sum = 0;
  for (const pid of pids)
    sum += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]) * 1024;
  return sum;
}

/** CPU time of processes so far, all their threads together. @param {number[]} pids */
export function cpuSeconds(pids) {
  let nanoseconds = 0;
  for (const pid of pids)
    for (const task of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
  return nanoseconds / 1e9;
}

/** Connections that this machine has begun since it was started. */
export function connectionsBegun() {
  const [names, values] = readFileSync("/proc/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Tcp: "))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("ActiveOpens")]);
}

/** Leaves nothing behind: on a normal end, an exception, Ctrl-C and SIGTERM. Call once, before anything is started. */
export function cleanUpAtTheEnd() {
  process.once("exit", () => {
    for (const each of running) each.signal("SIGKILL");
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])
    process.once(signal, () => process.exit(code));
}
