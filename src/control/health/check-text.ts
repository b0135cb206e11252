// What a check found, in the words that HAProxy's log lines have for it, since scripts look for them. Pure.

import type { ServerEntry } from "../registry.ts";
import type { CheckState } from "./health-entry.ts";
import { type CheckResult, hasCode, resultKindOf, statusWords } from "./result.ts";
import { type CheckSource, isPassing } from "./state-machine.ts";

/** Bytes that would break a line or a quoted text, as "<0A>". A description has one character a byte. */
const encoded = (text: string): string =>
  text.replace(
    /[^\x20-\x7e]|"/g,
    (character) => `<${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}>`,
  );

/** ", reason: Layer7 wrong status, code: 503, info: "...", check duration: 1ms". */
export function reasonText(result: CheckResult): string {
  const code = hasCode(result.status) ? `, code: ${result.code}` : "";
  const info = result.description === "" ? "" : `, info: "${encoded(result.description)}"`;
  const duration = result.durationMs < 0 ? "" : `, check duration: ${result.durationMs}ms`;
  return `, reason: ${statusWords(result.status)}${code}${info}${duration}`;
}

/** A line of `option log-health-checks`, without the full stop. */
export function checkLogText(
  server: ServerEntry,
  source: CheckSource,
  check: CheckState,
  result: CheckResult,
  weight: number,
): string {
  const found = resultKindOf(result.status);
  const passed = found === "passed" || found === "conditionallyPassed";
  const { counter } = check;
  const steps = isPassing(counter)
    ? `${counter.health - counter.rise + 1}/${counter.fall} ${weight > 0 ? "UP" : "DRAIN"}`
    : `${counter.health}/${counter.rise} DOWN`;
  return (
    `${source === "agent" ? "Agent" : "Health"} check for ${server.config.backup ? "backup " : ""}server ` +
    `${server.backend.name}/${server.name} ${found === "conditionallyPassed" ? "conditionally " : ""}` +
    `${passed ? "succeeded" : "failed"}${reasonText(result)}, status: ${steps}`
  );
}
