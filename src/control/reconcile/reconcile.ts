// The one place that decides again what has to happen in a proxy by its policies: sessions of servers that are down, evictions, slow starts, the
// fence, and what a reload removed. From what is so to what is to be done; called after every change of a server's state and when time has come. Control thread.

import type { CommitContext } from "../commit-context.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { type BackendHealth, backendHealth } from "./cut-guard.ts";
import { continueEviction } from "./evict-server.ts";
import { settleLeader } from "./fence.ts";
import { continueLeaving, continueLeavingProxy } from "./leaving.ts";
import { endSessions } from "./marked-down.ts";
import { endInDrain, endInMaintenance } from "./out-of-service.ts";
import { rebalance } from "./rebalance.ts";
import { warmUp } from "./server-load.ts";

/** Does what is due in the backend, and says when to come again. */
export async function reconcile(context: CommitContext, backend: ProxyEntry): Promise<void> {
  const { attention } = backend.policies;
  const health = once(() => backendHealth(context.memory, backend));
  let nextMs = Number.POSITIVE_INFINITY;
  for (const server of [...attention]) nextMs = Math.min(nextMs, await lookAt(context, server, health));
  nextMs = Math.min(nextMs, await rebalance(context, backend));
  // Last, because they wait for what was just ended.
  nextMs = Math.min(nextMs, await settleLeader(context, backend));
  nextMs = Math.min(nextMs, await continueLeavingProxy(context, backend));
  if (nextMs < Number.POSITIVE_INFINITY) context.events.onReconcileAt(backend, nextMs);
}

/** The same for one server, whose state just changed; the others that it may concern have their turn soon after. */
export async function reconcileServer(context: CommitContext, server: ServerEntry): Promise<void> {
  const { backend } = server;
  const { attention } = backend.policies;
  const health = once(() => backendHealth(context.memory, backend));
  let nextMs = attention.has(server) ? await lookAt(context, server, health) : Number.POSITIVE_INFINITY;
  nextMs = Math.min(nextMs, await rebalance(context, backend), await settleLeader(context, backend));
  // Many servers that fail together are looked at together, and not all of them at each one's failure.
  if (attention.size > (attention.has(server) ? 1 : 0)) nextMs = Math.min(nextMs, context.nowMs());
  if (nextMs < Number.POSITIVE_INFINITY) context.events.onReconcileAt(backend, nextMs);
}

async function lookAt(context: CommitContext, server: ServerEntry, health: () => BackendHealth): Promise<number> {
  const warmMs = await warmUp(context, server);
  const cutMs = await endSessions(context, server, health);
  const maintMs = await endInMaintenance(context, server);
  const drainMs = await endInDrain(context, server);
  const evictMs = await continueEviction(context, server);
  const leaveMs = await continueLeaving(context, server);
  const { startingSinceMs, down, maintenance, draining, eviction } = server.health.policy;
  const isAtRest = (startingSinceMs ?? down ?? maintenance ?? draining ?? eviction) === undefined;
  if (isAtRest && (server.leaving === undefined || server.isDeleted)) server.backend.policies.attention.delete(server);
  return Math.min(warmMs, cutMs, maintMs, drainMs, evictMs, leaveMs);
}

/** States do not change while one change is carried out: counted once, and only if somebody asks. */
function once<T>(count: () => T): () => T {
  let counted: T | undefined;
  return () => (counted ??= count());
}
