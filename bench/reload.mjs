// A reload with many servers: how long it takes beside HAProxy's own start with the same file, and what sessions notice of it.
//   node bench/reload.mjs [--backends 1000] [--servers 10] [--reloads 6] [--haproxy /usr/sbin/haproxy]
// Prints one line of JSON. Times are wall clock and, because they are comparable on a busy machine too, CPU.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildTools, runTool, startUpstream } from "./lib/tools.mjs";

const TICKS_PER_SECOND = 100;
const START_PATIENCE_MS = 60_000;
const LOAD_SECONDS = 4;
const CORES = `0-${availableParallelism() - 1}`;

const { values } = parseArgs({
  options: {
    backends: { type: "string", default: "1000" },
    servers: { type: "string", default: "10" },
    reloads: { type: "string", default: "6" },
    haproxy: { type: "string", default: "/usr/sbin/haproxy" },
  },
});
const backends = Number(values.backends);
const servers = Number(values.servers);
const directory = mkdtempSync(join(tmpdir(), "headgate-reload-"));
const socket = join(directory, "stats.sock");
const file = join(directory, "haproxy.cfg");

/** Every server of generation 1 differs from generation 0 by its weight, and one of each backend by its address. */
function config(port, upstream, generation) {
  const lines = [
    `global\n  stats socket ${socket} level admin\n  stats timeout 1h\n  maxconn 2000\n  nbthread 1\ndefaults\n  mode tcp`,
    `  timeout client 1h\n  timeout server 1h\n  timeout connect 5s\nfrontend fe\n  bind 127.0.0.1:${port}\n  default_backend live`,
    `backend live\n  server s 127.0.0.1:${upstream} weight ${1 + generation}`,
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

function ask(line) {
  return new Promise((resolve, reject) => {
    let text = "";
    const client = connect(socket, () => client.write(`${line}\n`));
    client.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    client.on("end", () => resolve(text)).on("error", reject);
  });
}

/** Seconds of CPU of a process so far, its threads included. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Starts a program and waits until its stats socket answers. */
async function start(command, args) {
  const beginMs = performance.now();
  const child = spawn(command, args, { stdio: "ignore" });
  while (!(await ask("show info").catch(() => "")).includes("Pid")) {
    if (child.exitCode !== null || performance.now() - beginMs > START_PATIENCE_MS)
      throw new Error(`${command} does not start`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const wallMs = performance.now() - beginMs;
  const stop = () => new Promise((resolve) => child.once("exit", resolve).kill("SIGKILL"));
  return { pid: child.pid, wallMs, cpuMs: cpuSeconds(child.pid) * 1000, stop };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const tools = buildTools();
const upstream = await startUpstream(tools.load, "echo", CORES);
try {
  const port = await freePort();
  writeFileSync(file, config(port, upstream.port, 0));
  const haproxyStarts = [];
  for (let i = 0; i < 3; i++) {
    const started = await start(values.haproxy, ["-db", "-f", file]);
    await started.stop();
    haproxyStarts.push(started);
  }
  const headgate = await start(process.execPath, [join(import.meta.dirname, "../bin/headgate"), "-f", file]);
  const roundTrips = () =>
    runTool(
      tools.load,
      ["pp"],
      { port, seconds: LOAD_SECONDS, warmup: 1, connections: 1, size: 64 },
      { cores: CORES, timeoutMs: 60_000 },
    );
  const alone = await roundTrips();
  const reloads = [];
  const beside = roundTrips();
  for (let i = 1; i <= Number(values.reloads); i++) {
    writeFileSync(file, config(port, upstream.port, i % 2));
    const before = cpuSeconds(headgate.pid);
    const receipt = JSON.parse(await ask("reload json"));
    if (receipt.outcome !== "done") throw new Error(JSON.stringify(receipt.messages));
    reloads.push({ wallMs: receipt.tookMs, cpuMs: (cpuSeconds(headgate.pid) - before) * 1000, ...receipt.times });
  }
  const during = await beside;
  await headgate.stop();
  const of = (samples, key) => Math.round(median(samples.map((sample) => sample[key])) * 10) / 10;
  const haproxy = { wallMs: of(haproxyStarts, "wallMs"), cpuMs: of(haproxyStarts, "cpuMs") };
  const reload = Object.fromEntries(Object.keys(reloads[0]).map((key) => [key, of(reloads, key)]));
  console.log(
    JSON.stringify({
      servers: backends * servers,
      haproxy: execFileSync(values.haproxy, ["-v"], { encoding: "utf8" }).split("\n")[0],
      haproxyStart: haproxy,
      reload,
      relaysLongestMs: Math.max(...reloads.map(({ relays }) => relays)),
      ratio: { wall: reload.wallMs / haproxy.wallMs, cpu: reload.cpuMs / haproxy.cpuMs },
      roundTripUs: {
        alone: { p50: alone.p50Us, p99: alone.p99Us, p999: alone.p999Us, max: alone.maxUs },
        duringReloads: { p50: during.p50Us, p99: during.p99Us, p999: during.p999Us, max: during.maxUs },
      },
    }),
  );
} finally {
  await upstream.stop();
  rmSync(directory, { recursive: true, force: true });
}
