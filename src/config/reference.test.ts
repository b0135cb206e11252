// The reference on disk is the one that the tables give.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { renderReference } from "./reference.ts";

const PATH = join(import.meta.dirname, "../../docs/reference/config.md");

it("docs/reference/config.md is what the keyword tables give (UPDATE_GOLDEN=1 writes it)", () => {
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(PATH, renderReference());
  expect(readFileSync(PATH, "utf8")).toBe(renderReference());
});
