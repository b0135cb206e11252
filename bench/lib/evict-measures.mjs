// A server with thousands of sessions taken out under full load: all at once beside HAProxy's cut, and at a pace beside a load on another
// server, before and meanwhile.
import { PATIENCE_MS, withBalancer } from "./samples.mjs";
import { prepareCut, runTool } from "./tools.mjs";

const CONNECTIONS = 50;
/** Of a window of the load this much is thrown away at its beginning; the rest of the eviction is measured but for its last second. */
const SETTLE_SECONDS = 2;
const SPARE_SECONDS = 1;
/** The load beside a cut at once: while the sessions are opened, and longer than the cut takes. */
const BESIDE_SECONDS = 12;

/** @param {import("./balancers.mjs").Balancer} balancer */
const atOnce = ({ kind }) => (kind === "headgate" ? "evict server b/s" : "shutdown sessions server b/s");

/** Sessions that begin and end on the other server: a balancer that runs in earnest has ended sessions before. */
function warmUp(run, port) {
  const values = { port, seconds: run.warmupSeconds, warmup: 0, connections: CONNECTIONS, size: 64 };
  return runTool(run.tools.load, ["cr"], values, { cores: run.cores.load, timeoutMs: PATIENCE_MS });
}

/** Round trips on the other server. */
function loadOnOther(run, port, pids, seconds) {
  const values = { port, seconds, warmup: SETTLE_SECONDS, connections: CONNECTIONS, size: 64, pids: pids().join(",") };
  return runTool(run.tools.load, ["pp"], values, { cores: run.cores.load, timeoutMs: seconds * 1000 + PATIENCE_MS });
}

/** @type {import("./measures.mjs").Measure["sample"]} */
function now(run, balancer) {
  return withBalancer(run, balancer, { other: true }, async ({ port, otherPort, socket, pids }) => {
    await warmUp(run, otherPort);
    const { idle, cutBusy: busy } = run.sizes;
    const values = { port, socket, idle: idle - busy, busy, command: atOnce(balancer), settle: SETTLE_SECONDS };
    // The load goes on beside the sessions while they are opened and cut.
    const load = loadOnOther(run, otherPort, pids, BESIDE_SECONDS).catch((error) => ({ error: error.message }));
    const sample = await runTool(run.tools.cut, [], values, { cores: run.cores.load, timeoutMs: PATIENCE_MS });
    const { error } = await load;
    if (error !== undefined) throw new Error(error);
    return sample;
  });
}

/** @param {(seconds: number, sessions: number) => string} words of `evict server` */
function paced(words) {
  /** @type {import("./measures.mjs").Measure["sample"]} */
  return (run, balancer) =>
    withBalancer(run, balancer, { other: true }, async ({ port, otherPort, socket, pids }) => {
      await warmUp(run, otherPort);
      const { idle, evictSeconds } = run.sizes;
      const command = `evict server b/s ${words(evictSeconds, idle)}`;
      const perSecond = idle / evictSeconds;
      const timeoutMs = evictSeconds * 1000 + PATIENCE_MS;
      const options = { cores: run.cores.load, timeoutMs };
      const cut = await prepareCut(run.tools.cut, { port, socket, idle, busy: 0, command, perSecond }, options);
      try {
        const seconds = evictSeconds - SETTLE_SECONDS - SPARE_SECONDS;
        const alone = await loadOnOther(run, otherPort, pids, seconds);
        const [beside, evicted] = await Promise.all([loadOnOther(run, otherPort, pids, seconds), cut.order()]);
        return {
          ...evicted,
          perSecondAlone: alone.perSecond,
          perSecond: beside.perSecond,
          p99UsAlone: alone.p99Us,
          p99Us: beside.p99Us,
          p999UsAlone: alone.p999Us,
          p999Us: beside.p999Us,
          growth: beside.p999Us / alone.p999Us,
          lastCloseSeconds: evicted.lastCloseMs / 1000,
        };
      } finally {
        await cut.close();
      }
    });
}

/** @param {string} name @param {string} title @param {(seconds: number, sessions: number) => string} words */
const pacedMeasure = (name, title, words) => ({
  name,
  group: "evict-pace",
  title,
  supports: ({ kind }) => kind === "headgate",
  figures: [
    { key: "paceErrorPercent", label: "worst pace error over any 10 s", unit: "%", target: { value: 5 } },
    { key: "lastCloseSeconds", label: "last session closed", unit: "s" },
    { key: "p999UsAlone", label: "p99.9 of the load on another server, before", unit: "us" },
    { key: "p999Us", label: "p99.9 of the load on another server, meanwhile", unit: "us" },
    { key: "growth", label: "p99.9, meanwhile to before", unit: "x", target: { value: 1.5 } },
    { key: "openAtAnswer", label: "open at the answer", unit: "", target: { value: 0 } },
  ],
  sample: paced(words),
});

/** @type {import("./measures.mjs").Measure[]} */
export const EVICT_MEASURES = [
  {
    name: "evict",
    group: "evict",
    title: "8,000 sessions evicted at once under full load (HAProxy: shutdown sessions server)",
    supports: ({ kind }) => kind !== "nginx",
    figures: [
      { key: "openAtAnswer", label: "open at the answer", unit: "", target: { value: 0 } },
      { key: "answerMs", label: "time to the answer", unit: "ms" },
      { key: "lastCloseMs", label: "last session closed", unit: "ms", target: { ratio: 1.0 } },
      { key: "neverClosed", label: "never closed", unit: "", target: { value: 0 } },
    ],
    sample: now,
  },
  pacedMeasure(
    "evict-over",
    "8,000 sessions evicted over a time under full load on another server",
    (seconds) => `over ${seconds}s`,
  ),
  pacedMeasure(
    "evict-rate",
    "8,000 sessions evicted at a rate under full load on another server",
    (seconds, sessions) => `rate ${Math.round(sessions / seconds)}`,
  ),
];
