// `disable server`, `enable server` and `set server <b>/<s> state`: one mapping from words to bits of the admin state.

import type { Change } from "../control/change.ts";
import type { ServerEntry } from "../control/registry.ts";
import { AdminState } from "../memory/server-row.ts";
import { answerOf, failure } from "./answers.ts";
import type { Answer, Operation, OperationContext } from "./operation.ts";
import { findTarget } from "./targets.ts";

const { FORCED_MAINT, FORCED_DRAIN } = AdminState;

/**
 * As in HAProxy, maintenance and drain replace each other. CONFIG_MAINT stays: it only remembers that the config said
 * `disabled`, and keeps no session away.
 */
const STATES = {
  ready: { set: 0, clear: FORCED_MAINT | FORCED_DRAIN },
  drain: { set: FORCED_DRAIN, clear: FORCED_MAINT },
  maint: { set: FORCED_MAINT, clear: FORCED_DRAIN },
} as const;

async function setAdmin(
  { program }: OperationContext,
  server: ServerEntry,
  bits: { readonly set: number; readonly clear: number },
): Promise<Answer> {
  const change: Change = { kind: "set-admin", server, set: bits.set, clear: bits.clear };
  return answerOf(change, await program.commit(change));
}

/** `set server <b>/<s> state <state>`. */
export function setServerState(
  context: OperationContext,
  server: ServerEntry,
  state: string | undefined,
): Answer | Promise<Answer> {
  if (state !== "ready" && state !== "drain" && state !== "maint") {
    return failure("'set server <srv> state' expects 'ready', 'drain' and 'maint'.");
  }
  return setAdmin(context, server, STATES[state]);
}

export const disableServer: Operation = {
  words: ["disable", "server"],
  args: "<b>/<s>",
  level: "admin",
  summary: "put a server into maintenance: it gets no new session",
  run(context, args) {
    const target = findTarget(context.program.registry, args[0]);
    return target.error !== undefined ? failure(target.error) : setAdmin(context, target.found, STATES.maint);
  },
};

export const enableServer: Operation = {
  words: ["enable", "server"],
  args: "<b>/<s>",
  level: "admin",
  summary: "end a server's maintenance or drain",
  run(context, args) {
    const target = findTarget(context.program.registry, args[0]);
    return target.error !== undefined ? failure(target.error) : setAdmin(context, target.found, STATES.ready);
  },
};
