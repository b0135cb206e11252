// Which balancers this machine has, how each is started, and when one is ready.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { haproxyConfig, nginxConfig } from "./configs.mjs";
import { list } from "./options.mjs";
import { family, start, temporaryFolder } from "./processes.mjs";

const START_PATIENCE_MS = 15_000;
const START_ATTEMPTS = 3; // a port that was free can be taken before the balancer binds it

/**
 * @typedef {object} Balancer
 * @property {string} id         unique in a run: column of the table, key in the JSON
 * @property {"headgate" | "haproxy" | "nginx"} kind
 * @property {string} version
 * @property {string} program
 * @property {(file: string) => string[]} args
 * @property {Record<string, string>} env
 * @property {(settings: import("./configs.mjs").Settings) => string} config
 */

/** What is installed, Headgate first, then HAProxy from the newest on, then nginx. `missing` says what is not, and why. */
export function findBalancers(options) {
  /** @type {Balancer[]} */
  const found = [];
  /** @type {string[]} */
  const missing = [];
  const add = (name, find) => {
    if (options.without.includes(name)) return;
    const answer = find();
    if (typeof answer === "string") missing.push(answer);
    else found.push(answer);
  };
  const launchers = options.headgate.length > 0 ? options.headgate : [join(import.meta.dirname, "../../bin/headgate")];
  launchers.forEach((launcher, i) => {
    add("headgate", () => headgate(options, resolve(launcher), i === 0 ? "headgate" : `headgate (${i + 1})`));
  });
  const binaries = list(process.env.HAPROXY);
  for (const binary of binaries.length > 0 ? binaries : ["haproxy"]) add("haproxy", () => haproxy(binary));
  add("nginx", nginx);
  found.sort((a, b) => (a.kind === "haproxy" && b.kind === "haproxy" ? compareVersions(b.version, a.version) : 0));
  for (const each of found)
    if (found.find((other) => other.id === each.id) !== each) throw new Error(`${each.id} is named twice`);
  return { found, missing };
}

function headgate(options, launcher, id) {
  const root = dirname(dirname(launcher));
  if (!existsSync(launcher)) return `headgate: ${launcher} does not exist`;
  const version = headgateVersion(root);
  return {
    id,
    kind: "headgate",
    version,
    program: options.node,
    args: (file) => [...options.nodeArgs, launcher, "-f", file],
    env: options.headgateEnv,
    config: haproxyConfig,
  };
}

function headgateVersion(root) {
  const commit = spawnSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" });
  const file = join(root, "package.json");
  const version = (existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version) || "unknown version";
  return commit.status === 0 ? `${version} (${commit.stdout.trim()})` : version;
}

function haproxy(binary) {
  const answer = spawnSync(binary, ["-v"], { encoding: "utf8" });
  const version = /^HAProxy version (\S+)/m.exec(answer.stdout ?? "")?.[1];
  if (!version) return `haproxy: ${binary} not found or not HAProxy`;
  const short = /^\d+\.\d+(-dev\d+|\.\d+)?/.exec(version)?.[0] ?? version;
  return {
    id: `haproxy ${short}`,
    kind: "haproxy",
    version,
    program: binary,
    args: (file) => ["-db", "-f", file],
    env: {},
    config: haproxyConfig,
  };
}

function nginx() {
  const answer = spawnSync("nginx", ["-V"], { encoding: "utf8" });
  const text = answer.stderr ?? "";
  const version = /nginx\/(\S+)/.exec(text)?.[1];
  if (!version) return "nginx: not found";
  const atRunTime = /--with-stream=dynamic/.test(text);
  const module = `${/--modules-path=(\S+)/.exec(text)?.[1]}/ngx_stream_module.so`;
  if (atRunTime ? !existsSync(module) : !/--with-stream(\s|$)/.test(text)) return `nginx ${version}: no stream module`;
  return {
    id: `nginx ${version}`,
    kind: "nginx",
    version,
    program: "nginx",
    args: (file) => ["-c", file],
    env: {},
    config: (settings) => nginxConfig(settings, atRunTime ? module : undefined),
  };
}

/** Below, at or above 0 as `a` is older than, equal to, or newer than `b`; 3.5-dev5 is older than 3.5.0. */
export function compareVersions(a, b) {
  const [x, y] = [a, b].map((version) => {
    const [, major, minor, patch, dev] = /^(\d+)\.(\d+)(?:\.(\d+))?(?:-dev(\d+))?/.exec(version) ?? [];
    return [Number(major ?? 0), Number(minor ?? 0), dev === undefined ? Number(patch ?? 0) : Number(dev) - 1e6];
  });
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return x[i] - y[i];
  return 0;
}

let configurations = 0;

/**
 * Starts a balancer before `upstreamPort` and waits until it takes connections.
 * @param {Balancer} balancer
 * @param {{upstreamPort: number, maxconn: number, threads: number, splice: boolean, cores: string, checks?: import("./configs.mjs").Settings["checks"], otherUpstreamPort?: number}} wish
 * @returns {Promise<{port: number, otherPort: number, socket: string, pids: () => number[], stop: () => Promise<void>}>}
 */
export async function startBalancer(balancer, { cores, otherUpstreamPort, ...wish }) {
  for (let attempt = 1; ; attempt++) {
    const folder = join(temporaryFolder(), `${++configurations}`);
    mkdirSync(folder);
    const [port, otherPort] = [await freePort(), await freePort()];
    const other =
      otherUpstreamPort === undefined ? {} : { other: { port: otherPort, upstreamPort: otherUpstreamPort } };
    const settings = { ...wish, ...other, port, folder, socket: join(folder, "s") };
    const file = join(folder, "balancer.cfg");
    writeFileSync(file, balancer.config(settings));
    const started = start(balancer.program, balancer.args(file), { cores, env: balancer.env, name: balancer.id });
    if (await isReady(started, balancer, settings))
      return { port, otherPort, socket: settings.socket, pids: () => family(started.pid), stop: () => started.stop() };
    await started.stop();
    if (attempt === START_ATTEMPTS)
      throw new Error(`${balancer.id} does not start (${started.ended}): ${started.stderr.trim() || "no message"}`);
  }
}

async function isReady(started, balancer, settings) {
  const doors = balancer.kind === "nginx" ? [settings.port] : [settings.port, settings.socket];
  const deadline = Date.now() + START_PATIENCE_MS;
  while (started.ended === undefined && Date.now() < deadline) {
    const open = await Promise.all(doors.map(takesConnections));
    if (open.every(Boolean)) return started.ended === undefined;
    await sleep(20);
  }
  return false;
}

/** @param {number | string} door port on 127.0.0.1, or path of a unix socket @returns {Promise<boolean>} */
function takesConnections(door) {
  return new Promise((resolve) => {
    const socket = typeof door === "number" ? connect(door, "127.0.0.1") : connect(door);
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** A port that nobody listens on now. @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
