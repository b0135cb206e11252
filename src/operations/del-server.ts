// `del server`, and what stands in its way: the same test answers `wait ... srv-removable`.

import type { Change } from "../control/change.ts";
import type { Program } from "../control/program.ts";
import type { ServerEntry } from "../control/registry.ts";
import { removalObstacle } from "../control/remove-server.ts";
import { answerOf, failure, info, refusalText } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { findTarget } from "./targets.ts";

/** Why a server cannot be deleted now; `passes` when waiting helps. */
export interface Obstacle {
  readonly text: string;
  readonly passes: boolean;
}

/** undefined: it can be deleted. */
export function obstacleToRemoval(program: Program, server: ServerEntry): Obstacle | undefined {
  const code = removalObstacle(program.memory, server);
  if (code === undefined) return undefined;
  return { text: refusalText({ kind: "delete-server", server }, code, ""), passes: code === "has-sessions" };
}

export const delServer: Operation = {
  words: ["del", "server"],
  args: "<b>/<s>",
  level: "admin",
  summary: "delete a server that is in maintenance and has no session",
  async run({ program }, args) {
    const target = findTarget(program.registry, args[0]);
    if (target.error !== undefined) return failure(target.error);
    const change: Change = { kind: "delete-server", server: target.found };
    return answerOf(change, await program.commit(change), info("Server deleted."));
  },
};
