// The one door for changes: validates, writes the desired state into shared memory, orders the relay threads, waits for
// all of them, checks, and answers with a receipt. Changes are carried out one after the other. Control thread.

import { SHOW_WAIT_MS } from "../base/limits.ts";
import { W_CONNECTIONS_MAX } from "../memory/control-words.ts";
import { CutReason } from "../memory/cut-reason.ts";
import { P_BACK_SESSIONS_MAX, P_FRONT_SESSIONS_MAX, P_QUEUE_MAX, PROXY_WORDS } from "../memory/proxy-row.ts";
import { AdminState, SERVER_WORDS, V_QUEUE_MAX, V_SERVED_MAX } from "../memory/server-row.ts";
import { generationOfSessionId, rowOfSessionId, S_GENERATION, SESSION_WORDS } from "../memory/session-row.ts";
import { addServer } from "./add-server.ts";
import type { Change, Commit, Receipt } from "./change.ts";
import { type CommitContext, done, refuse } from "./commit-context.ts";
import { cutSelected, cutServer } from "./cut.ts";
import { pauseFrontend, resumeFrontend, setFrontendMaxconn, setProcessMaxconn, shutdownFrontend } from "./frontends.ts";
import { applyCheckResult, applyObservedErrors, enableCheck, setCheckTarget, setHealth } from "./health/changes.ts";
import { clearHealthCounters } from "./health/health-entry.ts";
import { beginEviction } from "./reconcile/begin-eviction.ts";
import { cancelEviction, continueEviction } from "./reconcile/evict-server.ts";
import { continueEvictions, evictSessions } from "./reconcile/evict-sessions.ts";
import { reconcile, reconcileServer } from "./reconcile/reconcile.ts";
import type { ServerEntry } from "./registry.ts";
import { applyReload } from "./reload/apply.ts";
import { fullName } from "./reload/apply-servers.ts";
import { removalObstacle, removeServer } from "./remove-server.ts";
import { loseAddress, setAddress, setFqdn } from "./resolve/changes.ts";
import { changeAdmin, changeMaxconn, changeWeight } from "./server-state.ts";
import { restoreState } from "./state/restore-state.ts";

/** The door itself: changes given to it are carried out in the order given, each after the one before has its receipt. */
export function createCommit(context: CommitContext): Commit {
  let last: Promise<unknown> = Promise.resolve();
  let underWay: Promise<unknown> | undefined;
  const carryOutNext = async (change: Change): Promise<Receipt> => {
    const receipt = carryOut(context, change);
    underWay = receipt;
    try {
      return await receipt;
    } finally {
      underWay = undefined;
    }
  };
  const commit = (change: Change): Promise<Receipt> => {
    const next = last.then(() => carryOutNext(change));
    last = next.catch(() => undefined);
    return next.finally(() => context.events.onProgress());
  };
  const settled = async <T>(look: () => T): Promise<Awaited<T>> => {
    const deadlineMs = performance.now() + SHOW_WAIT_MS;
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      if (underWay === undefined || leftMs <= 0) return await look();
      await endOrTime(underWay, leftMs);
    }
  };
  return Object.assign(commit, { settled });
}

/** Resolves when `change` is over, well or not, or after `ms`. */
async function endOrTime(change: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([change.catch(() => undefined), time]);
  clearTimeout(timer);
}

