// `plan`: what a reload would do, with the files that the process was started with or with others. Changes nothing.

import { renderDiagnostic } from "../config/diagnostics.ts";
import { type PlanResult, planFiles } from "../control/reload/plan/plan-files.ts";
import { planText } from "../control/reload/plan/plan-text.ts";
import { dump, failure, PERMISSION_DENIED } from "./answers.ts";
import { jsonText } from "./json-text.ts";
import { type Answer, isAtLeast, type Operation } from "./operation.ts";

export const plan: Operation = {
  words: ["plan"],
  args: "[json] [<file>*]",
  level: "operator",
  summary: "say what a reload would do (with other files: level admin)",
  async run({ program, connection }, args) {
    const asJson = args[0] === "json";
    const named = asJson ? args.slice(1) : args;
    // An answer shows lines of the file, whatever it is.
    if (named.length > 0 && !isAtLeast(connection.level, "admin")) return PERMISSION_DENIED;
    const files = named.length > 0 ? named : program.configFiles;
    if (files.length === 0) return failure("Which files? The configuration of this process does not come from any.");
    const result = await planFiles(program, files);
    return asJson ? dump(jsonText(result)) : textAnswer(result);
  },
};

function textAnswer(result: PlanResult): Answer {
  const messages = result.diagnostics.map((d) => `${renderDiagnostic(d)}\n`).join("");
  return result.valid ? dump(messages + planText(result.plan)) : failure(messages.trimEnd());
}
