// `set maxconn server`: a server's limit of concurrent sessions. Numbers that HAProxy would wrap are refused with the range.

import type { Change } from "../control/change.ts";
import { answerOf, failure } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { type Found, findTarget } from "./targets.ts";

const SERVER_MAXCONN_MAX = 2_147_483_647;

export function parseMaxconn(text: string): Found<number> {
  const match = /^([+-]?[0-9]+)(.*)$/s.exec(text);
  if (match === null) return { error: "maxconn string empty or preceded by garbage" };
  if (match[2] !== "") return { error: "Trailing garbage in maxconn string" };
  const value = Number(match[1]);
  if (!(value >= 0 && value <= SERVER_MAXCONN_MAX)) {
    return { error: `maxconn can only be between 0 (no limit) and ${SERVER_MAXCONN_MAX} inclusive.` };
  }
  return { found: value };
}

export const setMaxconnServer: Operation = {
  words: ["set", "maxconn", "server"],
  args: "<b>/<s> <maxconn>",
  level: "admin",
  summary: "limit a server's concurrent sessions (0: no limit)",
  async run({ program }, args) {
    const target = findTarget(program.registry, args[0]);
    if (target.error !== undefined) return failure(target.error);
    if (args[1] === undefined) return failure("Require <maxconn>.");
    const maxconn = parseMaxconn(args[1]);
    if (maxconn.error !== undefined) return failure(maxconn.error);
    const change: Change = { kind: "set-maxconn", server: target.found, maxconn: maxconn.found };
    return answerOf(change, await program.commit(change));
  },
};
