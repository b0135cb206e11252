// `headgate reload`: asks a running Headgate to put its configuration files in force as they are now, and shows the receipt. Runs in a
// process of its own.

import { loadConfig } from "../config/load.ts";
import type { LoadResult } from "../config/model.ts";
import type { ReloadReceipt } from "../control/reload/model.ts";
import { receiptText } from "../control/reload/receipt-text.ts";
import type { CommandLine } from "./cli.ts";
import type { PlanColours } from "./plan-command.ts";
import { askSocket, connectFailure, type Environment, findSocket } from "./stats-socket-client.ts";
import type { Terminal } from "./terminal.ts";

type ReloadCommand = Extract<CommandLine, { kind: "reload" }>;

const DONE = 0;
const REFUSED = 1;
/** Wrong words, or a socket that lets nobody reload. */
export const RELOAD_WRONG_USE = 2;
const NOT_REACHABLE = 3;

/** Runs the command; resolves with its exit code. Never rejects. */
export async function runReloadCommand(
  command: ReloadCommand,
  env: Environment,
  terminal: Pick<Terminal, "out" | "error">,
  colours: PlanColours = {},
  load: (files: readonly string[]) => LoadResult = (files) => loadConfig(files, env),
): Promise<number> {
  const endpoint = findSocket(command, env, load);
  if (typeof endpoint === "string") {
    terminal.error(`headgate: ${endpoint}\n`);
    return NOT_REACHABLE;
  }
  let text: string;
  try {
    text = (await askSocket(endpoint, "reload json\n")).trim();
  } catch (error) {
    terminal.error(`headgate: ${connectFailure(endpoint, error as NodeJS.ErrnoException)}\n`);
    return NOT_REACHABLE;
  }
  if (!text.startsWith("{")) {
    terminal.error(`headgate: ${text === "" ? "the answer is empty" : text}\n`);
    return RELOAD_WRONG_USE;
  }
  const receipt = JSON.parse(text) as ReloadReceipt;
  const isDone = receipt.outcome === "done";
  if (command.json) terminal.out(`${text}\n`);
  else if (isDone) terminal.out(receiptText(receipt, { colour: colours.colour === true }));
  else terminal.error(receiptText(receipt, { colour: colours.errorColour === true }));
  return isDone ? DONE : REFUSED;
}
