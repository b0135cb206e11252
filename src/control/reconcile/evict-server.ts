// Evictions: a server is taken out of service, its sessions are let go as was asked, and the kernel says whether anything is left.
// Decided anew at each look from what is so; whoever comes late is included. Control thread, only called by `commit`.

import { CutReason } from "../../memory/cut-reason.ts";
import type { Receipt } from "../change.ts";
import { type CommitContext, refuse } from "../commit-context.ts";
import { cutAllOf, cutSome } from "../cut.ts";
import { type KernelAnswer, UNKNOWN } from "../kernel-answer.ts";
import type { ServerEntry } from "../registry.ts";
import { removeServer } from "../remove-server.ts";
import { type ServerEviction, sessionsCut } from "./eviction.ts";
import { endEviction, letGo } from "./let-go.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** A check of another server with the same address may be on its way: looked at again so often, with a pause between. */
const KERNEL_LOOKS = 6;
const KERNEL_PAUSE_MS = 20;

/** Stops an eviction. The server, if it is one of a server, stays out of service. */
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
  const { eviction } = server.health.policy;
  if (eviction === undefined || !eviction.hasBegun) return NEVER;
  const next = await letGo(context, eviction, {
    some: (most, manner) => cutSome(context, server, most, manner),
    // And what may come.
    rest: () => cutAllOf(context, server, CutReason.EVICTION, eviction.request.resetClients),
  });
  if (next !== "empty") return next;
  await prove(context, eviction);
  return NEVER;
}

/** Asks the kernel, deletes the server if that is wished, and ends the eviction. */
async function prove(context: CommitContext, eviction: ServerEviction): Promise<void> {
  const { server, request } = eviction;
  eviction.kernel = await kernelAnswer(context, server, request.destroyForeign);
  const reasons = eviction.kernel === UNKNOWN ? ["the kernel could not be asked"] : [];
  if (request.deleteServer) {
    const receipt = await removeServer(context, server);
    eviction.deleted = receipt.done;
    if (!receipt.done) reasons.push(`not deleted: ${receipt.code}`);
  }
  endEviction(context, eviction, "done", reasons.join(", "));
}

const isKnown = (answer: KernelAnswer | typeof UNKNOWN | undefined): answer is KernelAnswer =>
  typeof answer === "object";

async function kernelAnswer(
  context: CommitContext,
  server: ServerEntry,
  destroyForeign: boolean,
): Promise<KernelAnswer | typeof UNKNOWN | undefined> {
  let answer = await context.askKernel(server, destroyForeign);
  for (let looks = 1; looks < KERNEL_LOOKS && isKnown(answer) && answer.own > 0; looks++) {
    await new Promise((resolve) => setTimeout(resolve, KERNEL_PAUSE_MS));
    const again = await context.askKernel(server, false);
    if (isKnown(again)) answer = { ...answer, own: again.own, ofOtherServers: again.ofOtherServers };
  }
  return answer;
}
