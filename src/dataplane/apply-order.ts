// Carries out the control thread's orders, and acknowledges each when it is done: what an order ends has ended by then.

import { SERVERS_MAX } from "../base/limits.ts";
import { W_THREADS } from "../memory/control-words.ts";
import { CutReason } from "../memory/cut-reason.ts";
import type { Order } from "../memory/order.ts";
import { P_BACK_SESSIONS, P_FIRST_SERVER, P_QUEUE_LENGTH, PROXY_WORDS } from "../memory/proxy-row.ts";
import { isSelected, type Selector } from "../memory/selector.ts";
import { firstOf, linkOf } from "../memory/server-chain.ts";
import { SERVER_WORDS, V_CUT_GENERATION, V_CUT_REASON, V_QUEUE_LENGTH } from "../memory/server-row.ts";
import { S_CUT_GENERATION, S_GENERATION, S_SERVER_NEXT, S_STATE, SessionState } from "../memory/session-row.ts";
import { chooseSessions, isQuiet } from "./choose-sessions.ts";
import { clearCounters } from "./clear-counters.ts";
import { isCandidate, serveBackend, takeGrants, visitQueued } from "./queue.ts";
import { candidatesOf, type Relay, rowBase } from "./relay.ts";
import { acceptConnections, takeHandedOver } from "./session/accept.ts";
import { resumeListeners, stopWatching } from "./session/admit.ts";
import { cutSession } from "./session/close.ts";
import { watchLimits } from "./session/limits.ts";
import { reconsiderQueued, takeGrant } from "./session/pick-server.ts";

/** Nobody can come any more where a socket is drained, so it ends before; ACCEPT_BATCH connections each. */
const DRAIN_ROUNDS_MAX = 4096;

/** Carries out every order that waits, in the order they were given. */
export function applyOrders(relay: Relay): void {
  relay.seenOrders = Atomics.load(relay.words, relay.orderWord);
  for (let order = relay.ports.takeOrder(); order !== undefined; order = relay.ports.takeOrder()) {
    // A session that was granted a server is on no list yet; first let it get there.
    takeGrants(relay, takeGrant);
    relay.discardedBytes = 0;
    const ended = carryOut(relay, order);
    relay.ports.acknowledge(order.sequence, ended, relay.discardedBytes);
  }
}

/** Sessions ended. */
function carryOut(relay: Relay, order: Order): number {
  switch (order.kind) {
    case "listen":
      listen(relay, order);
      return 0;
    case "unlisten":
      unlisten(relay, order.listener, order.drain === true);
      return 0;
    case "generation":
      takeGeneration(relay, order);
      return 0;
    case "look-again":
      lookAgain(relay);
      return 0;
    case "server-changed":
      serverChanged(relay, order.backend, order.server);
      return 0;
    case "cut-server":
      return cutServer(relay, order.server, order.resetClients);
    case "cut-some":
      return cutSome(relay, order);
    case "gather":
      takeHandedOver(relay);
      return 0;
    case "cut-listed":
      return cutListed(relay, order);
    case "cut-session":
      return cutOne(relay, order.row, order.generation, CutReason.OPERATOR);
    case "cut-selected":
      takeHandedOver(relay);
      return cutSelected(relay, order.selector, order.reason);
    case "cut-all":
      takeHandedOver(relay);
      return cutAll(relay);
    case "limits-changed":
      resumeListeners(relay);
      return 0;
    case "clear-counters":
      clearCounters(relay, order.all);
      return 0;
  }
}

/** False while the thread leaves, or was started for a configuration that is not in force yet: it is given no new sessions. */
const isInService = (relay: Relay): boolean => relay.thread < Atomics.load(relay.words, W_THREADS);

function listen(relay: Relay, order: Extract<Order, { kind: "listen" }>): void {
  if (!isInService(relay)) return;
  takeListener(relay, order.listener, order.fd, order.frontend);
  resumeListeners(relay);
}

/** A socket that is listened on already may belong to another frontend from now on. */
function takeListener(relay: Relay, index: number, fd: number, frontend: number): void {
  const known = relay.listeners[index];
  if (known?.fd === fd) known.frontend = frontend;
  else relay.listeners[index] = { index, fd, frontend, watched: false };
}

function unlisten(relay: Relay, index: number, drain: boolean): void {
  const listener = relay.listeners[index];
  if (listener === undefined) return;
  for (let rounds = 0; drain && rounds < DRAIN_ROUNDS_MAX && acceptConnections(relay, listener); rounds++);
  stopWatching(relay, listener);
  relay.listeners[index] = undefined;
}

/** The thread leaves. What waits on the sockets is for the others, one of which is told to look again. */
function letGoOfListeners(relay: Relay): void {
  for (const listener of relay.listeners) if (listener !== undefined) unlisten(relay, listener.index, false);
}

/** To the kernel a socket that is watched anew is news, whoever was told before of what waits on it. */
function lookAgain(relay: Relay): void {
  for (const listener of relay.listeners) if (listener !== undefined) stopWatching(relay, listener);
  resumeListeners(relay);
}

function takeGeneration(relay: Relay, order: Extract<Order, { kind: "generation" }>): void {
  const { backends, listeners } = order;
  if (!isInService(relay)) letGoOfListeners(relay);
  else {
    for (let i = 0; i < listeners.length; i += 3) {
      takeListener(relay, listeners[i], listeners[i + 1], listeners[i + 2]);
    }
  }
  for (const backend of backends) reviewQueues(relay, backend);
  takeGrants(relay, takeGrant);
  // Limits may have grown.
  resumeListeners(relay);
}

