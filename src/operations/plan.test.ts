import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DEFAULT_CONFIG, InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import type { AdminLevel } from "../config/model.ts";
import type { PlanResult } from "../control/reload/plan/plan-files.ts";
import { W_MAXCONN } from "../memory/control-words.ts";
import type { OperationContext } from "./operation.ts";
import { plan } from "./plan.ts";

let program: InMemoryProgram;
let directory: string;

beforeEach(async () => {
  program = await InMemoryProgram.start(DEFAULT_CONFIG, 1000);
  program.memory.words[W_MAXCONN] = 1000;
  directory = mkdtempSync(join(tmpdir(), "headgate-plan-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function run(args: readonly string[], level: AdminLevel = "admin"): Promise<string> {
  const connection: OperationContext["connection"] = {
    level,
    mode: "once",
    timedPrompt: false,
    severityOutput: "none",
    timeoutMs: 1000,
    closing: false,
  };
  const answer = await plan.run({ program, connection, signal: new AbortController().signal }, args);
  let text = "";
  for await (const part of answer.text) text += part;
  return `${answer.severity ?? "dump"}: ${text}`;
}

it("reads the files of the process again", async () => {
  program.configFiles = [file("now.cfg", `${DEFAULT_CONFIG}    server s2 127.0.0.1:28902\n`)];
  const place = `${directory}/now.cfg`;
  expect(await run([], "operator")).toBe(
    `dump: 1 server added.\n+ server other/s2 127.0.0.1:28902 (${place}:${DEFAULT_CONFIG.split("\n").length})\n`,
  );
  writeFileSync(place, DEFAULT_CONFIG);
  expect(await run([])).toBe("dump: No changes, the files say what is loaded.\n");
  expect(program.changes).toEqual([]);
});

it("reads other files for an admin only", async () => {
  const other = file("other.cfg", DEFAULT_CONFIG.replace("weight 10", "weight 20"));
  expect(await run([other])).toContain("~ server be/s1: weight 10 -> 20");
  expect(await run([other], "operator")).toBe("3: Permission denied\n");
});

it("says what is wrong with them, with the place, and nothing else", async () => {
  const wrong = file("wrong.cfg", "global\n  maxcon 1\n");
  expect(await run([wrong])).toMatch(
    new RegExp(`^3: ${wrong}:2:3: error: unknown word 'maxcon' .*\n +2 | {3}maxcon 1\n.*\n.*did you mean 'maxconn'`),
  );
  expect(await run([join(directory, "missing.cfg")])).toContain("cannot read");
});

it("answers in JSON on one line", async () => {
  const other = file("other.cfg", DEFAULT_CONFIG.replace("backend other", "backend another"));
  const text = (await run(["json", other])).replace("dump: ", "");
  expect(text.trimEnd()).not.toContain("\n");
  const found = JSON.parse(text) as PlanResult;
  expect(found.valid && found.plan.proxies).toMatchObject({
    added: [{ name: "another" }],
    leaving: [{ name: "other" }],
  });
  const wrong = file("wrong.cfg", "global\n  maxcon 1\n");
  expect(JSON.parse((await run(["json", wrong])).replace("dump: ", ""))).toMatchObject({
    valid: false,
    diagnostics: [{ code: "unknown-keyword", place: { line: 2, column: 3 } }],
  });
});

it("refuses without files", async () => {
  expect(await run([])).toBe("3: Which files? The configuration of this process does not come from any.\n");
});
