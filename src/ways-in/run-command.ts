// `headgate run "COMMAND"`: one line to the stats socket of a running Headgate (or HAProxy), its answer to stdout. Control
// thread of a process of its own. The sending side stays open until the answer is complete: a HAProxy breaks `wait` otherwise.

import { loadConfig } from "../config/load.ts";
import type { LoadResult } from "../config/model.ts";
import type { CommandLine } from "./cli.ts";
import { askSocket, connectFailure, type Environment, findSocket } from "./stats-socket-client.ts";

type RuntimeCommand = Extract<CommandLine, { kind: "runtime" }>;

export interface RunOutcome {
  readonly stdout: string;
  readonly stderr: string;
  /** 0: done; 1: a command was refused; 2: nobody answered. */
  readonly exitCode: number;
}

const unanswered = (text: string): RunOutcome => ({ stdout: "", stderr: `headgate: ${text}\n`, exitCode: 2 });

/** Runs the command. `load` reads the configuration files of -f. Never rejects. */
export async function runRuntimeCommand(
  command: RuntimeCommand,
  env: Environment,
  load: (files: readonly string[]) => LoadResult = (files) => loadConfig(files, env),
): Promise<RunOutcome> {
  if (command.command.trim() === "") return unanswered("the command is empty");
  if (/[\r\n]/.test(command.command)) return unanswered("a command is one line: separate commands with ';'");
  const found = findSocket(command, env, load);
  if (typeof found === "string") return unanswered(found);
  try {
    // With severities in the answer a refusal can be told from a dump, and the exit code says so.
    const answer = await askSocket(found, `set severity-output number;${command.command}\n`);
    return { ...readAnswer(answer), stderr: "" };
  } catch (error) {
    return unanswered(connectFailure(found, error as NodeJS.ErrnoException));
  }
}

/** Takes the severities and the final empty line off: what HAProxy's socket would have said without them. */
function readAnswer(answer: string): { stdout: string; exitCode: number } {
  // The answer to `set severity-output` is one empty line.
  const text = answer.startsWith("\n") ? answer.slice(1) : answer;
  let refused = false;
  // Of an unknown command the answer's severity says nothing: the commands that there are count as information.
  const stdout = text.replace(/^\[([0-7])\]: (Unknown command)?/gm, (_, severity: string, unknown = "") => {
    if (Number(severity) <= 3 || unknown !== "") refused = true;
    return unknown;
  });
  const exitCode = refused ? 1 : 0;
  if (stdout === "\n") return { stdout: "", exitCode };
  return { stdout: stdout.endsWith("\n\n") ? stdout.slice(0, -1) : stdout, exitCode };
}
