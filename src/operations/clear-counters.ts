// `clear counters [all]`: the maxima, or every counter. Maxima that the sampler keeps go with those in shared memory.

import type { Change } from "../control/change.ts";
import { statsOf } from "../control/stats/program-stats.ts";
import { answerOf } from "./answers.ts";
import type { Answer, Operation, OperationContext } from "./operation.ts";

async function clear({ program }: OperationContext, all: boolean): Promise<Answer> {
  const change: Change = { kind: "clear-counters", all };
  const answer = answerOf(change, await program.commit(change));
  statsOf(program).rates.clearMaxima();
  return answer;
}

export const clearCounters: Operation = {
  words: ["clear", "counters"],
  args: "",
  level: "operator",
  summary: "clear the maxima of the statistics",
  run: (context) => clear(context, false),
};

export const clearCountersAll: Operation = {
  words: ["clear", "counters", "all"],
  args: "",
  level: "admin",
  summary: "clear every counter of the statistics",
  run: (context) => clear(context, true),
};
