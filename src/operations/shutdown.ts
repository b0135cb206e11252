// `shutdown session`, `shutdown sessions server`: answered when it is done, not when it is asked for.

import type { Change } from "../control/change.ts";
import { EVERY_SESSION } from "../memory/selector.ts";
import { answerOf, failure, info } from "./answers.ts";
import { noteCarrier } from "./carrier.ts";
import type { Operation } from "./operation.ts";
import { parseSelector } from "./selector-words.ts";
import { findTarget } from "./targets.ts";

/** What follows for the session that the order came through. */
const NO_ANSWER = "ends by it: there may be no answer.";

/** "0x..." as in `show sess`, or the same number in decimal or, behind a 0, octal, as in HAProxy; undefined where it is none. */
export function parseSessionId(text = ""): number | undefined {
  const base = /^0x[0-9a-f]+$/i.test(text) ? 16 : /^0[0-7]+$/.test(text) ? 8 : /^[1-9]\d*$/.test(text) ? 10 : 0;
  const id = base === 0 ? 0 : Number.parseInt(text, base);
  return id > 0 && Number.isSafeInteger(id) ? id : undefined;
}

export const shutdownSession: Operation = {
  words: ["shutdown", "session"],
  args: "<id>",
  level: "admin",
  summary: "end one session (its id as in `show sess`)",
  async run(context, args) {
    const { program } = context;
    const id = parseSessionId(args[0]);
    if (id === undefined) return failure("Session pointer expected (use 'show sess').");
    await noteCarrier(context, { id }, NO_ANSWER);
    const change: Change = { kind: "cut-session", id };
    return answerOf(change, await program.commit(change));
  },
};

export const shutdownSessionsServer: Operation = {
  words: ["shutdown", "sessions", "server"],
  args: "<b>/<s>",
  level: "admin",
  summary: "end every session of a server before answering",
  async run(context, args) {
    // With further filters it is no longer a cut of the server.
    if (args.length > 1) return shutdownSessions.run(context, ["server", ...args]);
    const { program } = context;
    const target = findTarget(program.registry, args[0]);
    if (target.error !== undefined) return failure(target.error);
    await noteCarrier(context, { selector: { ...EVERY_SESSION, server: target.found.index } }, NO_ANSWER);
    const change: Change = { kind: "cut-server", server: target.found };
    return answerOf(change, await program.commit(change));
  },
};

export const shutdownSessions: Operation = {
  words: ["shutdown", "sessions"],
  args: "<filter>*",
  level: "admin",
  summary: "end the sessions that all filters match (show sess help: the filters)",
  async run(context, args) {
    const { program } = context;
    const selector = parseSelector(program.registry, args);
    if (selector.error !== undefined) return failure(selector.error);
    await noteCarrier(context, { selector: selector.found }, NO_ANSWER);
    const change: Change = { kind: "cut-selected", selector: selector.found };
    const receipt = await program.commit(change);
    return answerOf(change, receipt, info(`Sessions ended: ${receipt.done ? receipt.ended : 0}.`));
  },
};