/** Lets everybody who waits in the backend look again; costs one load where it has no sessions. */
function reviewQueues(relay: Relay, backend: number): void {
  // Those that wait are counted there too.
  if (Atomics.load(relay.proxies, backend * PROXY_WORDS + P_BACK_SESSIONS) === 0) return;
  const head = Atomics.load(relay.proxies, backend * PROXY_WORDS + P_FIRST_SERVER);
  const link = linkOf(head);
  let waiting = Atomics.load(relay.proxies, backend * PROXY_WORDS + P_QUEUE_LENGTH);
  for (let server = firstOf(head), steps = 0; server >= 0 && steps < SERVERS_MAX; steps++) {
    watchLimits(relay, server);
    const length = Atomics.load(relay.servers, server * SERVER_WORDS + V_QUEUE_LENGTH);
    waiting += length;
    if (length > 0 && !isCandidate(relay, backend, server)) visitQueued(relay, backend, server, reconsiderQueued);
    server = relay.servers[server * SERVER_WORDS + link];
  }
  if (waiting === 0) return;
  const { count, waits } = candidatesOf(relay, backend);
  if (count > 0) serveBackend(relay, backend);
  else if (!waits) visitQueued(relay, backend, -1, reconsiderQueued);
}

function serverChanged(relay: Relay, backend: number, server: number): void {
  // Who lines up for the server itself keeps its place, and its time, while the server may be given sessions.
  if (!isCandidate(relay, backend, server)) visitQueued(relay, backend, server, reconsiderQueued);
  // Those in the backend's queue only move if no server is left for them; else their turn comes.
  const { count, waits } = candidatesOf(relay, backend);
  if (count > 0) serveBackend(relay, backend);
  else if (!waits) visitQueued(relay, backend, -1, reconsiderQueued);
  takeGrants(relay, takeGrant);
}

function cutServer(relay: Relay, server: number, resetClients: boolean): number {
  const generation = Atomics.load(relay.servers, server * SERVER_WORDS + V_CUT_GENERATION);
  const reason = relay.servers[server * SERVER_WORDS + V_CUT_REASON] as CutReason;
  let ended = 0;
  let row = relay.serverSessions[server];
  while (row >= 0) {
    const base = rowBase(row);
    const next = relay.sessions[base + S_SERVER_NEXT];
    if (relay.sessions[base + S_CUT_GENERATION] !== generation) {
      cutSession(relay, row, reason, resetClients);
      ended++;
    }
    row = next;
  }
  // Slots came free; the server's own queue and the backend's were served by each close.
  takeGrants(relay, takeGrant);
  return ended;
}

/** Ends `most` of the server's sessions that may end now; all of them if there are no more. */
function cutSome(relay: Relay, order: Extract<Order, { kind: "cut-some" }>): number {
  const chosen = chooseSessions(relay, order);
  for (const row of chosen) cutSession(relay, row, order.reason, order.resetClients);
  takeGrants(relay, takeGrant);
  return chosen.length;
}

function cutOne(relay: Relay, row: number, generation: number, reason: CutReason): number {
  if (!isLive(relay, row, generation)) return 0;
  cutSession(relay, row, reason);
  return 1;
}

/** The session is one of this thread's, and has not ended. */
function isLive(relay: Relay, row: number, generation: number): boolean {
  if (row < relay.firstRow || row >= relay.rowLimit) return false;
  const base = rowBase(row);
  const state = relay.sessions[base + S_STATE];
  if (state === SessionState.FREE || state === SessionState.ABANDONED) return false;
  return relay.sessions[base + S_GENERATION] === generation;
}

function cutListed(relay: Relay, order: Extract<Order, { kind: "cut-listed" }>): number {
  const { sessions, most, idleMs, reason, resetClients } = order;
  let ended = 0;
  for (let at = 0; at < sessions.length && ended < most; at += 2) {
    const row = sessions[at];
    if (!isLive(relay, row, sessions[at + 1]) || (idleMs > 0 && !isQuiet(relay, row, idleMs))) continue;
    cutSession(relay, row, reason, resetClients);
    ended++;
  }
  takeGrants(relay, takeGrant);
  return ended;
}

/** Walks the named server's own list, else all rows of the thread. */
function cutSelected(relay: Relay, selector: Selector, reason: CutReason): number {
  let ended = 0;
  if (selector.server >= 0) {
    let row = relay.serverSessions[selector.server];
    while (row >= 0) {
      const next = relay.sessions[rowBase(row) + S_SERVER_NEXT];
      ended += cutIfSelected(relay, row, selector, reason);
      row = next;
    }
  } else {
    const end = relay.firstRow + relay.rowsUsed;
    for (let row = relay.firstRow; row < end; row++) ended += cutIfSelected(relay, row, selector, reason);
  }
  takeGrants(relay, takeGrant);
  return ended;
}

function cutIfSelected(relay: Relay, row: number, selector: Selector, reason: CutReason): number {
  if (!isSelected(selector, relay.sessions, relay.sessionsF64, rowBase(row), relay.now)) return 0;
  cutSession(relay, row, reason);
  return 1;
}

function cutAll(relay: Relay): number {
  let ended = 0;
  for (let row = relay.firstRow; row < relay.firstRow + relay.rowsUsed; row++) {
    ended += cutOne(relay, row, relay.sessions[rowBase(row) + S_GENERATION], CutReason.HARD_STOP);
  }
  return ended;
}
