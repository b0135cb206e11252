// `enable|disable health|agent`, and what `set server` can say about a server's health, its checks and its agent.

import { isIpAddress, PORT_MAX } from "../base/address.ts";
import type { Change } from "../control/change.ts";
import type { CheckSource, Oper } from "../control/health/state-machine.ts";
import type { ServerEntry } from "../control/registry.ts";
import { OperState } from "../memory/server-row.ts";
import { answerOf, failure, refusalText, warning } from "./answers.ts";
import type { Answer, Operation, OperationContext } from "./operation.ts";
import { findTarget } from "./targets.ts";

const WORDS: Readonly<Record<CheckSource, string>> = { check: "health", agent: "agent" };

function enableOperation(source: CheckSource, enabled: boolean): Operation {
  const what = source === "check" ? "health checks" : "agent checks";
  return {
    words: [enabled ? "enable" : "disable", WORDS[source]],
    args: "<b>/<s>",
    level: "admin",
    summary: enabled ? `start or resume a server's ${what}` : `stop a server's ${what}; they have no say until enabled`,
    async run({ program }, args) {
      const target = findTarget(program.registry, args[0]);
      if (target.error !== undefined) return failure(target.error);
      const change: Change = { kind: "enable-check", server: target.found, source, enabled };
      return answerOf(change, await program.commit(change));
    },
  };
}

export const enableHealth = enableOperation("check", true);
export const disableHealth = enableOperation("check", false);
export const enableAgent = enableOperation("agent", true);
export const disableAgent = enableOperation("agent", false);

const OPERS: Readonly<Record<CheckSource, Readonly<Record<string, Oper>>>> = {
  check: { up: OperState.RUNNING, stopping: OperState.STOPPING, down: OperState.STOPPED },
  agent: { up: OperState.RUNNING, down: OperState.STOPPED },
};
const EXPECTS: Readonly<Record<CheckSource, string>> = {
  check: "'up', 'stopping', or 'down'",
  agent: "'up' or 'down'",
};

/** `set server <b>/<s> health up|stopping|down` and `... agent up|down`. */
export async function setServerHealth(
  { program }: OperationContext,
  server: ServerEntry,
  source: CheckSource,
  word: string | undefined,
): Promise<Answer> {
  // HAProxy asks this first, whatever the word.
  if (source === "check" && server.health.tracked !== undefined) {
    return failure("cannot change health on a tracking server.");
  }
  if (source === "agent" && !server.health.agent.counter.enabled) {
    return failure("agent checks are not enabled on this server.");
  }
  const oper = Object.hasOwn(OPERS[source], word ?? "") ? OPERS[source][word ?? ""] : undefined;
  if (oper === undefined) return failure(`'set server <srv> ${WORDS[source]}' expects ${EXPECTS[source]}.`);
  const change: Change = { kind: "set-health", server, source, oper };
  return answerOf(change, await program.commit(change));
}

/** `check-addr|agent-addr <ip> [port <port>]` and `check-port|agent-port <port>`. */
export async function setCheckTarget(
  { program }: OperationContext,
  server: ServerEntry,
  source: CheckSource,
  what: "addr" | "port",
  args: readonly string[],
): Promise<Answer> {
  const name = `${source}-${what}`;
  const requires = what === "addr" ? "an address and optionally a port." : "a port.";
  if (args[0] === undefined) return failure(`set server <b>/<s> ${name} requires ${requires}`);
  const host = what === "addr" ? args[0] : undefined;
  const portText = what === "port" ? args[0] : args[1] === "port" ? (args[2] ?? "") : undefined;
  if (!server.health[source].counter.enabled) {
    return warning(`${source === "check" ? "health" : "agent"} checks are not enabled on this server`);
  }
  if (host !== undefined && !isIpAddress(host)) return warning(`invalid addr '${host}'`);
  if (portText !== undefined && !/^[0-9]+$/.test(portText)) return warning("provided port is not an integer");
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && port > PORT_MAX) return warning("provided port is invalid");
  const change: Change = {
    kind: "set-check-target",
    server,
    source,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  };
  const receipt = await program.commit(change);
  return receipt.done ? answerOf(change, receipt) : warning(refusalText(change, receipt.code, receipt.detail));
}

/** `agent-send <text>`. */
export async function setAgentSend(
  { program }: OperationContext,
  server: ServerEntry,
  text: string | undefined,
): Promise<Answer> {
  if (!server.health.agent.counter.enabled) return failure("agent checks are not enabled on this server.");
  const change: Change = { kind: "set-check-target", server, source: "agent", send: text ?? "" };
  return answerOf(change, await program.commit(change));
}
