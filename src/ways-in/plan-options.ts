// The words of `headgate plan`, as commander takes them.

import type { Command } from "commander";
import { FILE_OPTION, SOCKET_OPTION } from "./socket-options.ts";

export interface PlanCommand {
  readonly kind: "plan";
  /** What to plan a reload with; none: the files that the process was started with. */
  readonly planned: readonly string[];
  readonly json: boolean;
  readonly socket?: string;
  /** -f: where the socket is found. */
  readonly files: readonly string[];
}

/** Adds the subcommand. */
export function addPlan(root: Command, decide: (commandLine: PlanCommand) => void): void {
  root
    .command("plan")
    .description("say what a reload would do to the running process, sessions included; changes nothing")
    .argument("[file...]", "configuration files or directories (else those that the process was started with)")
    .option("--json", "the plan as JSON")
    .option(...SOCKET_OPTION)
    .option(...FILE_OPTION)
    .addHelpText(
      "after",
      "\nWithout a socket named, the first stats socket of the files is used. The process itself reads the files.\n" +
        "Ends with 0 if nothing would change, 2 if something would, 1 if the files are not valid, 3 if nobody answered.",
    )
    .action((planned: string[], options: { json?: boolean; socket?: string; f?: string[] }) =>
      decide({
        kind: "plan",
        planned,
        json: options.json === true,
        files: options.f ?? [],
        ...(options.socket === undefined ? {} : { socket: options.socket }),
      }),
    );
}
