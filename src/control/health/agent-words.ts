// What an agent's line changes besides health: drain and maintenance, weight, maxconn. In HAProxy's order, before health is
// counted. Called by `commit` only.

import { AdminState, SERVER_WORDS, V_INITIAL_WEIGHT, V_MAXCONN, V_WEIGHT } from "../../memory/server-row.ts";
import type { CommitContext } from "../commit-context.ts";
import type { ServerEntry } from "../registry.ts";
import { changeAdmin, changeMaxconn, changeWeight } from "../server-state.ts";
import type { AgentReply } from "./agent-check.ts";

const { FORCED_MAINT, FORCED_DRAIN } = AdminState;

const ADMIN = {
  ready: { set: 0, clear: FORCED_MAINT | FORCED_DRAIN },
  drain: { set: FORCED_DRAIN, clear: FORCED_MAINT },
  maint: { set: FORCED_MAINT, clear: FORCED_DRAIN },
} as const;

const WEIGHT_MAX = 256;

/** Carries out a reply's words; gives what is wrong with them, or "". */
export async function applyAgentWords(context: CommitContext, server: ServerEntry, reply: AgentReply): Promise<string> {
  if (reply.admin !== undefined) {
    const { set, clear } = ADMIN[reply.admin];
    await changeAdmin(context, server, set, clear);
  }
  const row = server.index * SERVER_WORDS;
  const table = context.memory.serversI32;
  let warning = "";
  if (reply.weight !== undefined) {
    const weight = weightOf(reply.weight, table[row + V_INITIAL_WEIGHT]);
    if (typeof weight === "string") warning = weight;
    else if (weight !== table[row + V_WEIGHT]) await changeWeight(context, server, weight);
  }
  if (reply.maxconn !== undefined) {
    if (!/^[0-9]{1,9}$/.test(reply.maxconn)) warning ||= "maxconn string empty or preceded by garbage";
    else if (Number(reply.maxconn) !== table[row + V_MAXCONN]) {
      await changeMaxconn(context, server, Number(reply.maxconn));
    }
  }
  return warning;
}

/** A weight as in `set server ... weight`: absolute, or percent of the configured one; or what is wrong with it. */
function weightOf(text: string, initial: number): number | string {
  const match = /^([0-9]+)(%?)$/.exec(text);
  if (match === null) return "Trailing garbage in weight string";
  const value = Number(match[1]);
  if (match[2] === "%") return Math.min(WEIGHT_MAX, Math.floor((initial * value) / 100));
  return value > WEIGHT_MAX ? "Absolute weight can only be between 0 and 256 inclusive." : value;
}
