// `headgate demo` as a newcomer meets it: started, given the lines that it shows, ended by Ctrl-C.

import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { HEADGATE } from "../harness/program.ts";
import { waitFor } from "../harness/wait-for.ts";

test("the demo shows a server emptied by its own lines, and Ctrl-C leaves nothing behind", async () => {
  const directory = mkdtempSync(join(tmpdir(), "headgate-demo-"));
  const child = spawn(process.execPath, [HEADGATE, "demo"], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = new Promise<number | null>((resolve) => child.on("close", resolve));
  const seen = (pattern: RegExp): Promise<unknown> =>
    waitFor(
      () => pattern.test(output) || undefined,
      () => `${pattern} in the demo's output:\n${output}`,
    );
  const run = async (command: string): Promise<string> =>
    (await promisify(execFile)(process.execPath, [HEADGATE, "run", command], { cwd: directory })).stdout;
  try {
    await seen(/s1 UP [1-9]\d* sessions [1-9][^|]*B\/s \| s2 UP [1-9]/);
    expect(output).toContain('run "shutdown sessions server trio/s1"');
    expect(await run("disable server trio/s1")).toBe("");
    await seen(/s1 is disabled: no new sessions/);
    expect(await run("shutdown sessions server trio/s1; wait 100ms srv-removable trio/s1")).toContain("Done.\n");
    expect(await run("show sess")).not.toContain("srv=s1");
    await seen(/s1 MAINT 0 sessions/);
    await seen(/clients? of s1 connected again: [^\n]* to s[23]/);
    expect(await run("enable server trio/s1")).toBe("");
    await seen(/s1 takes new sessions again/);
    child.kill("SIGINT");
    expect(await exited).toBe(0);
    expect(output).toMatch(/The demo is over: .* relayed, \d+ sessions cut by order\.\n$/);
    expect(existsSync(join(directory, "headgate.sock"))).toBe(false);
  } finally {
    child.kill("SIGKILL");
    await exited;
    rmSync(directory, { recursive: true, force: true });
  }
});

test("the demo ends by itself when nobody looks any more", async () => {
  const directory = mkdtempSync(join(tmpdir(), "headgate-demo-"));
  const child = spawn(process.execPath, [HEADGATE, "demo"], { cwd: directory, stdio: ["ignore", "pipe", "ignore"] });
  const exited = new Promise<number | null>((resolve) => child.on("exit", resolve));
  try {
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.stdout.destroy();
    expect(await exited).toBe(0);
    expect(existsSync(join(directory, "headgate.sock"))).toBe(false);
  } finally {
    child.kill("SIGKILL");
    await exited;
    rmSync(directory, { recursive: true, force: true });
  }
});
