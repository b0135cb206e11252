// Carries out the control thread's orders, and acknowledges each when it is done: what an order ends has ended by then.

import { SERVERS_MAX } from "../base/limits.ts";
import { EndCause, EndPhase } from "../memory/end-state.ts";
import type { Order } from "../memory/order.ts";
import { P_FIRST_SERVER, P_QUEUE_LENGTH, PROXY_WORDS } from "../memory/proxy-row.ts";
import { isSelected, type Selector } from "../memory/selector.ts";
import { firstOf, linkOf } from "../memory/server-chain.ts";
import { SERVER_WORDS, V_CUT_CAUSE, V_CUT_GENERATION, V_QUEUE_LENGTH } from "../memory/server-row.ts";
import { S_CUT_GENERATION, S_GENERATION, S_SERVER_NEXT, S_STATE, SessionState } from "../memory/session-row.ts";
import { chooseSessions } from "./choose-sessions.ts";
import { clearCounters } from "./clear-counters.ts";
import { isCandidate, serveBackend, takeGrants, visitQueued } from "./queue.ts";
import { candidatesOf, type Relay, rowBase } from "./relay.ts";
import { acceptConnections, takeHandedOver } from "./session/accept.ts";
import { resumeListeners, stopWatching } from "./session/admit.ts";
import { closeSession } from "./session/close.ts";
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
    relay.ports.acknowledge(order.sequence, ended, ended, relay.discardedBytes);
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
    case "server-changed":
      serverChanged(relay, order.backend, order.server);
      return 0;
    case "cut-server":
      return cutServer(relay, order.server, order.resetClients);
    case "cut-some":
      return cutSome(relay, order);
    case "cut-session":
      return cutSession(relay, order.row, order.generation);
    case "cut-selected":
      takeHandedOver(relay);
      return cutSelected(relay, order.selector);
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

function listen(relay: Relay, order: Extract<Order, { kind: "listen" }>): void {
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

function takeGeneration(relay: Relay, order: Extract<Order, { kind: "generation" }>): void {
  const { backends, listeners } = order;
  for (let i = 0; i < listeners.length; i += 3) {
    takeListener(relay, listeners[i], listeners[i + 1], listeners[i + 2]);
  }
  for (const backend of backends) reviewQueues(relay, backend);
  takeGrants(relay, takeGrant);
  // Limits may have grown.
  resumeListeners(relay);
}

/** Lets everybody who waits in the backend look again; costs a look at each queue's length where nobody does. */
function reviewQueues(relay: Relay, backend: number): void {
  const head = Atomics.load(relay.proxies, backend * PROXY_WORDS + P_FIRST_SERVER);
  const link = linkOf(head);
  let waiting = Atomics.load(relay.proxies, backend * PROXY_WORDS + P_QUEUE_LENGTH);
  for (let server = firstOf(head), steps = 0; server >= 0 && steps < SERVERS_MAX; steps++) {
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
  const cause = relay.servers[server * SERVER_WORDS + V_CUT_CAUSE] as EndCause;
  let ended = 0;
  let row = relay.serverSessions[server];
  while (row >= 0) {
    const base = rowBase(row);
    const next = relay.sessions[base + S_SERVER_NEXT];
    if (relay.sessions[base + S_CUT_GENERATION] !== generation) {
      closeSession(relay, row, cause, EndPhase.CONNECT, resetClients);
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
  const cause = relay.servers[order.server * SERVER_WORDS + V_CUT_CAUSE] as EndCause;
  const chosen = chooseSessions(relay, order);
  for (const row of chosen) closeSession(relay, row, cause, EndPhase.CONNECT, order.resetClients);
  takeGrants(relay, takeGrant);
  return chosen.length;
}

function cutSession(relay: Relay, row: number, generation: number): number {
  if (row < relay.firstRow || row >= relay.rowLimit) return 0;
  const base = rowBase(row);
  const state = relay.sessions[base + S_STATE];
  const isLive = state !== SessionState.FREE && state !== SessionState.ABANDONED;
  if (!isLive || relay.sessions[base + S_GENERATION] !== generation) return 0;
  // HAProxy logs every kill as KC, whatever the phase; Tw and Tc tell the phase.
  closeSession(relay, row, EndCause.KILLED, EndPhase.CONNECT);
  return 1;
}

/** Walks the named server's own list, else all rows of the thread. */
function cutSelected(relay: Relay, selector: Selector): number {
  let ended = 0;
  if (selector.server >= 0) {
    let row = relay.serverSessions[selector.server];
    while (row >= 0) {
      const next = relay.sessions[rowBase(row) + S_SERVER_NEXT];
      ended += cutIfSelected(relay, row, selector);
      row = next;
    }
  } else {
    const end = relay.firstRow + relay.rowsUsed;
    for (let row = relay.firstRow; row < end; row++) ended += cutIfSelected(relay, row, selector);
  }
  takeGrants(relay, takeGrant);
  return ended;
}

function cutIfSelected(relay: Relay, row: number, selector: Selector): number {
  if (!isSelected(selector, relay.sessions, relay.sessionsF64, rowBase(row), relay.now)) return 0;
  closeSession(relay, row, EndCause.KILLED, EndPhase.CONNECT);
  return 1;
}

function cutAll(relay: Relay): number {
  let ended = 0;
  for (let row = relay.firstRow; row < relay.firstRow + relay.rowsUsed; row++) {
    ended += cutSession(relay, row, relay.sessions[rowBase(row) + S_GENERATION]);
  }
  return ended;
}
