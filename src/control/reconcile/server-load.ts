// Writes what a server counts for in load balancing and how many sessions it may have, while it starts slowly and afterwards.
// Control thread, only called by `commit`.

import { OperState, SERVER_WORDS, V_ADMIN, V_MAXCONN, V_OPER, V_SERVED, V_WEIGHT } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { CommitContext } from "../commit-context.ts";
import type { ServerEntry } from "../registry.ts";
import { bumpEpoch, writeLoad } from "../tables.ts";
import { fullLoad, loadAt, stepMs } from "./slow-start.ts";

/** Does a server that comes up now start slowly? */
export const startsSlowly = (server: ServerEntry): boolean => server.config.policy.slowStartMs > 0;

/** After any change of weight, maxconn or state. The relays hear of it by the caller. */
export function settleLoad(memory: SharedMemory, server: ServerEntry, nowMs: number): void {
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  const { policy } = server.health;
  if (table[row + V_OPER] !== OperState.STARTING) policy.startingSinceMs = undefined;
  else policy.startingSinceMs ??= nowMs;
  const weight = table[row + V_WEIGHT];
  const maxconn = table[row + V_MAXCONN];
  const since = policy.startingSinceMs;
  const ramps = server.backend.config.balance.algorithm !== "source";
  const load =
    since === undefined
      ? fullLoad(weight, maxconn)
      : loadAt(weight, maxconn, nowMs - since, server.config.policy.slowStartMs, ramps);
  writeLoad(memory, server.index, load.loadWeight, load.limit);
}

/** The next step of a slow start; when to come again. */
export async function warmUp(context: CommitContext, server: ServerEntry): Promise<number> {
  const { memory } = context;
  const { startingSinceMs } = server.health.policy;
  if (startingSinceMs === undefined) return Number.POSITIVE_INFINITY;
  const { slowStartMs } = server.config.policy;
  const nowMs = context.nowMs();
  const isOver = nowMs >= startingSinceMs + slowStartMs;
  if (isOver) memory.serversI32[server.index * SERVER_WORDS + V_OPER] = OperState.RUNNING;
  settleLoad(memory, server, nowMs);
  bumpEpoch(memory, server.backend.index);
  await context.orders.order({ kind: "server-changed", server: server.index, backend: server.backend.index });
  if (isOver) announceFullLoad(context, server);
  return isOver ? Number.POSITIVE_INFINITY : nowMs + stepMs(slowStartMs);
}

/** The log says "is UP" of it a second time, as HAProxy's. */
function announceFullLoad(context: CommitContext, server: ServerEntry): void {
  const table = context.memory.serversI32;
  const row = server.index * SERVER_WORDS;
  const admin = table[row + V_ADMIN];
  context.events.onServerState(server, {
    before: { admin, oper: OperState.STARTING },
    after: { admin, oper: OperState.RUNNING },
    note: "",
    sessions: Atomics.load(table, row + V_SERVED),
    requeued: 0,
  });
}
