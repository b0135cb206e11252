// The table of a run, as plain text for the terminal and as Markdown for the documentation. Pure.
import { busyCores } from "./results.mjs";

/** @typedef {{ids: string[], subject?: string, reference?: string, raws: import("./results.mjs").Raw[], rows: import("./results.mjs").Row[], quick: boolean}} Outcome */

/** A figure in three or more significant digits, thousands grouped. */
export function figureText(value) {
  if (value === undefined) return "-";
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, digits === 0 ? " " : "");
}

function ratioText(ratio) {
  return ratio ? `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)})` : "-";
}

function targetText({ target, more }) {
  if (!target) return "";
  return "value" in target
    ? `${target.value === 0 ? "=" : "<="} ${target.value}`
    : `${more ? ">=" : "<="} ${target.ratio.toFixed(2)}`;
}

/** @param {Outcome} outcome @returns {string[][]} header first */
function cells({ ids, subject, reference, rows, quick }) {
  const others = ids.filter((id) => id !== subject && id !== reference);
  const first = [subject, reference].filter((id) => id !== undefined);
  const withRatio = subject !== undefined && reference !== undefined;
  const header = ["measure", ...first, ...(withRatio ? ["ratio (min..max)"] : []), ...others, "target", ""];
  const body = rows.map(({ measure, figure, values, ratios, verdict }) => [
    `${measure}: ${figure.label}${figure.unit && !figure.label.includes("/") ? `, ${figure.unit}` : ""}`,
    ...first.map((id) => figureText(values[id]?.median)),
    ...(withRatio ? [ratioText(ratios[reference])] : []),
    ...others.map((id) => figureText(values[id]?.median)),
    targetText(figure),
    quick && verdict !== "failed" ? "" : (verdict ?? ""),
  ]);
  return [header, ...body];
}

/** @param {Outcome} outcome */
export function textTable(outcome) {
  const table = cells(outcome);
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
  return [...table.map((row) => line(row).trimEnd()), "", ...notes(outcome)].join("\n");
}

/** @param {Outcome & {environment: Record<string, unknown>}} outcome */
export function markdownTable(outcome) {
  const [header, ...body] = cells(outcome).map((row) => `| ${row.join(" | ")} |`);
  const rule = `|${cells(outcome)[0]
    .map((_, i) => (i === 0 ? "---|" : "---:|"))
    .join("")}`;
  const about = Object.entries(outcome.environment).map(([key, value]) => `- ${key}: ${value}`);
  return [...about, "", header, rule, ...body, "", ...notes(outcome).map((note) => `- ${note}`), ""].join("\n");
}

/** What must be known to read the figures: what kept which core busy, and what failed. @param {Outcome} outcome */
export function notes({ ids, raws, reference, quick }) {
  const limits = raws.flatMap(({ measure, taken }) => {
    const parts = ids.flatMap((id) => {
      const busy = busyCores(taken[id] ?? []);
      return busy ? [`${id} ${percent(busy.balancer)}/${percent(busy.load)}`] : [];
    });
    return parts.length > 0 ? [`cores busy (balancer/load) in ${measure.name}: ${parts.join(", ")}`] : [];
  });
  const failures = raws.flatMap(({ measure, taken }) =>
    Object.entries(taken).flatMap(([id, all]) =>
      all.flatMap(({ round, error }) => (error ? [`failed: ${measure.name}, round ${round}, ${id}: ${error}`] : [])),
    ),
  );
  const threads = raws.some(({ measure }) => measure.group === "threads")
    ? [
        "threads: balancer, load and upstream share two cores, so twice the round trips is out of reach; that CPU per round trip does not grow is what lets more cores help",
      ]
    : [];
  const ratio = reference
    ? [`ratios are Headgate / ${reference}, paired by round; values are medians of the rounds`]
    : [];
  const short = quick ? ["a quick run: it shows that the benchmark works, its figures say nothing"] : [];
  return [...short, ...ratio, ...limits, ...threads, ...failures];
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}
