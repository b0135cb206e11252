// Evictions: a server is taken out of service, its sessions are let go as was asked, and the kernel says whether anything is left.
// Decided anew at each look from what is so; whoever comes late is included. Control thread, only called by `commit`.

import { CutReason } from "../../memory/cut-reason.ts";
import { CutChoice } from "../../memory/order.ts";
import type { Receipt } from "../change.ts";
import { type CommitContext, refuse } from "../commit-context.ts";
import { type CutResult, cutAllOf, cutSome } from "../cut.ts";
import type { KernelAnswer } from "../kernel-answer.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ServerEntry } from "../registry.ts";
import { removeServer } from "../remove-server.ts";
import { paceAfter } from "./cut-pace.ts";
import { attachedTo, type Eviction, type EvictionOutcome, endedThemselves, sessionsCut } from "./eviction.ts";
import { evictionStep } from "./eviction-plan.ts";

const NEVER = Number.POSITIVE_INFINITY;
const CHOICES = { random: CutChoice.RANDOM, oldest: CutChoice.OLDEST, idle: CutChoice.LONGEST_IDLE } as const;

/** A check of another server with the same address may be on its way: looked at again so often, with a pause between. */
const KERNEL_LOOKS = 6;
const KERNEL_PAUSE_MS = 20;

/** Stops an eviction. The server stays out of service. */
export function cancelEviction(context: CommitContext, id: number): Receipt {
  const eviction = context.evictions.byId(id);
  if (eviction === undefined) return refuse("no-such-eviction", `${id}`);
  if (eviction.outcome !== "running") return refuse("eviction-over", `${id}`);
  endEviction(context, eviction, "cancelled", "cancelled by an order");
  return {
    done: true,
    matched: eviction.matched,
    ended: sessionsCut(eviction),
    survivors: eviction.survivors,
    eviction,
  };
}

/** A server is about to return to service: its eviction ends first, so that its receipt speaks of no session that comes now. */
export function endOnReturn(context: CommitContext, server: ServerEntry): void {
  const { eviction } = server.health.policy;
  if (eviction !== undefined) endEviction(context, eviction, "cancelled", "the server left maintenance");
}

/** Does what is due to the sessions of a server that is being evicted; when to come again. */
export async function continueEviction(context: CommitContext, server: ServerEntry): Promise<number> {
  const { memory } = context;
  const { eviction } = server.health.policy;
  if (eviction === undefined || !eviction.hasBegun) return NEVER;
  const { request } = eviction;
  const nowMs = context.nowMs();
  const sessions = attachedTo(memory, server);
  if (sessions === 0) {
    await cutRest(context, eviction);
    await prove(context, eviction);
    return NEVER;
  }
  const step = evictionStep(request, eviction, nowMs, sessions, context.random());
  switch (step.kind) {
    case "wait":
      return step.nextMs;
    case "some": {
      if (step.most > 0) {
        const { ended, discardedBytes } = await cutSome(context, server, step.most, {
          choice: CHOICES[request.order],
          idleMs: step.who === "quiet" ? request.idleMs : 0,
          resetClients: request.resetClients,
          reason: CutReason.EVICTION,
        });
        eviction[step.who === "quiet" ? "cutIdle" : "cutPaced"] += ended;
        noteEnd(context, eviction, { ended, discardedBytes });
        eviction.pace = step.pace === undefined ? undefined : paceAfter(step.pace, nowMs, sessions, ended);
      } else eviction.pace = step.pace;
      eviction.notBeforeMs = step.notBeforeMs;
      return attachedTo(memory, server) === 0 ? context.nowMs() : step.nextMs;
    }
    case "all": {
      const { ended } = await cutRest(context, eviction);
      eviction[step.because === "pace" ? "cutPaced" : "cutAtDeadline"] += ended;
      await prove(context, eviction);
      return NEVER;
    }
  }
}

/** Cuts what is left, and what may come. */
async function cutRest(context: CommitContext, eviction: Eviction): Promise<CutResult> {
  const result = await cutAllOf(context, eviction.server, CutReason.EVICTION, eviction.request.resetClients);
  noteEnd(context, eviction, result);
  eviction.lastCloseMs ??= elapsed(context, eviction);
  return result;
}

function noteEnd(context: CommitContext, eviction: Eviction, done: { ended: number; discardedBytes: number }): void {
  eviction.discardedBytes += done.discardedBytes;
  if (done.ended > 0 && attachedTo(context.memory, eviction.server) === 0) {
    eviction.lastCloseMs = elapsed(context, eviction);
  }
}

const elapsed = (context: CommitContext, eviction: Eviction): number => context.nowMs() - eviction.startedMs;

/** Asks the kernel, deletes the server if that is wished, and ends the eviction. */
async function prove(context: CommitContext, eviction: Eviction): Promise<void> {
  const { server, request } = eviction;
  eviction.kernel = await kernelAnswer(context, server, request.destroyForeign);
  let reason = "";
  if (request.deleteServer) {
    const receipt = await removeServer(context, server);
    eviction.deleted = receipt.done;
    if (!receipt.done) reason = `not deleted: ${receipt.code}`;
  }
  endEviction(context, eviction, "done", reason);
}

async function kernelAnswer(
  context: CommitContext,
  server: ServerEntry,
  destroyForeign: boolean,
): Promise<KernelAnswer | undefined> {
  let answer = context.askKernel(server, destroyForeign);
  for (let looks = 1; looks < KERNEL_LOOKS && answer !== undefined && answer.own > 0; looks++) {
    await new Promise((resolve) => setTimeout(resolve, KERNEL_PAUSE_MS));
    const again = context.askKernel(server, false);
    answer = again === undefined ? answer : { ...answer, own: again.own, ofOtherServers: again.ofOtherServers };
  }
  return answer;
}

/** Ends an eviction, whatever is left. */
export function endEviction(
  context: CommitContext,
  eviction: Eviction,
  outcome: EvictionOutcome,
  reason: string,
): void {
  const { server } = eviction;
  const { policy } = server.health;
  const left = attachedTo(context.memory, server);
  eviction.survivors = left;
  eviction.outcome = outcome;
  eviction.reason = reason;
  eviction.endedMs = elapsed(context, eviction);
  if (policy.eviction === eviction) policy.eviction = undefined;
  const cut = sessionsCut(eviction);
  const own = endedThemselves(context.memory, eviction);
  const why = outcome === "done" ? `is done${reason === "" ? "" : `, ${reason}`}` : `ends, ${reason}`;
  say(
    context,
    server,
    `eviction ${eviction.id} ${why}: ${cut} sessions were ended, ${own} ended by themselves, ${left} are left`,
  );
}

/** A line of the log about the eviction of a server. */
export function say(context: CommitContext, server: ServerEntry, text: string): void {
  const subject = `${server.config.backup ? "Backup " : ""}Server ${server.backend.name}/${server.name}`;
  context.events.onPolicy(server.backend, LogLevel.NOTICE, `${subject}: ${text}.`);
}
