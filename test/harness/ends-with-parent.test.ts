// A program under test ends with the process that started it, also when that is killed.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, it } from "vitest";
import { endsWithParent } from "./ends-with-parent.ts";
import { findCommand } from "./packages.ts";
import { waitFor } from "./wait-for.ts";

const PARENT = `
  const [file, ...args] = JSON.parse(process.argv[1]);
  const child = require("node:child_process").spawn(file, args, { stdio: "ignore" });
  child.once("spawn", () => process.stdout.write(child.pid + "\\n"));
  setInterval(() => {}, 1 << 30);
`;
const whyNot = findCommand("setpriv") === undefined ? " (skipped: needs setpriv)" : "";
const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) if (existsSync(`/proc/${pid}`)) process.kill(pid, "SIGKILL");
});

it.skipIf(whyNot !== "")(`is killed when the test process is${whyNot}`, async () => {
  const command = JSON.stringify(endsWithParent(["sleep", "1000"]));
  const parent = spawn(process.execPath, ["-e", PARENT, command], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  parent.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const pid = Number(await waitFor(() => /^(\d+)\n/.exec(said)?.[1], "the program to be started"));
  started.push(pid, parent.pid!);
  // The wish is there once setpriv has become the program.
  await waitFor(() => readFileSync(`/proc/${pid}/comm`, "latin1") === "sleep\n", "the program to run");
  parent.kill("SIGKILL");
  await waitFor(() => !existsSync(`/proc/${pid}`), "the program to be gone");
});
