// What a reload removed: its sessions stay or end as `on-removed` says, and when the last one is gone its row is given back. Decided
// anew at each look from what is so. Control thread, only called by `commit`.

import type { RemovalPolicy } from "../../config/health-model.ts";
import { CutReason } from "../../memory/cut-reason.ts";
import { P_BACK_SESSIONS, P_FRONT_SESSIONS, PROXY_WORDS } from "../../memory/proxy-row.ts";
import { EVERY_SESSION } from "../../memory/selector.ts";
import {
  SERVER_WORDS,
  V_ADMIN,
  V_ATTACHED,
  V_EMPTY_WANTED,
  V_FLAGS,
  V_OPER,
  V_QUEUE_LENGTH,
  V_SERVED,
  VF_LEAVING,
} from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { CommitContext } from "../commit-context.ts";
import { cutSelected } from "../cut.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { removalObstacle, removeServer } from "../remove-server.ts";
import { bumpEpoch, writeServerState } from "../tables.ts";
import { cutUnasked } from "./cut-unasked.ts";
import type { Leaving } from "./leaving-state.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** How soon sessions are counted again: the longer it takes, the later, so that looking costs nothing. */
const LOOK_LEAST_MS = 5;
const LOOK_MOST_MS = 1000;
const LOOK_SHARE = 20;

/** The state of something that is removed now; `hardStopAfterMs` bounds how long its sessions may stay. */
export function beginLeaving(
  policy: RemovalPolicy,
  sessions: number,
  nowMs: number,
  hardStopAfterMs: number | undefined,
): Leaving {
  const ownMs = policy.kind === "shutdown-sessions" ? 0 : policy.kind === "drain" ? policy.timeMs : NEVER;
  const mostMs = Math.min(ownMs, hardStopAfterMs ?? NEVER);
  return { sinceMs: nowMs, endsMs: mostMs === NEVER ? undefined : nowMs + mostMs, policy, sessions, ended: 0 };
}

/** Sessions that hold a server: those on it, those granted to it, and those in its own queue. */
export function sessionsOfServer(memory: SharedMemory, { index }: ServerEntry): number {
  const row = index * SERVER_WORDS;
  const onIt = Math.max(
    Atomics.load(memory.serversI32, row + V_SERVED),
    Atomics.load(memory.serversI32, row + V_ATTACHED),
  );
  return onIt + Atomics.load(memory.serversI32, row + V_QUEUE_LENGTH);
}

/** Sessions that hold a proxy's row: as their frontend or as their backend. */
export function sessionsOfProxy(memory: SharedMemory, { index }: ProxyEntry): number {
  const row = index * PROXY_WORDS;
  return Math.max(
    Atomics.load(memory.proxiesI32, row + P_FRONT_SESSIONS),
    Atomics.load(memory.proxiesI32, row + P_BACK_SESSIONS),
  );
}

/** From now on load balancing gives the server nothing; the caller tells the relays. */
export function closeToSessions(memory: SharedMemory, server: ServerEntry): void {
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  Atomics.or(table, row + V_FLAGS, VF_LEAVING);
  writeServerState(memory, server.index, table[row + V_ADMIN], table[row + V_OPER]);
  bumpEpoch(memory, server.backend.index);
}

/** Does what is due to a server that leaves; when to come again. */
export async function continueLeaving(context: CommitContext, server: ServerEntry): Promise<number> {
  const { leaving } = server;
  if (leaving === undefined || server.isDeleted) return NEVER;
  const { memory } = context;
  const nowMs = context.nowMs();
  if (leaving.endsMs !== undefined && nowMs >= leaving.endsMs && sessionsOfServer(memory, server) > 0) {
    closeToSessions(memory, server);
    const order = { kind: "server-changed", server: server.index, backend: server.backend.index } as const;
    // Twice, so that nothing of it is on its way between threads afterwards (see server-state.ts).
    await context.orders.order(order);
    await context.orders.order(order);
    const receipt = await cutUnasked(context, server, CutReason.REMOVED);
    leaving.ended += receipt.done ? receipt.ended : 0;
  }
  // Before it is counted: the relay that takes the last session away says so.
  Atomics.store(memory.serversI32, server.index * SERVER_WORDS + V_EMPTY_WANTED, 1);
  // In a backend that goes as a whole the servers wait for whom they may still serve: it takes them with it.
  const isNeeded = server.backend.leaving !== undefined && sessionsOfProxy(memory, server.backend) > 0;
  const isFree = !isNeeded && server.health.policy.eviction === undefined;
  if (isFree && removalObstacle(memory, server) === undefined) {
    const receipt = await removeServer(context, server);
    if (receipt.done) {
      tellServerGone(context, server, leaving);
      return NEVER;
    }
  }
  return nextLook(leaving, nowMs);
}

/** Does what is due to a proxy that leaves; when to come again. */
export async function continueLeavingProxy(context: CommitContext, proxy: ProxyEntry): Promise<number> {
  const { leaving } = proxy;
  if (leaving === undefined || proxy.isDeleted) return NEVER;
  const { memory } = context;
  const nowMs = context.nowMs();
  if (leaving.endsMs !== undefined && nowMs >= leaving.endsMs && sessionsOfProxy(memory, proxy) > 0) {
    // Other frontends' sessions may be in it as well.
    for (const side of [{ frontend: proxy.index }, { backend: proxy.index }]) {
      const receipt = await cutSelected(context, { ...EVERY_SESSION, ...side }, CutReason.REMOVED);
      leaving.ended += receipt.done ? receipt.ended : 0;
    }
  }
  const isListening = proxy.listeners.some(({ fd }) => fd >= 0);
  if (proxy.servers.length > 0 || isListening || sessionsOfProxy(memory, proxy) > 0) return nextLook(leaving, nowMs);
  proxy.isDeleted = true;
  context.registry.proxies = context.registry.proxies.filter((other) => other !== proxy);
  if (leaving.sessions > 0) {
    const ended = leaving.ended > 0 ? `, ${leaving.ended} of them were ended` : "";
    const text = `Proxy ${proxy.name} is gone: its ${leaving.sessions} sessions are over${ended}.`;
    context.events.onPolicy(proxy, LogLevel.NOTICE, text);
  }
  return NEVER;
}

function nextLook(leaving: Leaving, nowMs: number): number {
  const lookMs = nowMs + Math.min(LOOK_MOST_MS, Math.max(LOOK_LEAST_MS, (nowMs - leaving.sinceMs) / LOOK_SHARE));
  return leaving.endsMs === undefined || leaving.endsMs <= nowMs ? lookMs : Math.min(lookMs, leaving.endsMs);
}

function tellServerGone(context: CommitContext, server: ServerEntry, leaving: Leaving): void {
  if (leaving.sessions === 0) return;
  const ended = leaving.ended > 0 ? `, ${leaving.ended} of them were ended` : "";
  const text = `Server ${server.backend.name}/${server.name} is gone: its ${leaving.sessions} sessions are over${ended}.`;
  context.events.onPolicy(server.backend, LogLevel.NOTICE, text);
}
