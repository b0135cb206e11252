// `set server <b>/<s> <what> ...`: what about a server can be changed while it runs.

import { failure } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { setServerAddress } from "./server-address.ts";
import { setServerState } from "./server-state.ts";
import { setServerWeight } from "./server-weight.ts";
import { findTarget } from "./targets.ts";

export const setServer: Operation = {
  words: ["set", "server"],
  args: "<b>/<s> addr|state|weight <v>",
  level: "admin",
  summary: "change a server's address, state or weight",
  run(context, args) {
    const target = findTarget(context.program.registry, args[0]);
    if (target.error !== undefined) return failure(target.error);
    const [, what, ...values] = args;
    if (what === "state") return setServerState(context, target.found, values[0]);
    if (what === "weight") return setServerWeight(context, target.found, values[0]);
    if (what === "addr") return setServerAddress(context, target.found, values);
    return failure("usage: set server <backend>/<server> addr | state | weight");
  },
};
