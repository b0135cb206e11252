// What is measured: for each measure how one sample of one balancer is taken, and which figures come out of it.
// A sample starts a fresh upstream and a fresh balancer, so that nothing of one sample (TIME_WAIT, heap) weighs on the next.
import { setTimeout as sleep } from "node:timers/promises";
import { EVICT_MEASURES } from "./evict-measures.mjs";
import { connectionsBegun, cpuSeconds, memory } from "./processes.mjs";
import { PATIENCE_MS, window, withBalancer } from "./samples.mjs";
import { holdSessions, runTool } from "./tools.mjs";

/**
 * @typedef {object} Figure
 * @property {string} key      in the sample
 * @property {string} label
 * @property {string} unit
 * @property {boolean} [more]  true where more is better
 * @property {{ratio: number} | {value: number}} [target]  bound for the ratio to the newest HAProxy, or for the value itself
 * @property {boolean} [chart] one of the headlines
 *
 * @typedef {Record<string, number | string>} Sample
 *
 * @typedef {object} Measure
 * @property {string} name     row in the results; `--only` selects by `group`
 * @property {string} group
 * @property {string} title
 * @property {Figure[]} figures
 * @property {(balancer: import("./balancers.mjs").Balancer) => boolean} [supports]
 * @property {(run: Run, balancer: import("./balancers.mjs").Balancer) => Promise<Sample>} sample
 *
 * @typedef {object} Run
 * @property {{load: string, cut: string}} tools
 * @property {{balancer: string, load: string, both: string}} cores
 * @property {number} seconds
 * @property {number} warmupSeconds
 * @property {{maxconn: number, idle: number, cutIdle: number, cutBusy: number, evictSeconds: number}} sizes
 */

const CONNECTIONS = 50;
const STREAMS = 8;
const BULK_MAXCONN = 1000; // HAProxy reserves pipes for a quarter of maxconn when it splices
const SETTLE_MS = 1000; // from the last session opened to the reading of memory
const CHECKED_SERVERS = 10_000;
const CHECKS_MAXCONN = 1000; // HAProxy refuses to start unless sessions and checks fit the file limit together
const FEW_CONNECTIONS = 4;
const PACED_PER_SECOND = 8000; // round trips: what takes the relay a quarter of a core
const CHECKS_WARMUP_MS = 3000; // all servers were checked once or twice by then

const latency = (bounds) => [
  { key: "p50Us", label: "p50", unit: "us" },
  { key: "p99Us", label: "p99", unit: "us", target: bounds && { ratio: 1.1 } },
  { key: "p999Us", label: "p99.9", unit: "us", target: bounds && { ratio: 1.3 } },
];

/** @param {string} name @param {number} size @param {string} title @param {number} target @returns {Measure} */
function roundTrips(name, size, title, target) {
  return {
    name,
    group: name,
    title: `round trips, ${title} x ${CONNECTIONS} connections`,
    figures: [
      { key: "perSecond", label: "round trips/s", unit: "/s", more: true, target: { ratio: target }, chart: true },
      { key: "cpuUs", label: "balancer CPU each", unit: "us", chart: size === 64 },
      ...latency(true),
    ],
    sample: (run, balancer) => window(run, balancer, "pp", { connections: CONNECTIONS, size }),
  };
}

/** @param {string} name @param {boolean} splice @param {string} title @returns {Measure} */
function bulk(name, splice, title) {
  return {
    name,
    group: "bulk",
    title: `${STREAMS} streams, ${title}`,
    figures: [
      {
        key: "gbPerSecond",
        label: "GB/s",
        unit: "GB/s",
        more: true,
        target: splice ? { ratio: 1.1 } : undefined,
        chart: splice,
      },
      { key: "cpuMsPerGb", label: "balancer CPU per GB", unit: "ms" },
    ],
    sample: async (run, balancer) => {
      const sample = await window(run, balancer, "bulk", { connections: STREAMS }, { splice, maxconn: BULK_MAXCONN });
      const gigabytes = sample.count / 1e9;
      return {
        ...sample,
        gbPerSecond: sample.perSecond / 1e9,
        cpuMsPerGb: (sample.balancerCpuSeconds * 1e3) / gigabytes,
      };
    },
  };
}

