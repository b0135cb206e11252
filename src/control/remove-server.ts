// Takes a server out of its backend and out of memory, if nothing holds it. Control thread, only called by `commit` and `reconcile`.

import { ADMIN_MAINT, SERVER_WORDS, V_ADMIN, V_ATTACHED, V_QUEUE_LENGTH, V_SERVED } from "../memory/server-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import { noteBackendTimes } from "./backend-times.ts";
import type { Receipt, RefusalCode } from "./change.ts";
import { type CommitContext, done, refuse } from "./commit-context.ts";
import { unlink } from "./health/health-entry.ts";
import type { ServerEntry } from "./registry.ts";
import { removeFromChain } from "./tables.ts";

/** Refused as `removalObstacle` says. What follows for the backend's policies is the caller's. */
export async function removeServer(context: CommitContext, server: ServerEntry): Promise<Receipt> {
  const { memory, orders } = context;
  const refusal = removalObstacle(memory, server);
  if (refusal !== undefined) return refuse(refusal);
  const { backend } = server;
  unlinkServer(context, server);
  await orders.order({ kind: "server-changed", server: server.index, backend: backend.index });
  noteBackendTimes(memory, backend);
  return done();
}

/** Nothing leads to the server any more. The relays are told by the caller, before its row is used again. */
export function unlinkServer(context: CommitContext, server: ServerEntry): void {
  const { backend } = server;
  removeFromChain(context.memory, server);
  unlink(server);
  context.events.onServerDeleted(server);
  backend.servers.splice(backend.servers.indexOf(server), 1);
  backend.policies.attention.delete(server);
  server.isDeleted = true;
}

/** Why a server cannot be deleted now; undefined if it can. */
export function removalObstacle(memory: SharedMemory, server: ServerEntry): RefusalCode | undefined {
  if (server.health.trackers.length > 0) return "is-tracked";
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  // One that leaves gets no new session anyway.
  if (server.leaving === undefined && (table[row + V_ADMIN] & ADMIN_MAINT) === 0) return "not-in-maintenance";
  const held =
    Atomics.load(table, row + V_ATTACHED) +
    Atomics.load(table, row + V_SERVED) +
    Atomics.load(table, row + V_QUEUE_LENGTH);
  return held > 0 ? "has-sessions" : undefined;
}
