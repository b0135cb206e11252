import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfigText } from "../config/load.ts";
import { runPlanCommand } from "./plan-command.ts";
import type { PlanCommand } from "./plan-options.ts";

const command = (parts: Partial<PlanCommand>): PlanCommand => ({
  kind: "plan",
  planned: [],
  json: false,
  files: [],
  ...parts,
});

const wrong = () => loadConfigText("global\n  maxcon 1\n", "a.cfg", {});

describe("headgate plan without a process to ask", () => {
  test("says what is wrong with the files, where the socket was to be found in them", async () => {
    const outcome = await runPlanCommand(command({ planned: ["a.cfg"] }), {}, {}, wrong);
    expect(outcome).toMatchObject({ stdout: "", exitCode: 1 });
    expect(outcome.stderr).toMatch(/^a\.cfg:2:3: error: unknown word 'maxcon'/);
    expect(outcome.stderr).not.toContain("\x1b");
    const coloured = await runPlanCommand(command({ planned: ["a.cfg"] }), {}, { errorColour: true }, wrong);
    expect(coloured.stderr).toContain("\x1b[31merror");
    const json = await runPlanCommand(command({ planned: ["a.cfg"], json: true }), {}, {}, wrong);
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: false, diagnostics: [{ code: "unknown-keyword" }] });
    expect(json).toMatchObject({ stderr: "", exitCode: 1 });
  });

  test.each([
    ["a socket that is not there", command({ socket: join(import.meta.dirname, "none.sock") }), /there is no socket/],
    ["files without a socket", command({ planned: ["b.cfg"] }), /b\.cfg has no 'stats socket' line/],
    ["a name with a line feed", command({ planned: ["a\nb"] }), /line feed/],
  ])("%s: 3", async (_, asked, message) => {
    const outcome = await runPlanCommand(asked, {}, {}, () => loadConfigText("backend b\n", "b.cfg", {}));
    expect(outcome).toMatchObject({ stdout: "", exitCode: 3 });
    expect(outcome.stderr).toMatch(message);
  });
});
