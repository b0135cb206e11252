// How evenly connections reach the threads: few and many, opened one by one and in a burst, several times over.
// Decides between one SO_REUSEPORT socket a thread and one shared listener; `--headgate-env` switches what is tried.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { findBalancers } from "./lib/balancers.mjs";
import { sizes } from "./lib/environment.mjs";
import { command, sessionsByEpoll, sessionsByField } from "./lib/fairness.mjs";
import { list, readEnvironment } from "./lib/options.mjs";
import { cleanUpAtTheEnd } from "./lib/processes.mjs";
import { spread } from "./lib/results.mjs";
import { withBalancer } from "./lib/samples.mjs";
import { buildTools, holdSessions } from "./lib/tools.mjs";

const USAGE = `usage: node bench/fairness.mjs [options]
  --threads N          nbthread (2)
  --few N, --many N    connections (10, 2000)
  --repeat N           times each (5), every time against a fresh balancer
  --by WHAT            epoll: the kernel's interest lists, one a thread (default); or a field of "show sess"
  --headgate A,B       launchers (bin/headgate of this checkout)
  --headgate-env K=V   environment for Headgate; repeatable
  --node PATH          node binary that runs Headgate
  --with A,B           also: haproxy, nginx (nginx's workers take the place of threads)`;

const PATIENCE_MS = 30_000;

function options() {
  const { values } = parseArgs({
    options: {
      threads: { type: "string", default: "2" },
      few: { type: "string", default: "10" },
      many: { type: "string", default: "2000" },
      repeat: { type: "string", default: "5" },
      by: { type: "string", default: "epoll" },
      headgate: { type: "string" },
      "headgate-env": { type: "string", multiple: true },
      node: { type: "string", default: process.execPath },
      with: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const count = (name, max) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) throw new Error(`--${name}: expected 1 to ${max}`);
    return value;
  };
  return {
    help: values.help,
    threads: count("threads", 64),
    few: count("few", 8000),
    many: count("many", 8000),
    repeat: count("repeat", 1000),
    by: values.by,
    without: ["haproxy", "nginx"].filter((kind) => !list(values.with).includes(kind)),
    headgate: list(values.headgate),
    headgateEnv: readEnvironment(values["headgate-env"] ?? []),
    node: values.node,
    nodeArgs: [],
  };
}

/** Sessions of each thread that has any, largest first. */
function once(run, balancer, { threads, by }, connections, burst) {
  const cores = { cores: run.cores.both, loadCores: run.cores.both };
  return withBalancer(run, balancer, { threads, ...cores }, async ({ port, socket, pids }) => {
    const at = { port, connections, burst, cores: run.cores.both, timeoutMs: PATIENCE_MS };
    const held = await holdSessions(run.tools.load, at);
    try {
      return by === "epoll" ? sessionsByEpoll(pids(), port) : sessionsByField(await command(socket, "show sess"), by);
    } finally {
      await held.close();
    }
  });
}

async function main() {
  const chosen = options();
  if (chosen.help) return console.log(USAGE);
  cleanUpAtTheEnd();
  const both = Array.from({ length: availableParallelism() }, (_, core) => core).join(",");
  const run = { tools: buildTools(), cores: { balancer: both, load: both, both }, sizes: sizes(false) };
  const { found, missing } = findBalancers(chosen);
  for (const text of missing) console.error(`left out: ${text}`);
  if (found.length === 0) throw new Error("no balancer to look at");
  console.log(
    `sessions a thread, nbthread ${chosen.threads}; share of the fullest thread, even is ${(1 / chosen.threads).toFixed(2)}`,
  );
  for (const balancer of found) {
    for (const connections of [chosen.few, chosen.many]) {
      for (const burst of [false, true]) {
        const shares = [];
        for (let i = 0; i < chosen.repeat; i++) shares.push(await once(run, balancer, chosen, connections, burst));
        const fullest = spread(shares.map((threads) => (threads[0] ?? 0) / connections));
        const seen = shares.every((threads) => threads.reduce((a, b) => a + b, 0) === connections);
        console.log(
          `${balancer.id.padEnd(18)} ${`${connections}`.padStart(5)} ${burst ? "in a burst " : "one by one "} ` +
            `fullest ${fullest.median.toFixed(2)} (${fullest.min.toFixed(2)}..${fullest.max.toFixed(2)})  ` +
            `${shares.map((threads) => threads.join("+")).join("  ")}${seen ? "" : "  (not every session was seen: try another --by)"}`,
        );
      }
    }
  }
}

main().catch((error) => {
  console.error(`fairness: ${error.message}`);
  process.exit(1);
});
