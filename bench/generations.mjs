// What reloads leave behind: sessions that stay over many reloads, a new server each time, with Headgate and with HAProxy in master-worker
// mode. Counts processes and memory, and tries what an operator can still do with the sessions.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findBalancers } from "./lib/balancers.mjs";
import { cleanUpAtTheEnd, proportionalBytes } from "./lib/processes.mjs";
import { ask, PATIENCE_MS, startReloadable, until } from "./lib/reloads.mjs";
import { buildTools, holdSessions, startUpstream } from "./lib/tools.mjs";

const USAGE = `usage: node bench/generations.mjs [options]
  --reloads N          (20)
  --sessions N         opened after each reload (200)
  --rounds N           times in the same process (3): memory that is kept grows with each, memory that is used again does not
  --node PATH          node binary that runs Headgate
  --json               the figures as JSON instead of a table
environment: HAPROXY=PATH[,PATH...]  the HAProxy binaries (default: haproxy on the PATH)`;

const CORES = "0-1";
const STILL_MS = 1000;
const MIB = 2 ** 20;

/** One server, of a name that no generation had before. */
const sections = (upstreamPort) => (n, port) =>
  `defaults
  mode tcp
  timeout connect 60s
  timeout client 1h
  timeout server 1h
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  server s${n} 127.0.0.1:${upstreamPort}
`;

/** Sessions of clients in an answer to `show sess`. */
const listed = (text) => text.split("\n").filter((line) => line.includes(" fe=f ")).length;

/** What `measure` gives once it gives it twice running. @template T @param {() => T | Promise<T>} measure @param {(a: T, b: T) => boolean} isSame */
async function settled(measure, isSame) {
  let last = await measure();
  await until("figures to settle", async () => {
    await sleep(STILL_MS);
    const now = await measure();
    const isStill = isSame(now, last);
    last = now;
    return isStill;
  });
  return last;
}

/** All of it with one balancer. */
async function run(balancer, { tools, upstream, rounds, reloads, sessions }) {
  const at = await startReloadable(balancer, {
    cores: CORES,
    maxconn: reloads * sessions + 500,
    sections: sections(upstream.port),
  });
  const held = [];
  let generation = 0;
  const size = () => {
    const pids = at.pids();
    return { processes: pids.length, bytes: proportionalBytes(pids) };
  };
  const sizeNow = () => settled(size, (a, b) => a.processes === b.processes && Math.abs(a.bytes - b.bytes) < MIB / 4);
  const onSocket = async () => listed(await ask(at.socket, "show sess"));
  const onAllWorkers = async () => {
    let sum = await onSocket();
    for (const pid of await at.oldWorkers()) sum += listed(await ask(at.master, `@!${pid} show sess`));
    return sum;
  };
  const fill = async () => {
    for (let i = 0; i < reloads; i++) {
      await at.reload(++generation);
      const where = { port: at.port, connections: sessions, cores: CORES, timeoutMs: PATIENCE_MS };
      held.push(await holdSessions(tools.load, where));
    }
  };
  const empty = async () => {
    for (const each of held.splice(0)) await each.close();
    await until("the sessions to end", async () => (await onAllWorkers()) === 0);
    await until("old workers to end", async () => (await at.oldWorkers()).length === 0);
    return sizeNow();
  };
  try {
    const fresh = await sizeNow();
    await fill();
    const full = await sizeNow();
    const shown = { onSocket: await onSocket(), onAllWorkers: await onAllWorkers() };
    // HAProxy answers before it acts, so wait until nothing moves.
    const order = "shutdown sessions server b/s1";
    const answers = [(await ask(at.socket, order)).trim()];
    const oldest = (await at.oldWorkers()).at(-1);
    if (oldest !== undefined) answers.push((await ask(at.master, `@!${oldest} ${order}`)).trim());
    const left = await settled(onAllWorkers, (a, b) => a === b);
    const after = [await empty()];
    while (after.length < rounds) {
      await fill();
      after.push(await empty());
    }
    return { fresh, full, after, shown, ended: shown.onAllWorkers - left, answers };
  } finally {
    for (const each of held) await each.close();
    await at.stop();
  }
}

const mebibytes = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;

function table(results, { rounds, reloads, sessions }) {
  const columns = Object.keys(results);
  const row = (name, cell) => `| ${name} | ${columns.map((id) => cell(results[id])).join(" | ")} |`;
  const total = reloads * sessions;
  return [
    `| ${reloads} reloads, ${sessions} sessions after each | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    row("processes", ({ full }) => full.processes),
    row("memory before (PSS)", ({ fresh }) => mebibytes(fresh.bytes)),
    row(`with the ${total} sessions`, ({ full }) => mebibytes(full.bytes)),
    row(`when they have ended${rounds > 1 ? `, ${rounds} times over` : ""}`, ({ after }) =>
      after.map(({ bytes }) => mebibytes(bytes)).join(", "),
    ),
    row("listed by `show sess`", ({ shown }) => `${shown.onSocket} of ${total}`),
    row("listed by asking all processes", ({ shown }) => `${shown.onAllWorkers} of ${total}`),
    row("ended by `shutdown sessions server b/s1`", ({ ended, answers }) =>
      [`${ended} of ${sessions}`, ...answers.filter(Boolean).map((answer) => `"${answer}"`)].join(", "),
    ),
  ].join("\n");
}

const { values } = parseArgs({
  options: {
    reloads: { type: "string", default: "20" },
    sessions: { type: "string", default: "200" },
    rounds: { type: "string", default: "3" },
    node: { type: "string", default: process.execPath },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
cleanUpAtTheEnd();
const wish = { rounds: Number(values.rounds), reloads: Number(values.reloads), sessions: Number(values.sessions) };
const binaries = { without: ["nginx"], headgate: [], headgateEnv: {}, node: values.node, nodeArgs: [] };
const { found, missing } = findBalancers(binaries);
for (const each of missing) console.error(each);
const tools = buildTools();
const upstream = await startUpstream(tools.load, "echo", CORES);
const results = {};
for (const balancer of found) results[balancer.id] = await run(balancer, { ...wish, tools, upstream });
await upstream.stop();
console.log(values.json ? JSON.stringify({ ...wish, results }) : table(results, wish));
