// The benchmark: Headgate, HAProxy and nginx stream side by side, interleaved round by round (A B C A B C ...).
// Takes the samples, prints the table, writes JSON, SVG and Markdown. Exit code 1 if a sample failed; a missed target is no failure.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { findBalancers } from "./lib/balancers.mjs";
import { chart } from "./lib/chart.mjs";
import { describe, sizes } from "./lib/environment.mjs";
import { MEASURES } from "./lib/measures.mjs";
import { readOptions, USAGE } from "./lib/options.mjs";
import { cleanUpAtTheEnd, usePriority, useRealtime } from "./lib/processes.mjs";
import { figureText, markdownTable, textTable } from "./lib/report.mjs";
import { summarize } from "./lib/results.mjs";
import { buildTools } from "./lib/tools.mjs";

function options() {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** One sample; a failure is kept as a result, so that one bad sample does not lose a run. */
async function take(run, measure, balancer, round) {
  try {
    const sample = await measure.sample(run, balancer);
    const { key, unit } = measure.figures[0];
    console.error(
      `${measure.name.padEnd(13)} round ${round}  ${balancer.id.padEnd(18)} ${figureText(sample[key])} ${unit}`,
    );
    return { round, sample };
  } catch (error) {
    console.error(`${measure.name.padEnd(13)} round ${round}  ${balancer.id.padEnd(18)} FAILED: ${error.message}`);
    return { round, error: error.message };
  }
}

async function takeAll(run, measures, balancers, rounds) {
  const raws = [];
  for (const measure of measures) {
    const taking = balancers.filter((balancer) => measure.supports?.(balancer) ?? true);
    const taken = Object.fromEntries(taking.map(({ id }) => [id, []]));
    for (let round = 1; round <= rounds; round++)
      for (const balancer of taking) taken[balancer.id].push(await take(run, measure, balancer, round));
    raws.push({ measure, taken });
  }
  return raws;
}

function write(chosen, environment, outcome) {
  const folder = chosen.out ?? (chosen.quick ? undefined : join(import.meta.dirname, "results"));
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const base = join(folder, chosen.name ?? `node${/\d+/.exec(environment.node)?.[0]}`);
  const { ids, subject, reference, rows, raws } = outcome;
  const samples = raws.map(({ measure, taken }) => ({ measure: measure.name, title: measure.title, taken }));
  writeFileSync(
    `${base}.json`,
    `${JSON.stringify({ environment, ids, subject, reference, rows, samples }, null, 1)}\n`,
  );
  const { cpu, kernel, node, date, rounds } = environment;
  const subtitles = [
    `${cpu}; kernel ${kernel}; Node ${node}; ${date.slice(0, 10)}`,
    `medians of ${rounds} interleaved rounds; thin lines: least to most`,
  ];
  writeFileSync(`${base}.svg`, chart({ ...outcome, subtitles }));
  writeFileSync(`${base}.md`, markdownTable({ ...outcome, environment }));
  console.error(`written: ${base}.json .svg .md`);
}

async function main() {
  const chosen = options();
  if (chosen.help) {
    console.log(USAGE);
    return;
  }
  if (availableParallelism() < 2) throw new Error("two cores are needed: one for the balancer, one for the load");
  cleanUpAtTheEnd();
  if (chosen.realtime) useRealtime();
  else if (chosen.nice) usePriority();
  spawnSync("taskset", ["-acp", chosen.cores.load, `${process.pid}`]); // off the balancer's core
  const tools = buildTools();
  const { found, missing } = findBalancers(chosen);
  for (const text of missing) console.error(`left out: ${text}`);
  if (found.length === 0) throw new Error("no balancer to measure");
  const environment = describe(chosen, found);
  const run = { tools, ...chosen, sizes: sizes(chosen.quick) };
  const measures = MEASURES.filter(({ group }) => chosen.only.includes(group));
  const raws = await takeAll(run, measures, found, chosen.rounds);
  const subject = found.find(({ kind }) => kind === "headgate")?.id;
  const reference = found.find(({ kind }) => kind === "haproxy")?.id;
  const ids = found.map(({ id }) => id);
  const outcome = {
    ids,
    subject,
    reference,
    raws,
    rows: summarize(raws, ids, subject, reference),
    quick: chosen.quick,
  };
  console.log(`\n${textTable(outcome)}`);
  write(chosen, environment, outcome);
  if (raws.some(({ taken }) => Object.values(taken).some((all) => all.some(({ error }) => error))))
    process.exitCode = 1;
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exit(1);
});
