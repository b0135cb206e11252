// `disable frontend`, `enable frontend`, `shutdown frontend`: whether a frontend takes new sessions. Those it has go on.

import type { Change } from "../control/change.ts";
import { answerOf, failure } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { findFrontend } from "./targets.ts";

const frontendOperation = (
  words: readonly string[],
  summary: string,
  kind: "pause-frontend" | "resume-frontend" | "shutdown-frontend",
): Operation => ({
  words,
  args: "<frontend>",
  level: "admin",
  summary,
  async run({ program }, args) {
    const frontend = findFrontend(program.registry, args[0]);
    if (frontend.error !== undefined) return failure(frontend.error);
    const change: Change = { kind, proxy: frontend.found };
    return answerOf(change, await program.commit(change));
  },
});

export const disableFrontend = frontendOperation(
  ["disable", "frontend"],
  "stop accepting on a frontend and give up its ports",
  "pause-frontend",
);

export const enableFrontend = frontendOperation(
  ["enable", "frontend"],
  "accept again on a disabled frontend",
  "resume-frontend",
);

export const shutdownFrontend = frontendOperation(
  ["shutdown", "frontend"],
  "close a frontend's listeners for good",
  "shutdown-frontend",
);