/** @param {string} name @param {boolean} http @param {string} title @returns {Measure} */
function healthChecks(name, http, title) {
  return {
    name,
    group: "checks",
    title: `${CHECKED_SERVERS.toLocaleString("en")} servers checked every second, ${title}`,
    supports: (balancer) => balancer.kind !== "nginx",
    figures: [
      { key: "cpuUs", label: "balancer CPU a check", unit: "us", target: { ratio: 1.5 }, chart: true },
      { key: "perSecond", label: "checks/s", unit: "/s", more: true },
      { key: "cores", label: "balancer CPU", unit: "cores" },
    ],
    sample: (run, balancer) => {
      const checks = { servers: CHECKED_SERVERS, http };
      return withBalancer(
        run,
        balancer,
        { upstream: http ? "http" : "echo", maxconn: CHECKS_MAXCONN, checks },
        async ({ pids }) => {
          await sleep(CHECKS_WARMUP_MS);
          const before = { cpu: cpuSeconds(pids()), begun: connectionsBegun(), at: performance.now() };
          await sleep(run.seconds * 1000);
          const seconds = (performance.now() - before.at) / 1000;
          const cpu = cpuSeconds(pids()) - before.cpu;
          const count = connectionsBegun() - before.begun;
          return { count, seconds, cpuUs: (cpu * 1e6) / count, perSecond: count / seconds, cores: cpu / seconds };
        },
      );
    },
  };
}

/** @type {Measure[]} */
export const MEASURES = [
  roundTrips("pp64", 64, "64 B", 1.0),
  roundTrips("pp16k", 16384, "16 KiB", 0.95),
  {
    name: "cr",
    group: "cr",
    title: `connections: open, 64 B echo, abortive close, ${CONNECTIONS} at a time`,
    figures: [
      { key: "perSecond", label: "connections/s", unit: "/s", more: true, target: { ratio: 0.97 }, chart: true },
      { key: "cpuUs", label: "balancer CPU each", unit: "us", target: { ratio: 0.95 }, chart: true },
      ...latency(false),
      { key: "errors", label: "failed connections", unit: "" },
    ],
    sample: (run, balancer) => window(run, balancer, "cr", { connections: CONNECTIONS, size: 64 }),
  },
  bulk("bulk", true, "option splice-auto"),
  bulk("bulk-nosplice", false, "without splice"),
  {
    name: "idle",
    group: "idle",
    title: "user memory of idle sessions",
    figures: [
      { key: "bytesPerSession", label: "bytes/session", unit: "B", target: { ratio: 0.4 }, chart: true },
      { key: "privateMbBefore", label: "before them", unit: "MB" },
    ],
    sample: idleMemory,
  },
  {
    name: "cut",
    group: "cut",
    title: "shutdown sessions server b/s under load",
    supports: (balancer) => balancer.kind !== "nginx",
    figures: [
      { key: "openAtAnswer", label: "open at the answer", unit: "", target: { value: 0 }, chart: true },
      { key: "answerMs", label: "time to the answer", unit: "ms" },
      { key: "lastCloseMs", label: "last session closed", unit: "ms", target: { ratio: 1.0 }, chart: true },
      { key: "neverClosed", label: "never closed", unit: "", target: { value: 0 } },
    ],
    sample: cut,
  },
  ...EVICT_MEASURES,
  {
    name: "threads",
    group: "threads",
    title: "nbthread 2 against 1, 64 B round trips, load on the same two cores",
    figures: [
      { key: "perSecond1", label: "round trips/s, 1 thread", unit: "/s", more: true },
      { key: "perSecond2", label: "round trips/s, 2 threads", unit: "/s", more: true },
      { key: "speedup", label: "2 threads / 1", unit: "x", more: true },
      { key: "cpuUs1", label: "balancer CPU each, 1 thread", unit: "us" },
      { key: "cpuUs2", label: "balancer CPU each, 2 threads", unit: "us" },
      { key: "cpuGrowth", label: "CPU each, 2 threads / 1", unit: "x" },
    ],
    sample: threads,
  },
  healthChecks("checks", false, "plain TCP"),
  healthChecks("checks-http", true, "option httpchk"),
  {
    name: "checks-relay",
    group: "checks",
    title: `64 B round trips x ${FEW_CONNECTIONS} connections beside those checks (plain TCP), all on the same two cores`,
    supports: (balancer) => balancer.kind !== "nginx",
    figures: [
      { key: "p99UsAlone", label: "p99 without checks", unit: "us" },
      { key: "p99Us", label: "p99 with checks", unit: "us" },
      { key: "p999UsAlone", label: "p99.9 without checks", unit: "us" },
      { key: "p999Us", label: "p99.9 with checks", unit: "us" },
      { key: "growth", label: "p99.9 with / without", unit: "x", target: { ratio: 1.0 } },
      { key: "p999UsKnocked", label: "p99.9 beside as many connections of another process", unit: "us" },
      { key: "overKnocked", label: "p99.9 with checks / beside those", unit: "x", target: { value: 1.1 } },
      { key: "pacedUsAlone", label: `p99.9 at ${PACED_PER_SECOND} round trips/s without checks`, unit: "us" },
      { key: "pacedUs", label: "the same with checks", unit: "us" },
      { key: "pacedGrowth", label: "the same, with / without", unit: "x", target: { value: 1.1 } },
    ],
    sample: relayBesideChecks,
  },
];

