// One call of `headgate <words>` as typed into a shell, to its end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { HEADGATE } from "./program.ts";

export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `started`: hears of what has to be closed if the test ends before the command does. */
export async function runHeadgate(
  words: readonly string[],
  started: (command: { close(): void }) => void,
  cwd?: string,
): Promise<CommandOutcome> {
  const child = spawn(process.execPath, [HEADGATE, ...words], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  started({ close: () => void child.kill("SIGKILL") });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}
