import { describe, expect, test } from "vitest";
import type { Config, Diagnostic, LoadResult } from "../config/model.ts";
import { checkConfig } from "./check-command.ts";

const speaker = { version: "1.2.3", executable: "/opt/headgate", pid: 9035 };
const PREAMBLE =
  "[NOTICE]   (9035) : headgate version is 1.2.3\n[NOTICE]   (9035) : path to executable is /opt/headgate\n";

const diagnostic = (part: Partial<Diagnostic>): Diagnostic => ({
  severity: "error",
  code: "unknown-keyword",
  message: "unknown keyword 'foo' in 'listen' section",
  place: { file: "t.cfg", line: 53, column: 5 },
  lineText: "    foo bar",
  length: 3,
  ...part,
});
const failed: LoadResult = { config: undefined, diagnostics: [diagnostic({ hint: "did you mean 'fob'?" })] };
const warned: LoadResult = { config: {} as Config, diagnostics: [diagnostic({ severity: "warning" })] };
const fine: LoadResult = { config: {} as Config, diagnostics: [] };

describe("-c, in HAProxy's words", () => {
  const check = (result: LoadResult, flags: { quiet?: boolean; verbose?: boolean } = {}) =>
    checkConfig(
      { kind: "check", style: "haproxy", files: ["t.cfg"], quiet: false, verbose: false, ...flags },
      result,
      speaker,
    );

  test("valid: silent, with -V one line", () => {
    expect(check(fine)).toEqual({ stdout: "", stderr: "", exitCode: 0 });
    expect(check(fine, { verbose: true }).stdout).toBe("Configuration file is valid\n");
  });
  test("warnings leave it valid and are announced on stdout", () => {
    const outcome = check(warned, { verbose: true });
    expect(outcome.stdout).toBe("Warnings were found.\nConfiguration file is valid\n");
    expect(outcome.stderr).toContain("[WARNING]  (9035) : config : parsing [t.cfg:53] : unknown keyword");
    expect(outcome.exitCode).toBe(0);
  });
  test("errors: the message, its place with column, the line, a caret, the hint, and the verdict", () => {
    const outcome = check(failed);
    expect(outcome.stdout).toBe("");
    expect(outcome.stderr).toBe(
      `${PREAMBLE}[ALERT]    (9035) : config : parsing [t.cfg:53] : unknown keyword 'foo' in 'listen' section
t.cfg:53:5: [unknown-keyword]
   53 |     foo bar
      |     ^^^
      = did you mean 'fob'?
[ALERT]    (9035) : config : Error(s) found in configuration file : t.cfg
[ALERT]    (9035) : config : Fatal errors found in configuration.
`,
    );
    expect(outcome.exitCode).toBe(1);
  });
  test("a message without a line stands alone", () => {
    const unreadable = diagnostic({ code: "unreadable", message: "cannot read 'no.cfg'", lineText: "" });
    expect(check({ config: undefined, diagnostics: [unreadable] }).stderr).toContain(
      "[ALERT]    (9035) : config : cannot read 'no.cfg'\n[ALERT]    (9035) : config : Error(s) found",
    );
  });
  test("-q says nothing and keeps the exit code", () => {
    expect(check(failed, { quiet: true })).toEqual({ stdout: "", stderr: "", exitCode: 1 });
    expect(check(fine, { quiet: true, verbose: true })).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  });
});

describe("headgate check", () => {
  const check = (result: LoadResult) =>
    checkConfig({ kind: "check", style: "headgate", files: ["t.cfg"], quiet: false, verbose: true }, result, speaker);

  test("says the verdict with what was found", () => {
    expect(check(fine)).toEqual({ stdout: "Configuration file is valid\n", stderr: "", exitCode: 0 });
    expect(check(warned).stdout).toBe("Configuration file is valid: 1 warning\n");
    const outcome = check(failed);
    expect(outcome.stderr).toMatch(/^t\.cfg:53:5: error: unknown keyword .*\n[\s\S]*\n\n1 error\n$/);
    expect(outcome).toMatchObject({ stdout: "", exitCode: 1 });
  });
});