/** @type {Measure["sample"]} */
function idleMemory(run, balancer) {
  return withBalancer(run, balancer, {}, async ({ port, pids }) => {
    const { load } = run.tools;
    await sleep(SETTLE_MS);
    const before = memory(pids());
    const held = await holdSessions(load, {
      port,
      connections: run.sizes.idle,
      cores: run.cores.load,
      timeoutMs: PATIENCE_MS,
    });
    try {
      await sleep(SETTLE_MS);
      const after = memory(pids());
      return {
        sessions: run.sizes.idle,
        bytesPerSession: (after.privateBytes - before.privateBytes) / run.sizes.idle,
        rssBytesPerSession: (after.rssBytes - before.rssBytes) / run.sizes.idle,
        privateMbBefore: before.privateBytes / 1e6,
        privateMbAfter: after.privateBytes / 1e6,
      };
    } finally {
      await held.close();
    }
  });
}

/** @type {Measure["sample"]} */
function cut(run, balancer) {
  return withBalancer(run, balancer, {}, ({ port, socket }) =>
    runTool(
      run.tools.cut,
      [],
      { port, socket, idle: run.sizes.cutIdle, busy: run.sizes.cutBusy, command: "shutdown sessions server b/s" },
      { cores: run.cores.load, timeoutMs: PATIENCE_MS },
    ),
  );
}

/** @type {Measure["sample"]} */
async function threads(run, balancer) {
  const values = { connections: CONNECTIONS, size: 64 };
  const on = { cores: run.cores.both, loadCores: run.cores.both };
  const one = await window(run, balancer, "pp", values, { ...on, threads: 1 });
  const two = await window(run, balancer, "pp", values, { ...on, threads: 2 });
  return {
    perSecond1: one.perSecond,
    perSecond2: two.perSecond,
    speedup: two.perSecond / one.perSecond,
    cpuUs1: one.cpuUs,
    cpuUs2: two.cpuUs,
    cpuGrowth: two.cpuUs / one.cpuUs,
    balancerCores1: one.balancerCpuSeconds / one.seconds,
    balancerCores2: two.balancerCpuSeconds / two.seconds,
    loadCores1: one.loadCpuSeconds / one.seconds,
    loadCores2: two.loadCpuSeconds / two.seconds,
  };
}

/** @type {Measure["sample"]} */
async function relayBesideChecks(run, balancer) {
  const values = { connections: FEW_CONNECTIONS, size: 64 };
  const wish = { cores: run.cores.both, loadCores: run.cores.both, maxconn: CHECKS_MAXCONN, loadFirst: true };
  const alone = await window(run, balancer, "pp", values, wish);
  const checks = { servers: CHECKED_SERVERS, http: false };
  const beside = await window(run, balancer, "pp", values, { ...wish, checks });
  // What such a number of connections does on these cores, whoever makes them.
  const knocked = await window(run, balancer, "pp", values, { ...wish, knocksPerSecond: CHECKED_SERVERS });
  const paced = { ...values, rate: PACED_PER_SECOND };
  const pacedAlone = await window(run, balancer, "pp", paced, wish);
  const pacedBeside = await window(run, balancer, "pp", paced, { ...wish, checks });
  return {
    pacedUsAlone: pacedAlone.p999Us,
    pacedUs: pacedBeside.p999Us,
    pacedGrowth: pacedBeside.p999Us / pacedAlone.p999Us,
    perSecondAlone: alone.perSecond,
    perSecond: beside.perSecond,
    p99UsAlone: alone.p99Us,
    p99Us: beside.p99Us,
    p999UsAlone: alone.p999Us,
    p999Us: beside.p999Us,
    growth: beside.p999Us / alone.p999Us,
    p999UsKnocked: knocked.p999Us,
    overKnocked: beside.p999Us / knocked.p999Us,
  };
}
