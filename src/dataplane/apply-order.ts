// Carries out the control thread's orders, and acknowledges each when it is done: what an order ends has ended by then.

import { CutReason } from "../memory/cut-reason.ts";
import type { Order } from "../memory/order.ts";
import { isSelected, type Selector } from "../memory/selector.ts";
import { SERVER_WORDS, V_CUT_GENERATION, V_CUT_REASON } from "../memory/server-row.ts";
import { S_CUT_GENERATION, S_GENERATION, S_SERVER_NEXT, S_STATE, SessionState } from "../memory/session-row.ts";
import { chooseSessions, isQuiet } from "./choose-sessions.ts";
import { clearCounters } from "./clear-counters.ts";
import { isCandidate, serveBackend, takeGrants, visitQueued } from "./queue.ts";
import { candidatesOf, type Relay, type RelayListener, rowBase } from "./relay.ts";
import { takeHandedOver } from "./session/accept.ts";
import { resumeListeners, stopWatching } from "./session/admit.ts";
import { cutSession } from "./session/close.ts";
import { reconsiderQueued, takeGrant } from "./session/pick-server.ts";

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
    case "unlisten": {
      const listener = relay.listeners[order.listener];
      if (listener !== undefined) stopWatching(relay, listener);
      relay.listeners[order.listener] = undefined;
      return 0;
    }
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
  const { listener: index, fd, frontend } = order;
  const listener: RelayListener = { index, fd, frontend, watched: false };
  relay.listeners[index] = listener;
  resumeListeners(relay);
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
  cutSession(relay, row, CutReason.OPERATOR);
  return 1;
}

function cutAll(relay: Relay): number {
  let ended = 0;
  for (let row = relay.firstRow; row < relay.firstRow + relay.rowsUsed; row++) {
    ended += cutOne(relay, row, relay.sessions[rowBase(row) + S_GENERATION], CutReason.HARD_STOP);
  }
  return ended;
}
