// The reference on disk is the one that the operations table gives, and the table is what dispatch and help need it to be.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { renderRuntimeReference } from "./reference.ts";
import { OPERATIONS } from "./table.ts";

const PATH = join(import.meta.dirname, "../../docs/reference/runtime-api.md");

it("docs/reference/runtime-api.md is what the table gives (UPDATE_GOLDEN=1 writes it)", () => {
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(PATH, renderRuntimeReference());
  expect(readFileSync(PATH, "utf8")).toBe(renderRuntimeReference());
});

it("no two operations have the same words", () => {
  const words = OPERATIONS.map((operation) => operation.words.join(" "));
  expect(new Set(words).size).toBe(words.length);
});

it("usages fit the first column of help", () => {
  const usages = OPERATIONS.map(({ words, args }) => [...words, args].join(" ").trim());
  expect(usages.filter((usage) => usage.length > 40)).toEqual([]);
});
