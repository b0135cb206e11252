// The programs in C: compiling them, and running one as an upstream or as a load.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { runForJson, start } from "./processes.mjs";

const SOURCES = join(import.meta.dirname, "..");
const BUILD = join(SOURCES, "build");
const START_PATIENCE_MS = 10_000;

/** Compiles what is older than its source. @returns {{load: string, cut: string}} paths @throws {Error} with cc's words */
export function buildTools() {
  mkdirSync(BUILD, { recursive: true });
  const build = (name) => {
    const program = join(BUILD, name);
    const sources = [`${name}.c`, "bench.h"].map((file) => join(SOURCES, file));
    if (existsSync(program) && sources.every((file) => statSync(file).mtimeMs < statSync(program).mtimeMs))
      return program;
    const cc = spawnSync("cc", ["-O2", "-Wall", "-Wextra", "-o", program, sources[0]], { encoding: "utf8" });
    if (cc.status !== 0) throw new Error(`cc -O2 ${name}.c: ${cc.error?.message ?? cc.stderr}`);
    return program;
  };
  return { load: build("load"), cut: build("cut") };
}

/** @param {string} load path @param {"echo" | "discard" | "http"} kind @param {string} cores @param {boolean} [first] see `start` */
export async function startUpstream(load, kind, cores, first) {
  const started = start(load, [kind], { cores, name: `upstream (${kind})`, first });
  const { port } = await started.nextJson(START_PATIENCE_MS);
  return { port, pid: started.pid, stop: () => started.stop() };
}

/** `{a: 1, b: 2}` as the programs take it. @param {Record<string, string | number>} values */
function words(values) {
  return Object.entries(values).map(([key, value]) => `${key}=${value}`);
}

/** Runs a load or the cut to its end. @returns {Promise<Record<string, any>>} its JSON */
export function runTool(program, mode, values, { cores, timeoutMs, first }) {
  return runForJson(program, [...mode, ...words(values)], { cores, timeoutMs, name: mode[0] ?? "cut", first });
}

/** Opens the sessions of a cut, which waits for `order()`; that resolves with its JSON. @param {string} cut path */
export async function prepareCut(cut, values, { cores, timeoutMs }) {
  const started = start(cut, words({ ...values, ask: 1, settle: 0, patience: timeoutMs / 1000 }), {
    cores,
    name: "cut",
  });
  try {
    await started.nextJson(timeoutMs);
  } catch (error) {
    await started.stop();
    throw error;
  }
  return {
    order: () => {
      started.child.stdin.write("\n");
      return started.nextJson(timeoutMs * 2);
    },
    close: () => started.stop(),
  };
}

/** Opens `connections` sessions and holds them until `close()`. */
export async function holdSessions(load, { port, connections, cores, timeoutMs, burst = false }) {
  const started = start(load, ["hold", ...words({ port, connections, burst: burst ? 1 : 0 })], { cores, name: "hold" });
  try {
    await started.nextJson(timeoutMs);
  } catch (error) {
    await started.stop();
    throw error;
  }
  return { close: () => started.stop() };
}

/** Connects `rate` times a second to `port`, evenly, and resets each connection at once, until `close()`. */
export async function startKnocking(load, { port, rate, cores, timeoutMs }) {
  const started = start(load, ["knock", ...words({ port, rate })], { cores, name: "knock" });
  try {
    await started.nextJson(timeoutMs);
  } catch (error) {
    await started.stop();
    throw error;
  }
  return { close: () => started.stop() };
}
