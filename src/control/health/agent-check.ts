// The agent check: connects, says `agent-send`, and reads one line of words that speak of health, administration, weight and
// maxconn. Only health counts as a result here; the rest is handed to who asked, because only it may change the server.

import type { AgentConfig } from "../../config/health-model.ts";
import type { CheckTarget } from "./connection.ts";
import { type CheckResult, checkResult } from "./result.ts";
import { runScript } from "./run-script.ts";
import { latin1, MET, type Script, type ScriptStep, WAIT } from "./script.ts";

/** What an agent's line says. Of several words of one sort the last one holds. */
export interface AgentReply {
  /** As the agent wrote it, e.g. "Down". */
  readonly health?: string;
  readonly admin?: "ready" | "drain" | "maint";
  /** As for `set server weight`: "50%", "10". */
  readonly weight?: string;
  /** As for `set server maxconn`. */
  readonly maxconn?: string;
  /** The text after "#". */
  readonly text: string;
  /** The first word that means nothing. */
  readonly unknownWord?: string;
}

export interface AgentResult {
  readonly result: CheckResult;
  /** Undefined if no whole line came. */
  readonly reply: AgentReply | undefined;
}

const LINE_END = /[\r\n\0]/;

/** The words of a line (without its end). */
export function parseAgentReply(line: string): AgentReply {
  const sharp = /(?:^|[ \t,])#[ \t]*/.exec(line);
  const words = (sharp === null ? line : line.slice(0, sharp.index)).split(/[ \t,]+/).filter((word) => word !== "");
  const reply: { -readonly [K in keyof AgentReply]: AgentReply[K] } = {
    text: sharp === null ? "" : line.slice(sharp.index + sharp[0].length),
  };
  for (const word of words) {
    const lower = word.toLowerCase();
    if (lower === "up" || lower === "down" || lower === "stopped" || lower === "fail") reply.health = word;
    else if (lower === "ready" || lower === "drain" || lower === "maint") reply.admin = lower;
    else if (/^\d/.test(word) && word.includes("%")) reply.weight = word;
    else if (lower.startsWith("maxconn:")) reply.maxconn = word.slice("maxconn:".length);
    else if (lower.startsWith("weight:")) reply.weight = word.slice("weight:".length);
    else reply.unknownWord ??= word;
  }
  return reply;
}

/**
 * The result of a reply: L7OK or L7STS where it speaks of health, else CHECKED, which moves nothing.
 * `warning`: what the server said to the reply's weight or maxconn, if it refused them.
 */
export function agentVerdict(reply: AgentReply, durationMs: number, warning = ""): CheckResult {
  const trouble = reply.unknownWord ?? warning;
  if (reply.health === undefined) {
    const text =
      reply.unknownWord !== undefined
        ? `agent reports an error : ${reply.unknownWord}`
        : warning === ""
          ? ""
          : `agent warns : ${warning}`;
    return checkResult("CHECKED", text, 0, durationMs);
  }
  const isUp = reply.health.toLowerCase() === "up";
  // What an agent says of a server that is down is kept; otherwise what was wrong with its words comes first.
  const text = (reply.text === "" || isUp) && trouble !== "" ? trouble : reply.text;
  return checkResult(
    isUp ? "L7OK" : "L7STS",
    `via agent : ${reply.health}${text === "" ? "" : ` (${text})`}`,
    0,
    durationMs,
  );
}

/** Asks the agent once. `target` as settled: agent-addr or the server's address, and agent-port. Rejects only if aborted. */
export async function runAgentCheck(
  agent: Pick<AgentConfig, "interMs" | "send">,
  target: CheckTarget,
  signal: AbortSignal,
): Promise<AgentResult> {
  let line: string | undefined;
  const steps: ScriptStep[] = [{ kind: "connect", number: 1, sendProxy: false, linger: false }];
  const { send } = agent;
  if (send !== undefined && send !== "") {
    steps.push({ kind: "send", number: 2, bytes: () => Buffer.from(send, "latin1") });
  }
  steps.push({
    kind: "expect",
    number: steps.length + 1,
    label: "",
    judge: (answer, isLast) => {
      const text = latin1(answer);
      const end = text.search(LINE_END);
      if (end >= 0) line = text.slice(0, end);
      return end >= 0 || isLast ? MET : WAIT;
    },
  });
  const script: Script = { flavour: "protocol", steps };
  const result = await runScript(script, { interMs: agent.interMs }, target, signal);
  if (result.status !== "L7OK") return { result, reply: undefined };
  if (line === undefined) {
    const text = "Ignoring incomplete line from agent";
    return { result: checkResult("CHECKED", text, 0, result.durationMs), reply: undefined };
  }
  const reply = parseAgentReply(line);
  return { result: agentVerdict(reply, result.durationMs), reply };
}
