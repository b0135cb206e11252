// The command line of the benchmark: text in, checked options out. No I/O.
import { parseArgs } from "node:util";

export const USAGE = `usage: npm run bench -- [options]      (or: node bench/run.mjs [options])
  --rounds N           interleaved rounds (5)
  --seconds N          seconds a load is measured in each sample (4)
  --only A,B           of: pp64,pp16k,cr,bulk,idle,cut,evict,evict-pace,threads,checks
  --node PATH          node binary that runs Headgate (the one that runs this)
  --node-args="ARGS"   arguments for it, before bin/headgate (e.g. --node-args="--cpu-prof --cpu-prof-dir=prof")
  --headgate A,B       launchers to measure, to compare checkouts (bin/headgate of this one)
  --headgate-env K=V   environment for Headgate; repeatable
  --without A,B        leave out: headgate, haproxy, nginx
  --cores B,L          core of the balancer, core of load and upstream (0,1)
  --realtime           real-time priority (chrt --rr) for all that is measured; needs root. For machines with other work
  --nice               the highest ordinary priority (nice -20) instead: threads share a core as without it; needs root
  --out DIR            where JSON, SVG and table go (bench/results; with --quick: nowhere)
  --name NAME          their file name (node<major>)
  --quick              one short round with few sessions: does the benchmark itself work?
environment: HAPROXY=PATH[,PATH...]  the HAProxy binaries (default: haproxy on the PATH)`;

export const MEASURE_NAMES = ["pp64", "pp16k", "cr", "bulk", "idle", "cut", "evict", "evict-pace", "threads", "checks"];

/**
 * @typedef {object} Options
 * @property {number} rounds
 * @property {number} seconds     measured seconds a sample
 * @property {number} warmupSeconds
 * @property {string[]} only      measures, in the order of MEASURE_NAMES
 * @property {string} node        path of the binary that runs Headgate
 * @property {string[]} nodeArgs
 * @property {string[]} headgate  launchers; empty means this checkout's
 * @property {Record<string, string>} headgateEnv
 * @property {string[]} without
 * @property {{balancer: string, load: string, both: string}} cores  lists as taskset takes them
 * @property {boolean} realtime
 * @property {boolean} nice
 * @property {string | undefined} out
 * @property {string | undefined} name
 * @property {boolean} quick
 * @property {boolean} help
 */

/** Reads argv (without node and script). @returns {Options} @throws {Error} with a sentence for the user */
export function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string" },
      node: { type: "string" },
      "node-args": { type: "string" },
      headgate: { type: "string" },
      "headgate-env": { type: "string", multiple: true },
      without: { type: "string" },
      cores: { type: "string" },
      realtime: { type: "boolean" },
      nice: { type: "boolean" },
      out: { type: "string" },
      name: { type: "string" },
      quick: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const quick = values.quick ?? false;
  const only = list(values.only);
  for (const name of only)
    if (!MEASURE_NAMES.includes(name)) throw new Error(`--only ${name}: expected ${MEASURE_NAMES.join(", ")}`);
  return {
    rounds: number("--rounds", values.rounds ?? (quick ? "1" : "5"), 1, 1000),
    seconds: number("--seconds", values.seconds ?? (quick ? "1" : "4"), 0.1, 3600),
    warmupSeconds: quick ? 0.3 : 5,
    only: MEASURE_NAMES.filter((name) => only.length === 0 || only.includes(name)),
    node: values.node ?? process.execPath,
    nodeArgs: (values["node-args"] ?? "").split(/\s+/).filter(Boolean),
    headgate: list(values.headgate),
    headgateEnv: readEnvironment(values["headgate-env"] ?? []),
    without: list(values.without),
    cores: readCores(values.cores ?? "0,1"),
    realtime: values.realtime ?? false,
    nice: values.nice ?? false,
    out: values.out,
    name: values.name,
    quick,
    help: values.help ?? false,
  };
}

/** `["A=1", "B=2"]` as an object. @param {string[]} pairs @returns {Record<string, string>} */
export function readEnvironment(pairs) {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new Error(`--headgate-env ${pair}: expected KEY=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** A comma list without its empty parts. @param {string | undefined} text @returns {string[]} */
export function list(text) {
  return (text ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);
}

function readCores(text) {
  const [balancer, load, ...rest] = list(text);
  if (!/^\d+$/.test(balancer ?? "") || !/^\d+$/.test(load ?? "") || rest.length > 0 || balancer === load)
    throw new Error(`--cores ${text}: expected two different cores, e.g. 0,1`);
  return { balancer, load, both: `${balancer},${load}` };
}

function number(name, text, min, max) {
  const value = Number(text);
  if (!(value >= min && value <= max)) throw new Error(`${name} ${text}: expected a number from ${min} to ${max}`);
  return value;
}
