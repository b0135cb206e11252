// A reload with many servers, beside HAProxy's start with the same file: how long it takes, how long it keeps the control thread and the
// relay from anything else, and what a session notices of it, beside what one through HAProxy notices of HAProxy's reload.
//   node bench/reload.mjs [--backends 1000] [--servers 10] [--rounds 7] [--haproxy a,b] [--headgate bin/headgate] [--times] [--json]
// A round measures each of them once, in turn; --times leaves the sessions out. Prints medians and extremes of all rounds.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildTools, runTool, startUpstream } from "./lib/tools.mjs";

const TICKS_PER_SECOND = 100;
const PATIENCE_MS = 60_000;
/** Round trips of one session, and when in that time the reload comes. */
const LOAD = { seconds: 1.5, warmup: 0.3 };
const RELOAD_AFTER_MS = 800;
const CORES = `0-${availableParallelism() - 1}`;

const { values } = parseArgs({
  options: {
    backends: { type: "string", default: "1000" },
    servers: { type: "string", default: "10" },
    rounds: { type: "string", default: "7" },
    haproxy: { type: "string", default: process.env.HAPROXY ?? "/usr/sbin/haproxy" },
    headgate: { type: "string", default: join(import.meta.dirname, "../bin/headgate") },
    times: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const backends = Number(values.backends);
const servers = Number(values.servers);
const rounds = Number(values.rounds);
const directory = mkdtempSync(join(tmpdir(), "headgate-reload-"));
const tools = buildTools();
const upstream = await startUpstream(tools.load, "echo", CORES);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Every server of generation 1 differs from generation 0 by its weight, and one of each backend by its address. */
function config({ socket, port }, generation) {
  const lines = [
    `global\n  stats socket ${socket} level admin expose-fd listeners\n  stats timeout 1h\n  maxconn 2000\n  nbthread 1\ndefaults\n  mode tcp`,
    `  timeout client 1h\n  timeout server 1h\n  timeout connect 5s\nfrontend fe\n  bind 127.0.0.1:${port}\n  default_backend live`,
    `backend live\n  server s 127.0.0.1:${upstream.port} weight ${1 + generation}`,
  ];
  for (let b = 0; b < backends; b++) {
    lines.push(`backend b${b}`);
    for (let s = 0; s < servers; s++) {
      const last = s === servers - 1 ? 2 + generation : 1;
      lines.push(`  server s${s} 127.${1 + (b >> 8)}.${b & 255}.${last}:${1000 + s} weight ${1 + generation}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** A place for one balancer: its port, its stats socket and its file, of generation 0 to begin with. */
async function place(name) {
  const at = { port: await freePort(), socket: join(directory, `${name}.sock`), file: join(directory, `${name}.cfg`) };
  let generation = 0;
  writeFileSync(at.file, config(at, generation));
  const next = () => {
    generation = 1 - generation;
    writeFileSync(at.file, config(at, generation));
  };
  return { ...at, next };
}

function ask(socket, line) {
  return new Promise((done, fail) => {
    let text = "";
    const client = connect(socket, () => client.write(`${line}\n`));
    client.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    client.on("end", () => done(text)).on("error", fail);
  });
}

/** Seconds of CPU of a process so far, its threads included. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const running = new Set();

/** Starts a program and waits until the stats socket is its own. */
async function start(command, args, socket) {
  const beginMs = performance.now();
  const child = spawn(command, args, { stdio: "ignore" });
  running.add(child);
  child.once("exit", () => running.delete(child));
  while (!(await ask(socket, "show info").catch(() => "")).includes(`Pid: ${child.pid}\n`)) {
    if (child.exitCode !== null || performance.now() - beginMs > PATIENCE_MS)
      throw new Error(`${command} does not start`);
    await pause(1);
  }
  const wallMs = performance.now() - beginMs;
  return { child, pid: child.pid, wallMs, cpuMs: cpuSeconds(child.pid) * 1000 };
}

function stop({ child }) {
  if (!running.has(child)) return undefined;
  return new Promise((done) => child.once("exit", done).kill("SIGKILL"));
}

/** The longest round trip of a session in ms, while `disturb` is done once. */
async function longestRoundTrip(port, disturb) {
  const trips = runTool(
    tools.load,
    ["pp"],
    { port, ...LOAD, connections: 1, size: 64 },
    { cores: CORES, timeoutMs: PATIENCE_MS },
  );
  await pause(RELOAD_AFTER_MS);
  const [{ maxUs, p50Us, p999Us }, done] = [await Promise.all([trips, disturb()])].flat();
  return { maxMs: maxUs / 1000, p999Ms: p999Us / 1000, p50Ms: p50Us / 1000, done };
}

const headgate = { ...(await place("headgate")), starts: [], reloads: [], quiet: [], beside: [] };
const others = [];
for (const [i, program] of values.haproxy.split(",").entries()) {
  const version = execFileSync(program, ["-v"], { encoding: "utf8" }).split(" ")[2];
  others.push({
    ...(await place(`haproxy${i}`)),
    program,
    name: `HAProxy ${version}`,
    starts: [],
    quiet: [],
    beside: [],
  });
}

async function reloadHeadgate(process_) {
  headgate.next();
  const before = cpuSeconds(process_.pid);
  const beginMs = performance.now();
  const answer = await ask(headgate.socket, "reload json");
  const answeredMs = performance.now() - beginMs;
  const receipt = JSON.parse(answer);
  if (receipt.outcome !== "done") throw new Error(JSON.stringify(receipt.messages));
  return {
    wallMs: receipt.tookMs,
    answeredMs,
    cpuMs: (cpuSeconds(process_.pid) - before) * 1000,
    ...receipt.times,
  };
}

/** HAProxy's own reload: a new process takes the sockets over, the old one keeps its sessions until they end. */
async function reloadHaproxy(other) {
  other.next();
  const old = other.process;
  const args = ["-db", "-f", other.file, "-x", other.socket, "-sf", String(old.pid)];
  other.process = await start(other.program, args, other.socket);
  other.old = old;
}

try {
  const command = [resolve(values.headgate), "-f", headgate.file];
  headgate.process = await start(process.execPath, command, headgate.socket);
  headgate.starts.push(headgate.process);
  for (let round = 0; round < rounds; round++) {
    for (const other of others) {
      other.process = await start(other.program, ["-db", "-f", other.file], other.socket);
      other.starts.push(other.process);
    }
    headgate.reloads.push(await reloadHeadgate(headgate.process));
    if (values.times) {
      for (const other of others) await stop(other.process);
      continue;
    }
    for (const other of others) {
      other.quiet.push(await longestRoundTrip(other.port, async () => undefined));
      other.beside.push(await longestRoundTrip(other.port, () => reloadHaproxy(other)));
      await stop(other.old);
      await stop(other.process);
    }
    headgate.quiet.push(await longestRoundTrip(headgate.port, async () => undefined));
    headgate.beside.push(await longestRoundTrip(headgate.port, () => reloadHeadgate(headgate.process)));
  }
  report();
} finally {
  for (const child of running) child.kill("SIGKILL");
  await upstream.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** Median, least and most. */
function spread(numbers, parts = 10) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const round = (number) => Math.round(number * parts) / parts;
  return {
    median: round(sorted[Math.floor(sorted.length / 2)]),
    least: round(sorted[0]),
    most: round(sorted.at(-1)),
  };
}

/** Prints what was found. */
function report() {
  const of = (samples, key) => spread(samples.map((sample) => sample[key]));
  const keys = Object.keys(headgate.reloads[0]);
  const loaded = headgate.beside.map(({ done }) => done);
  const trips = ({ quiet, beside }) =>
    values.times ? undefined : { quietMs: of(quiet, "maxMs"), besideReloadMs: of(beside, "maxMs") };
  const result = {
    servers: backends * servers,
    rounds,
    headgate: {
      startMs: of(headgate.starts, "wallMs"),
      reload: Object.fromEntries(keys.map((key) => [key, of(headgate.reloads, key)])),
      ...(values.times ? {} : { reloadBesideSession: Object.fromEntries(keys.map((key) => [key, of(loaded, key)])) }),
      longestRoundTrip: trips(headgate),
    },
    haproxy: others.map((other) => ({
      name: other.name,
      startMs: of(other.starts, "wallMs"),
      startCpuMs: of(other.starts, "cpuMs"),
      longestRoundTrip: trips(other),
      ratio: spread(
        headgate.reloads.map(({ wallMs }, i) => wallMs / other.starts[i].wallMs),
        100,
      ),
    })),
  };
  if (values.json) return console.log(JSON.stringify(result));
  const text = ({ median, least, most }, unit = " ms") => `${median}${unit} (${least} to ${most})`;
  const { reload, reloadBesideSession, longestRoundTrip: own } = result.headgate;
  console.log(`${backends} backends of ${servers} servers, ${rounds} rounds: median (least to most)`);
  console.log(`reload: ${text(reload.wallMs)}, answered after ${text(reload.answeredMs)}, CPU ${text(reload.cpuMs)}`);
  console.log(`  read ${text(reload.read)}, prepare ${text(reload.prepare)}, commit ${text(reload.commit)}`);
  if (!values.times) console.log(`  beside a session: ${text(reloadBesideSession.wallMs)}`);
  for (const { name, startMs, startCpuMs, ratio } of result.haproxy) {
    console.log(
      `${name} starts in ${text(startMs)}, CPU ${text(startCpuMs)}: a reload takes ${text(ratio, " times")} that`,
    );
  }
  const all = [...headgate.reloads, ...loaded];
  console.log(`control thread, longest turn: ${text(of(all, "controlTurn"))}`);
  console.log(
    `relay, longest turn: ${text(of(all, "relayTurn"))}; taking the configuration on: ${text(of(all, "relays"))}`,
  );
  if (values.times) return undefined;
  console.log(`longest round trip of a session, of ${LOAD.seconds} s: without a reload, with one`);
  console.log(`  Headgate: ${text(own.quietMs)}, ${text(own.besideReloadMs)}`);
  for (const { name, longestRoundTrip: theirs } of result.haproxy)
    console.log(`  ${name}: ${text(theirs.quietMs)}, ${text(theirs.besideReloadMs)}`);
}
