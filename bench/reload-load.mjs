// What clients notice of reloads: the time from connect to the answer, with a reload every 100 ms and without, in turns; Headgate, and HAProxy
// in master-worker mode. Each reload has another server and another weight.
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findBalancers } from "./lib/balancers.mjs";
import { cleanUpAtTheEnd, cpuSeconds, usePriority } from "./lib/processes.mjs";
import { PATIENCE_MS, startReloadable } from "./lib/reloads.mjs";
import { spread } from "./lib/results.mjs";
import { buildTools, runTool, startUpstream } from "./lib/tools.mjs";

const USAGE = `usage: node bench/reload-load.mjs [options]
  --rounds N           of one window without reloads and one with them (5)
  --seconds N          of a window (4)
  --connections N      at once (32)
  --period MS          from one reload to the next, or when it is done (100)
  --node PATH          node binary that runs Headgate
  --nice               the highest ordinary priority for all that is measured; needs root
  --json               the figures as JSON instead of a table
environment: HAPROXY=PATH[,PATH...]  the HAProxy binaries (default: haproxy on the PATH)`;

const CORES = `0-${availableParallelism() - 1}`;
const MAXCONN = 2000;

const sections = (upstreamPort) => (n, port) =>
  `defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  server s${n} 127.0.0.1:${upstreamPort}
  server s${n + 1} 127.0.0.1:${upstreamPort} weight ${1 + (n % 7)}
`;

/** All rounds with one balancer. */
async function run(balancer, { tools, upstream, rounds, seconds, connections, periodMs }) {
  const at = await startReloadable(balancer, { cores: CORES, maxconn: MAXCONN, sections: sections(upstream.port) });
  let generation = 0;
  const load = () => {
    const values = { port: at.port, seconds, warmup: 1, connections, size: 64 };
    return runTool(tools.load, ["cr"], values, { cores: CORES, timeoutMs: seconds * 1000 + PATIENCE_MS });
  };
  const withReloads = async () => {
    let isOver = false;
    const tookMs = [];
    const reloading = (async () => {
      while (!isOver) {
        const sinceMs = performance.now();
        await Promise.all([
          at.reload(++generation).then(() => tookMs.push(performance.now() - sinceMs)),
          sleep(periodMs),
        ]);
      }
    })();
    const sample = await load().finally(() => {
      isOver = true;
    });
    await reloading;
    return { ...sample, reloads: tookMs.length, reloadMs: spread(tookMs).median, processes: at.pids().length };
  };
  try {
    await load(); // neither window is the first that the balancer sees
    const samples = [];
    for (let round = 0; round < rounds; round++) {
      const isFirst = round % 2 === 0;
      const before = isFirst ? await load() : undefined;
      const during = await withReloads();
      samples.push({ quiet: before ?? (await load()), during });
    }
    return { samples, cpuSeconds: cpuSeconds(at.pids()) };
  } finally {
    await at.stop();
  }
}

const shown = ({ median, min, max }, digits = 2) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`;

function table(results) {
  const columns = Object.keys(results);
  const row = (name, cell) => `| ${name} | ${columns.map((id) => cell(results[id].samples)).join(" | ")} |`;
  const of = (samples, value, digits) => shown(spread(samples.map(value)), digits);
  const sum = (samples, key) => samples.reduce((total, { quiet, during }) => total + quiet[key] + during[key], 0);
  return [
    `| figure | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    row("p99 with reloads / without", (all) => of(all, ({ quiet, during }) => during.p99Us / quiet.p99Us)),
    row("p50 with reloads / without", (all) => of(all, ({ quiet, during }) => during.p50Us / quiet.p50Us)),
    row("p99 without, ms", (all) => of(all, ({ quiet }) => quiet.p99Us / 1000)),
    row("p99 with reloads, ms", (all) => of(all, ({ during }) => during.p99Us / 1000)),
    row("slowest with reloads, ms", (all) => of(all, ({ during }) => during.maxUs / 1000, 0)),
    row("connections/s with reloads / without", (all) =>
      of(all, ({ quiet, during }) => during.perSecond / quiet.perSecond),
    ),
    row("a reload, ms", (all) => of(all, ({ during }) => during.reloadMs, 0)),
    row("failed of all connections", (all) => `${sum(all, "errors")} of ${sum(all, "count")}`),
  ].join("\n");
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    connections: { type: "string", default: "32" },
    period: { type: "string", default: "100" },
    node: { type: "string", default: process.execPath },
    nice: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
cleanUpAtTheEnd();
if (values.nice) usePriority();
const wish = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  connections: Number(values.connections),
  periodMs: Number(values.period),
};
const binaries = { without: ["nginx"], headgate: [], headgateEnv: {}, node: values.node, nodeArgs: [] };
const { found, missing } = findBalancers(binaries);
for (const each of missing) console.error(each);
const tools = buildTools();
const upstream = await startUpstream(tools.load, "echo", CORES);
const results = {};
for (const balancer of found) results[balancer.id] = await run(balancer, { ...wish, tools, upstream });
await upstream.stop();
console.log(values.json ? JSON.stringify({ ...wish, results }) : table(results));
