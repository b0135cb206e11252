// The chart of a run: one block a headline figure, one bar a balancer, readable on light and on dark pages. Pure.
import { figureText } from "./report.mjs";

const WIDTH = 760;
const LABEL_WIDTH = 130;
const VALUE_WIDTH = 110;
const BAR_HEIGHT = 16;
const BAR_PITCH = 21;
const BLOCK_GAP = 34;
const TOP = 86;
const COLOURS = ["#1f9d6b", "#3b7dd8", "#8a7bd1", "#b5792b", "#a0568a", "#6b7280"];

function markup(text) {
  return text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? c);
}

/** Bars are scaled to the largest value of their block. @param {import("./report.mjs").Outcome & {subtitles: string[]}} outcome @returns {string} SVG */
export function chart({ ids, rows, raws, subtitles }) {
  const titles = new Map(raws.map(({ measure }) => [measure.name, measure.title]));
  const parts = [];
  let y = TOP;
  for (const { measure, figure, values } of rows.filter((row) => row.figure.chart)) {
    const shown = ids.filter((id) => values[id]);
    if (shown.length === 0) continue;
    const largest = Math.max(...shown.map((id) => values[id].max));
    const better = figure.more ? "more is better" : "less is better";
    parts.push(
      `<text x="16" y="${y}" class="head">${markup(`${figure.label}`)}</text>`,
      `<text x="${WIDTH - 16}" y="${y}" class="dim" text-anchor="end">${markup(`${titles.get(measure)}; ${better}`)}</text>`,
    );
    y += 9;
    for (const id of shown) {
      parts.push(bar(id, ids.indexOf(id), values[id], largest, figure.unit, y));
      y += BAR_PITCH;
    }
    y += BLOCK_GAP - 9;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="Benchmark results">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .head { font-weight: 600; }
  .dim { fill: #59636e; font-size: 12px; }
  .spread { stroke: #1f2328; stroke-width: 1.5; opacity: 0.7; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .dim { fill: #9aa4af; }
    .spread { stroke: #e6edf3; }
  }
</style>
<text x="16" y="26" class="title">Headgate, HAProxy and nginx stream, one core each</text>
${subtitles.map((text, i) => `<text x="16" y="${44 + 16 * i}" class="dim">${markup(text)}</text>`).join("\n")}
${parts.join("\n")}
</svg>
`;
}

/** One bar with its value, and a thin line from the least to the most of the rounds. */
function bar(id, index, { median, min, max }, largest, unit, y) {
  const x = 16 + LABEL_WIDTH;
  const scale = (WIDTH - 16 - x - VALUE_WIDTH) / (largest > 0 ? largest : 1);
  const at = (value) => (x + Math.max(value, 0) * scale).toFixed(1);
  const middle = y + BAR_HEIGHT / 2;
  return `<text x="16" y="${y + 13}">${markup(id)}</text><rect x="${x}" y="${y}" width="${Math.max(median * scale, 1).toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${COLOURS[index % COLOURS.length]}"/><line x1="${at(min)}" x2="${at(max)}" y1="${middle}" y2="${middle}" class="spread"/><text x="${Number(at(max)) + 8}" y="${y + 13}">${markup(`${figureText(median)} ${unit === "/s" ? "/s" : unit}`.trim())}</text>`;
}
