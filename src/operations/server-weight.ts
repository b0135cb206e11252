// `get weight`, `set weight` and `set server <b>/<s> weight`: absolute weights 0..256, or percent of the configured one.

import type { Change } from "../control/change.ts";
import type { ServerEntry } from "../control/registry.ts";
import { SERVER_WORDS, V_INITIAL_WEIGHT, V_WEIGHT } from "../memory/server-row.ts";
import { answerOf, dump, failure } from "./answers.ts";
import type { Answer, Operation, OperationContext } from "./operation.ts";
import { type Found, findTarget } from "./targets.ts";

const WEIGHT_MAX = 256;

/** Reads "5", "0", "50%" into a weight. A percentage is of `initial`, rounded down, and at most 256 comes out. */
export function parseWeight(text: string, initial: number): Found<number> {
  const match = /^([+-]?[0-9]+)(.*)$/s.exec(text);
  if (match === null) return { error: "Empty weight string empty or preceded by garbage" };
  const [, digits, rest] = match;
  const value = Number(digits);
  if (rest === "%") {
    if (value < 0) return { error: "Relative weight must be positive." };
    return { found: Math.min(WEIGHT_MAX, Math.floor((initial * value) / 100)) };
  }
  if (rest !== "") return { error: "Trailing garbage in weight string" };
  if (value < 0 || value > WEIGHT_MAX) return { error: "Absolute weight can only be between 0 and 256 inclusive." };
  return { found: value };
}

/** `set server <b>/<s> weight <weight>`. */
export async function setServerWeight(
  { program }: OperationContext,
  server: ServerEntry,
  text: string | undefined,
): Promise<Answer> {
  if (text === undefined) return failure("Require <weight> or <weight%>.");
  const initial = program.memory.serversI32[server.index * SERVER_WORDS + V_INITIAL_WEIGHT];
  const weight = parseWeight(text, initial);
  if (weight.error !== undefined) return failure(weight.error);
  const change: Change = { kind: "set-weight", server, weight: weight.found };
  return answerOf(change, await program.commit(change));
}

export const setWeight: Operation = {
  words: ["set", "weight"],
  args: "<b>/<s> <weight>[%]",
  level: "admin",
  summary: "set a server's weight (as `set server ... weight`)",
  run(context, args) {
    const target = findTarget(context.program.registry, args[0]);
    return target.error !== undefined ? failure(target.error) : setServerWeight(context, target.found, args[1]);
  },
};

export const getWeight: Operation = {
  words: ["get", "weight"],
  args: "<b>/<s>",
  level: "user",
  summary: "show a server's weight and the configured one",
  run({ program }, args) {
    const target = findTarget(program.registry, args[0]);
    if (target.error !== undefined) return failure(target.error);
    const row = target.found.index * SERVER_WORDS;
    const { serversI32 } = program.memory;
    return dump(`${serversI32[row + V_WEIGHT]} (initial ${serversI32[row + V_INITIAL_WEIGHT]})\n`);
  },
};
