// `set server <b>/<s> <what> ...`: what about a server can be changed while it runs.

import { failure } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { setServerAddress } from "./server-address.ts";
import { setServerFqdn } from "./server-fqdn.ts";
import { setAgentSend, setCheckTarget, setServerHealth } from "./server-health.ts";
import { setServerState } from "./server-state.ts";
import { setServerWeight } from "./server-weight.ts";
import { findTarget } from "./targets.ts";

export const setServer: Operation = {
  words: ["set", "server"],
  args: "<b>/<s> <what> <v>",
  level: "admin",
  summary:
    "change a server: addr, agent, agent-addr, agent-port, agent-send, check-addr, check-port, fqdn, health, state, weight",
  run(context, args) {
    const target = findTarget(context.program.registry, args[0]);
    if (target.error !== undefined) return failure(target.error);
    const [, what, ...values] = args;
    if (what === "state") return setServerState(context, target.found, values[0]);
    if (what === "weight") return setServerWeight(context, target.found, values[0]);
    if (what === "fqdn") return setServerFqdn(context, target.found, values[0]);
    if (what === "addr") return setServerAddress(context, target.found, values);
    if (what === "health") return setServerHealth(context, target.found, "check", values[0]);
    if (what === "agent") return setServerHealth(context, target.found, "agent", values[0]);
    if (what === "check-addr") return setCheckTarget(context, target.found, "check", "addr", values);
    if (what === "check-port") return setCheckTarget(context, target.found, "check", "port", values);
    if (what === "agent-addr") return setCheckTarget(context, target.found, "agent", "addr", values);
    if (what === "agent-port") return setCheckTarget(context, target.found, "agent", "port", values);
    if (what === "agent-send") return setAgentSend(context, target.found, values[0]);
    return failure(
      "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | " +
        "check-port | fqdn | health | state | weight",
    );
  },
};
