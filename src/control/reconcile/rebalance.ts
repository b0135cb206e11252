// `rebalance`: when a server can be given sessions again, the fullest servers beside it let sessions go at a rate, until none has much
// more than its share. What is over is counted anew at each look, so any other change may make it needless. Control thread, only called by `commit`.

import { CB_SESSIONS } from "../../memory/counters.ts";
import { CutReason } from "../../memory/cut-reason.ts";
import { SERVER_WORDS, V_LOAD_WEIGHT } from "../../memory/server-row.ts";
import { proxyCounters, slotsUsed } from "../../memory/shared-memory.ts";
import type { CommitContext } from "../commit-context.ts";
import { cutSome, plainly } from "../cut.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { beginRate, paceAfter, paceStep } from "./cut-pace.ts";
import { attachedTo } from "./eviction.ts";
import { usableServers } from "./fence.ts";
import { sessionsOver, takeFromFullest } from "./rebalance-plan.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** So long after the last session that was let go its client may come back. */
const RETURN_MOST_MS = 10_000;
/** Between two looks while nothing is over, but something may be soon. */
const LOOK_MS = 100;

const ratePerSecond = ({ config }: ProxyEntry): number => {
  const { algorithm } = config.balance;
  const isOff = config.fence || algorithm === "source" || algorithm === "first";
  return isOff ? 0 : (config.rebalancePerSecond ?? 0);
};

/** The server can be given sessions again: from now on it is looked at whether others have too many. */
export function noteUsable(context: CommitContext, server: ServerEntry): void {
  const { backend } = server;
  const rate = ratePerSecond(backend);
  if (rate === 0) return;
  const nowMs = context.nowMs();
  backend.policies.rebalancing ??= {
    pace: beginRate(nowMs, rate),
    ended: 0,
    arrivedBefore: arrivals(context, backend),
    lastMs: nowMs,
  };
}

/** Lets go who is due; when to come again. */
export async function rebalance(context: CommitContext, backend: ProxyEntry): Promise<number> {
  const { rebalancing } = backend.policies;
  if (rebalancing === undefined) return NEVER;
  const nowMs = context.nowMs();
  const group = usableServers(context.memory, backend);
  const shares = group.map((server) => ({
    sessions: attachedTo(context.memory, server),
    weight: Atomics.load(context.memory.serversI32, server.index * SERVER_WORDS + V_LOAD_WEIGHT),
  }));
  const awaited = Math.max(0, rebalancing.ended - (arrivals(context, backend) - rebalancing.arrivedBefore));
  const over = sessionsOver(shares, awaited);
  const needed = over.reduce((sum, count) => sum + count, 0);
  if (needed === 0) {
    rebalancing.pace = beginRate(nowMs, ratePerSecond(backend));
    const isEven = sessionsOver(shares, 0).every((count) => count === 0);
    const isStarting = group.some(({ health }) => health.policy.startingSinceMs !== undefined);
    if (isStarting || (!isEven && nowMs < rebalancing.lastMs + RETURN_MOST_MS)) return nowMs + LOOK_MS;
    backend.policies.rebalancing = undefined;
    if (rebalancing.ended > 0) say(context, backend, `rebalance ends: ${rebalancing.ended} sessions were let go`);
    return NEVER;
  }
  const step = paceStep(rebalancing.pace, nowMs, needed);
  const due = step.due === "all" ? needed : step.due;
  let ended = 0;
  if (due > 0) {
    if (rebalancing.ended === 0) {
      say(context, backend, `rebalance lets sessions go, ${ratePerSecond(backend)} a second: ${needed} are over`);
    }
    const taken = takeFromFullest(shares, over, due);
    for (const [at, count] of taken.entries()) {
      if (count > 0) ended += (await cutSome(context, group[at]!, count, plainly(CutReason.REBALANCE))).ended;
    }
    rebalancing.ended += ended;
    rebalancing.lastMs = nowMs;
  }
  rebalancing.pace = paceAfter(rebalancing.pace, nowMs, needed, ended);
  return step.due === "all" ? nowMs + LOOK_MS : step.nextMs;
}

/** Sessions that have come to the backend since the start. */
function arrivals({ memory }: CommitContext, backend: ProxyEntry): number {
  let sum = 0;
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
    sum += memory.countersF64[proxyCounters(memory, thread, backend.index) + CB_SESSIONS]!;
  }
  return sum;
}

function say(context: CommitContext, backend: ProxyEntry, text: string): void {
  context.events.onPolicy(backend, LogLevel.NOTICE, `Backend ${backend.name}: ${text}.`);
}
