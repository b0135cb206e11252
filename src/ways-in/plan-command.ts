// `headgate plan`: asks the running process what a reload would do, and shows it. Control thread of a process of its own.

import { resolve } from "node:path";
import { renderDiagnostic } from "../config/diagnostics.ts";
import { loadConfig } from "../config/load.ts";
import type { Diagnostic, LoadResult } from "../config/model.ts";
import type { PlanResult } from "../control/reload/plan/plan-files.ts";
import { planText } from "../control/reload/plan/plan-text.ts";
import type { PlanCommand } from "./plan-options.ts";
import type { RunOutcome } from "./run-command.ts";
import { askSocket, connectFailure, type Environment, findSocket } from "./stats-socket-client.ts";

const NO_CHANGE = 0;
const NOT_VALID = 1;
const CHANGES = 2;
const NOT_REACHABLE = 3;

export interface PlanColours {
  /** ANSI colours on stdout, and on stderr. */
  readonly colour?: boolean;
  readonly errorColour?: boolean;
}

/** Runs the command. `load` reads configuration files for their stats socket. Never rejects. */
export async function runPlanCommand(
  command: PlanCommand,
  env: Environment,
  colours: PlanColours = {},
  load: (files: readonly string[]) => LoadResult = (files) => loadConfig(files, env),
): Promise<RunOutcome> {
  const unreachable = (text: string): RunOutcome => ({
    stdout: "",
    stderr: `headgate: ${text}\n`,
    exitCode: NOT_REACHABLE,
  });
  if (command.planned.some((file) => /[\r\n]/.test(file)))
    return unreachable("a file's name must not have a line feed");
  const isNamed = command.socket !== undefined || command.files.length > 0 || Boolean(env.HEADGATE_SOCKET);
  const loaded = isNamed || command.planned.length === 0 ? undefined : load(command.planned);
  if (loaded !== undefined && loaded.config === undefined) return invalid(command, loaded.diagnostics, colours);
  const files = loaded === undefined ? command.files : command.planned;
  const endpoint = findSocket({ ...command, files }, env, () => loaded ?? load(files));
  if (typeof endpoint === "string") return unreachable(endpoint);
  // The process may be in another directory.
  const words = ["plan", "json", ...command.planned.map((file) => resolve(file).replace(/[\\; \t]/g, "\\$&"))];
  let answer: string;
  try {
    answer = (await askSocket(endpoint, `${words.join(" ")}\n`)).trim();
  } catch (error) {
    return unreachable(connectFailure(endpoint, error as NodeJS.ErrnoException));
  }
  if (!answer.startsWith("{")) return unreachable(answer === "" ? "the answer is empty" : answer);
  return shown(command, JSON.parse(answer) as PlanResult, colours);
}

function shown(command: PlanCommand, result: PlanResult, colours: PlanColours): RunOutcome {
  if (!result.valid) return invalid(command, result.diagnostics, colours);
  const exitCode = result.plan.hasChanges ? CHANGES : NO_CHANGE;
  if (command.json) return { stdout: `${JSON.stringify(result)}\n`, stderr: "", exitCode };
  const stdout = planText(result.plan, { colour: colours.colour === true });
  return { stdout, stderr: messages(result.diagnostics, colours), exitCode };
}

function invalid(command: PlanCommand, diagnostics: readonly Diagnostic[], colours: PlanColours): RunOutcome {
  const stdout = command.json ? `${JSON.stringify({ valid: false, diagnostics })}\n` : "";
  return { stdout, stderr: command.json ? "" : messages(diagnostics, colours), exitCode: NOT_VALID };
}

const messages = (diagnostics: readonly Diagnostic[], { errorColour }: PlanColours): string =>
  diagnostics.map((d) => `${renderDiagnostic(d, { colour: errorColour === true })}\n\n`).join("");
