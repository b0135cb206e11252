// `set maxconn frontend`, `set maxconn global`: limits on new sessions. Numbers that HAProxy would read as 0 are refused.

import type { Change } from "../control/change.ts";
import { answerOf, failure } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { findFrontend } from "./targets.ts";

const MAXCONN_MAX = 2_147_483_647;
const OUT_OF_RANGE = failure("Value out of range.");

/** A whole number; undefined where it is none. */
const wholeNumber = (word: string | undefined): number | undefined =>
  word !== undefined && /^[+-]?[0-9]+$/.test(word) ? Number(word) : undefined;

export const setMaxconnFrontend: Operation = {
  words: ["set", "maxconn", "frontend"],
  args: "<frontend> <value>",
  level: "admin",
  summary: "limit a frontend's concurrent sessions",
  async run({ program }, args) {
    const frontend = findFrontend(program.registry, args[0]);
    if (frontend.error !== undefined) return failure(frontend.error);
    const maxconn = wholeNumber(args[1]);
    if (maxconn === undefined) return failure("Integer value expected.");
    // HAProxy takes 0, and then serves nobody: that is what `disable frontend` is for.
    if (maxconn < 1 || maxconn > MAXCONN_MAX) return OUT_OF_RANGE;
    const change: Change = { kind: "set-frontend-maxconn", proxy: frontend.found, maxconn };
    return answerOf(change, await program.commit(change));
  },
};

export const setMaxconnGlobal: Operation = {
  words: ["set", "maxconn", "global"],
  args: "<value>",
  level: "admin",
  summary: "limit the process's sessions (0: as at the start)",
  async run({ program }, args) {
    const maxconn = wholeNumber(args[0]);
    if (maxconn === undefined) return failure("Expects an integer value.");
    if (maxconn < 0 || maxconn > program.maxconn) return OUT_OF_RANGE;
    const change: Change = { kind: "set-process-maxconn", maxconn: maxconn || program.maxconn };
    return answerOf(change, await program.commit(change));
  },
};