async function carryOut(context: CommitContext, change: Change): Promise<Receipt> {
  if ("server" in change && change.kind !== "add-server") {
    const { server } = change;
    // It may have been deleted while the change waited for its turn.
    if (server.isDeleted) return refuse("no-such-server");
  }
  const leaving = leavingSubject(change);
  if (leaving !== undefined) return leaving;
  switch (change.kind) {
    case "set-admin":
      return changeAdmin(context, change.server, change.set, change.clear);
    case "check-result":
      return applyCheckResult(context, change);
    case "set-health":
      return setHealth(context, change.server, change.source, change.oper);
    case "enable-check":
      return enableCheck(context, change.server, change.source, change.enabled);
    case "set-check-target":
      return setCheckTarget(context, change);
    case "observed-errors":
      return applyObservedErrors(context, change.server, change.alarms);
    case "reconcile":
      if (change.backend.isDeleted) return done();
      await reconcile(context, change.backend);
      return done();
    case "set-weight":
      return changeWeight(context, change.server, change.weight);
    case "set-maxconn":
      return changeMaxconn(context, change.server, change.maxconn);
    case "set-address":
      return setAddress(context, change);
    case "lose-address":
      return loseAddress(context, change);
    case "set-fqdn":
      return setFqdn(context, change);
    case "add-server":
      return addServer(context, change);
    case "delete-server":
      return deleteServer(context, change.server);
    case "evict-server":
      return beginEviction(context, change.server, change.request);
    case "evict-sessions":
      return evictSessions(context, change.selector, change.filter, change.request);
    case "continue-evictions":
      await continueEvictions(context);
      return done();
    case "cancel-eviction":
      return cancelEviction(context, change.id);
    case "cut-server":
      return cutServer(context, change.server, CutReason.OPERATOR);
    case "cut-session":
      return cutSession(context, change.id);
    case "cut-selected":
      return cutSelected(context, change.selector);
    case "shutdown-frontend":
      return shutdownFrontend(context, change.proxy);
    case "pause-frontend":
      return pauseFrontend(context, change.proxy, change.lendsPorts ?? false);
    case "resume-frontend":
      return resumeFrontend(context, change.proxy);
    case "set-frontend-maxconn":
      return setFrontendMaxconn(context, change.proxy, change.maxconn);
    case "set-process-maxconn":
      return setProcessMaxconn(context, change.maxconn);
    case "reload":
      return applyReload(context, change.prepared);
    case "restore-state":
      return restoreState(context, change.state, change.tell);
    case "turn":
      await context.orders.order({ kind: "limits-changed" });
      return done();
    case "clear-counters":
      return clearCounters(context, change.all);
  }
}

/** What a reload removed takes no order that would bring it back. */
function leavingSubject(change: Change): Receipt | undefined {
  if (change.kind === "set-admin") {
    const { server, set, clear } = change;
    const isForReady = set === 0 && (clear & (AdminState.FORCED_MAINT | AdminState.FORCED_DRAIN)) !== 0;
    return server.leaving === undefined || !isForReady ? undefined : refuse("server-leaving", fullName(server));
  }
  const isOfProxy = change.kind === "resume-frontend" || change.kind === "pause-frontend";
  const proxy = isOfProxy ? change.proxy : change.kind === "add-server" ? change.backend : undefined;
  return proxy?.leaving === undefined ? undefined : refuse("proxy-leaving", proxy.name);
}

async function deleteServer(context: CommitContext, server: ServerEntry): Promise<Receipt> {
  // An eviction that has not noticed yet that its last session is gone ends first, with its proof; it may delete the server itself.
  if (removalObstacle(context.memory, server) === undefined) await continueEviction(context, server);
  const isGone = server.isDeleted;
  const receipt = isGone ? done() : await removeServer(context, server);
  if (receipt.done) await reconcileServer(context, server);
  return receipt;
}

async function cutSession(context: CommitContext, id: number): Promise<Receipt> {
  const { memory, orders } = context;
  const row = rowOfSessionId(id);
  const generation = generationOfSessionId(id);
  const thread = Math.floor(row / memory.rowsPerThread);
  const isLive = thread < memory.threads && memory.sessions[row * SESSION_WORDS + S_GENERATION] === generation;
  if (!Number.isSafeInteger(id) || !isLive || (generation & 1) === 0) return refuse("no-such-session");
  const answer = await orders.order({ kind: "cut-session", row, generation }, thread);
  return answer.ended === 0 ? refuse("no-such-session") : done(1, 1);
}

async function clearCounters(context: CommitContext, all: boolean): Promise<Receipt> {
  const { memory, registry } = context;
  await context.orders.order({ kind: "clear-counters", all });
  Atomics.store(memory.words, W_CONNECTIONS_MAX, 0);
  for (const proxy of registry.proxies) {
    const row = proxy.index * PROXY_WORDS;
    for (const word of [P_FRONT_SESSIONS_MAX, P_BACK_SESSIONS_MAX, P_QUEUE_MAX])
      Atomics.store(memory.proxiesI32, row + word, 0);
    for (const server of proxy.servers) {
      const own = server.index * SERVER_WORDS;
      for (const word of [V_SERVED_MAX, V_QUEUE_MAX]) Atomics.store(memory.serversI32, own + word, 0);
      if (all) clearHealthCounters(server.health);
    }
    if (all) proxy.downTransitions = 0;
  }
  return done();
}
