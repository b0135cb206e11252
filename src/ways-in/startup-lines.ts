// What the program says on stderr before and while it starts, in HAProxy's shape: `[ALERT]    (pid) : text`. Control thread.

import { renderDiagnostic } from "../config/diagnostics.ts";
import type { Diagnostic, LoadResult, Severity } from "../config/model.ts";

export type StartupSeverity = "NOTICE" | "WARNING" | "ALERT";

const SEVERITIES: Readonly<Record<Severity, StartupSeverity>> = {
  notice: "NOTICE",
  warning: "WARNING",
  error: "ALERT",
};

/** One line with its line feed. */
export function startupLine(severity: StartupSeverity, text: string, pid: number = process.pid): string {
  return `${`[${severity}]`.padEnd(10)} (${pid}) : ${text}\n`;
}

/** Who speaks: the first lines before any message. */
export interface Speaker {
  readonly version: string;
  /** Path of the program's file. */
  readonly executable: string;
  readonly pid?: number;
}

/**
 * All that is to be said about a loaded configuration, "" if nothing: each message as HAProxy words it, then its place with
 * column, the line and a caret.
 */
export function configLines(result: LoadResult, files: readonly string[], speaker: Speaker): string {
  if (result.diagnostics.length === 0) return "";
  const { pid } = speaker;
  const out = [
    startupLine("NOTICE", `headgate version is ${speaker.version}`, pid),
    startupLine("NOTICE", `path to executable is ${speaker.executable}`, pid),
    ...result.diagnostics.map((d) => diagnosticLines(d, pid)),
  ];
  if (result.config === undefined) {
    const failed = new Set(result.diagnostics.filter((d) => d.severity === "error").map((d) => d.place.file));
    const named = failed.size > 0 ? failed : files;
    for (const file of named)
      out.push(startupLine("ALERT", `config : Error(s) found in configuration file : ${file}`, pid));
    out.push(startupLine("ALERT", "config : Fatal errors found in configuration.", pid));
  }
  return out.join("");
}

function diagnosticLines(d: Diagnostic, pid: number | undefined): string {
  const { file, line, column } = d.place;
  // The first line of the rendered message says again what HAProxy's shape says already; its place with column stays.
  const [, ...shown] = renderDiagnostic(d).split("\n");
  const hasPlace = d.lineText !== "";
  const message = hasPlace ? `config : parsing [${file}:${line}] : ${d.message}` : `config : ${d.message}`;
  const place = hasPlace ? `${file}:${line}:${column}: [${d.code}]\n` : "";
  return `${startupLine(SEVERITIES[d.severity], message, pid)}${place}${shown.map((text) => `${text}\n`).join("")}`;
}
