// docs/reference/limits.md is what src/base/limits.ts says: each limit, its value, and the reason in its comment.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as limitsModule from "../src/base/limits.ts";

const ROOT = join(import.meta.dirname, "..");
const PATH = join(ROOT, "docs/reference/limits.md");
const LIMITS = new Map<string, number>(Object.entries(limitsModule));

const HEAD = `# Limits

Written from \`src/base/limits.ts\`; do not edit. No limit is implicit: what is not listed here is bounded by the configuration, by the file
limit (two descriptors for each session) or by memory. Names end in their unit; without one it is a count.

| limit | value | |
|---|---|---|
`;

function renderLimits(): string {
  const source = readFileSync(join(ROOT, "src/base/limits.ts"), "utf8");
  const rows = [...source.matchAll(/\/\*\* ([^*]+) \*\/\nexport const (\w+)/g)].map(([, reason, name]) => {
    return `| \`${name}\` | ${LIMITS.get(name ?? "")?.toLocaleString("en-US")} | ${reason?.replace(/\s*\n\s*/g, " ")} |\n`;
  });
  return HEAD + rows.join("");
}

test("docs/reference/limits.md is what src/base/limits.ts says (UPDATE_GOLDEN=1 writes it)", () => {
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(PATH, renderLimits());
  expect(readFileSync(PATH, "utf8")).toBe(renderLimits());
});

test("every limit is listed", () => {
  const listed = readFileSync(PATH, "utf8").match(/^\| `\w+`/gm)?.length;
  expect(listed).toBe(LIMITS.size);
});
