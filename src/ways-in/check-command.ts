// `headgate -c` and `headgate check`: loads a configuration, says what is wrong, starts nothing. Control thread.

import { renderDiagnostic } from "../config/diagnostics.ts";
import type { LoadResult } from "../config/model.ts";
import type { CommandLine } from "./cli.ts";
import { configLines, type Speaker } from "./startup-lines.ts";

export interface CheckOutcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

type CheckCommand = Extract<CommandLine, { kind: "check" }>;

/** `colour`: ANSI colours on stderr, for `headgate check` only. */
export function checkConfig(
  command: CheckCommand,
  result: LoadResult,
  speaker: Speaker,
  options: { readonly colour?: boolean } = {},
): CheckOutcome {
  const exitCode = result.config === undefined ? 1 : 0;
  if (command.quiet) return { stdout: "", stderr: "", exitCode };
  if (command.style === "haproxy") {
    const warned = result.diagnostics.some((d) => d.severity === "warning");
    const stdout =
      (exitCode === 0 && warned ? "Warnings were found.\n" : "") +
      (exitCode === 0 && command.verbose ? "Configuration file is valid\n" : "");
    return { stdout, stderr: configLines(result, command.files, speaker), exitCode };
  }
  const messages = result.diagnostics.map((d) => `${renderDiagnostic(d, options)}\n\n`).join("");
  const summary = summarize(result);
  return exitCode === 0
    ? { stdout: `Configuration file is valid${summary === "" ? "" : `: ${summary}`}\n`, stderr: messages, exitCode }
    : { stdout: "", stderr: `${messages}${summary}\n`, exitCode };
}

function summarize(result: LoadResult): string {
  const parts: string[] = [];
  for (const severity of ["error", "warning", "notice"] as const) {
    const count = result.diagnostics.filter((d) => d.severity === severity).length;
    if (count > 0) parts.push(`${count} ${severity}${count === 1 ? "" : "s"}`);
  }
  return parts.join(", ");
}
