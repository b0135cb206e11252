// Evictions of sessions: those that a filter selects when the order is given are let go as was asked. No server is taken out of service,
// and who comes later stays. Control thread, only called by `commit`.

import { CutReason } from "../../memory/cut-reason.ts";
import type { Selector } from "../../memory/selector.ts";
import type { Receipt } from "../change.ts";
import type { CommitContext } from "../commit-context.ts";
import { plainly } from "../cut.ts";
import { type EvictionRequest, noneByState, type SessionsEviction, sessionsCut } from "./eviction.ts";
import { endEviction, letGo, sayOfSessions } from "./let-go.ts";
import { cutOfPopulation, fixPopulation } from "./population.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** Begins an eviction, and does what is due at once. The receipt has it as `eviction`. `filter`: the selector in words. */
export async function evictSessions(
  context: CommitContext,
  selector: Selector,
  filter: string,
  request: EvictionRequest,
): Promise<Receipt> {
  const { evictions } = context;
  const startedMs = context.nowMs();
  const byState = noneByState();
  const population = await fixPopulation(context, selector, byState);
  const eviction = evictions.beginOfSessions(population, filter, request, byState, startedMs);
  sayOfSessions(context, filter, `eviction ${eviction.id} begins with ${eviction.matched} sessions`);
  await continueEvictions(context);
  const { matched, survivors } = eviction;
  return { done: true, matched, ended: sessionsCut(eviction), survivors, eviction };
}

/** Does what is due in all of them, and says when to come again. */
export async function continueEvictions(context: CommitContext): Promise<void> {
  let nextMs = NEVER;
  for (const eviction of context.evictions.all) {
    if (eviction.server !== undefined || eviction.outcome !== "running") continue;
    nextMs = Math.min(nextMs, await continueOne(context, eviction));
  }
  if (nextMs < NEVER) context.events.onReconcileAt(undefined, nextMs);
}

async function continueOne(context: CommitContext, eviction: SessionsEviction): Promise<number> {
  const { population, request } = eviction;
  const manner = { ...plainly(CutReason.EVICTION), resetClients: request.resetClients };
  const next = await letGo(context, eviction, {
    some: (most, how) => cutOfPopulation(context, population, most, how),
    rest: () => cutOfPopulation(context, population, population.ids.length, manner),
  });
  if (next !== "empty") return next;
  endEviction(context, eviction, "done", "");
  return NEVER;
}
