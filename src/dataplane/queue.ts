// Waiting for a server with room, in order of arrival over all threads. A queue is a chain of session rows in shared
// memory, changed only under the backend's lock; whoever frees a slot grants it to the first in line and wakes its thread.

import { hasRoom, raiseMaximum, takeSlot } from "../balance/capacity.ts";
import { SERVERS_MAX } from "../base/limits.ts";
import { WT_GRANTS, WT_WAKE_FD } from "../memory/control-words.ts";
import {
  P_FIRST_SERVER,
  P_QUEUE_HEAD,
  P_QUEUE_LENGTH,
  P_QUEUE_MAX,
  P_QUEUE_TAIL,
  P_TICKET,
  PROXY_WORDS,
} from "../memory/proxy-row.ts";
import { firstOf, linkOf } from "../memory/server-chain.ts";
import {
  SERVER_WORDS,
  V_BACKEND,
  V_IN_USE,
  V_QUEUE_HEAD,
  V_QUEUE_LENGTH,
  V_QUEUE_MAX,
  V_QUEUE_TAIL,
  V_SERVED,
  V_USABLE,
} from "../memory/server-row.ts";
import {
  QueueState,
  S_BACKEND,
  S_FLAGS,
  S_QUEUE_AHEAD_BACKEND,
  S_QUEUE_AHEAD_SERVER,
  S_QUEUE_NEXT,
  S_QUEUE_PREV,
  S_QUEUE_SERVER,
  S_QUEUE_STATE,
  S_QUEUE_TICKET,
  S_SERVER,
  SF_SERVED,
} from "../memory/session-row.ts";
import { threadWords } from "../memory/shared-memory.ts";
import { tellIfEmptied } from "./emptied.ts";
import { lockBackend, unlockBackend } from "./lock.ts";
import { candidatesOf, type Relay, rowBase } from "./relay.ts";

/** Head, tail, length and maximum of a queue, as words of one table. */
interface QueueWords {
  readonly table: Int32Array;
  readonly head: number;
  readonly tail: number;
  readonly length: number;
  readonly maximum: number;
}

// Allocated where a session has to wait, never per event of one that flows.
const queueWords = (relay: Relay, backend: number, server: number): QueueWords => {
  const proxy = backend * PROXY_WORDS;
  const row = server * SERVER_WORDS;
  return server < 0
    ? {
        table: relay.proxies,
        head: proxy + P_QUEUE_HEAD,
        tail: proxy + P_QUEUE_TAIL,
        length: proxy + P_QUEUE_LENGTH,
        maximum: proxy + P_QUEUE_MAX,
      }
    : {
        table: relay.servers,
        head: row + V_QUEUE_HEAD,
        tail: row + V_QUEUE_TAIL,
        length: row + V_QUEUE_LENGTH,
        maximum: row + V_QUEUE_MAX,
      };
};

/** True while somebody waits in the backend's own queue: a newcomer has to line up. */
export function backendHasQueue(relay: Relay, backend: number): boolean {
  return Atomics.load(relay.proxies, backend * PROXY_WORDS + P_QUEUE_LENGTH) > 0;
}

/**
 * Lines the session up for `server`, or for the first server of the backend with room where `server` is -1.
 * @param returns it has waited before and got nothing: it takes its place by the number it drew then
 */
export function enqueue(relay: Relay, row: number, backend: number, server: number, returns: boolean): void {
  const { sessions } = relay;
  const base = rowBase(row);
  lockBackend(relay, backend);
  const own = queueWords(relay, backend, server);
  if (!returns) {
    sessions[base + S_QUEUE_AHEAD_BACKEND] = relay.proxies[backend * PROXY_WORDS + P_QUEUE_LENGTH];
    sessions[base + S_QUEUE_AHEAD_SERVER] = server < 0 ? 0 : relay.servers[server * SERVER_WORDS + V_QUEUE_LENGTH];
    sessions[base + S_QUEUE_TICKET] = relay.proxies[backend * PROXY_WORDS + P_TICKET]++;
  }
  sessions[base + S_QUEUE_SERVER] = server;
  sessions[base + S_QUEUE_STATE] = QueueState.WAITING;
  const length = own.table[own.length];
  let previous = length > 0 ? own.table[own.tail] : -1;
  let next = -1;
  // Only one that returns can be earlier than the last in line.
  while (previous >= 0 && isEarlier(sessions, row, previous)) {
    next = previous;
    previous = sessions[rowBase(previous) + S_QUEUE_PREV];
  }
  sessions[base + S_QUEUE_PREV] = previous;
  sessions[base + S_QUEUE_NEXT] = next;
  if (previous >= 0) sessions[rowBase(previous) + S_QUEUE_NEXT] = row;
  else own.table[own.head] = row;
  if (next >= 0) sessions[rowBase(next) + S_QUEUE_PREV] = row;
  else own.table[own.tail] = row;
  Atomics.store(own.table, own.length, length + 1);
  raiseMaximum(own.table, own.maximum, length + 1);
  unlockBackend(relay, backend);
}

/** Takes a row out of the queue it waits in. Under the lock. */
function unlink(relay: Relay, backend: number, row: number): void {
  const { sessions } = relay;
  const base = rowBase(row);
  const own = queueWords(relay, backend, sessions[base + S_QUEUE_SERVER]);
  const next = sessions[base + S_QUEUE_NEXT];
  const previous = sessions[base + S_QUEUE_PREV];
  if (next >= 0) sessions[rowBase(next) + S_QUEUE_PREV] = previous;
  else own.table[own.tail] = previous;
  if (previous >= 0) sessions[rowBase(previous) + S_QUEUE_NEXT] = next;
  else own.table[own.head] = next;
  Atomics.sub(own.table, own.length, 1);
}

/**
 * Takes the session out of its queue. False if a server was granted to it in the meantime: it then holds a slot, and its
 * grant is on its way through the thread's stack.
 */
export function leaveQueue(relay: Relay, row: number): boolean {
  const base = rowBase(row);
  const backend = relay.sessions[base + S_BACKEND];
  lockBackend(relay, backend);
  const waiting = relay.sessions[base + S_QUEUE_STATE] === QueueState.WAITING;
  if (waiting) {
    unlink(relay, backend, row);
    relay.sessions[base + S_QUEUE_STATE] = QueueState.NONE;
  }
  unlockBackend(relay, backend);
  return waiting;
}

/** Gives back the slot that the session holds, and hands it to the next in line. */
export function releaseSlot(relay: Relay, row: number, server: number): void {
  const base = rowBase(row);
  const backend = relay.servers[server * SERVER_WORDS + V_BACKEND];
  relay.sessions[base + S_FLAGS] &= ~SF_SERVED;
  Atomics.sub(relay.servers, server * SERVER_WORDS + V_SERVED, 1);
  tellIfEmptied(relay, server);
  serveQueues(relay, backend, server);
}

/** Grants slots of `server` to those who wait for it, or for any server of its backend, as long as there is room. */
export function serveQueues(relay: Relay, backend: number, server: number): void {
  const row = server * SERVER_WORDS;
  const proxy = backend * PROXY_WORDS;
  const { servers, proxies, sessions } = relay;
  while (Atomics.load(servers, row + V_QUEUE_LENGTH) + Atomics.load(proxies, proxy + P_QUEUE_LENGTH) > 0) {
    if (servers[row + V_USABLE] !== 1 || !hasRoom(servers, server)) return;
    // A backup takes from the backend's queue only while it is the one in use.
    const eligible = isCandidate(relay, backend, server);
    if (!eligible && candidatesOf(relay, backend).isFenced) return;
    lockBackend(relay, backend);
    const forServer = servers[row + V_QUEUE_LENGTH] > 0 ? servers[row + V_QUEUE_HEAD] : -1;
    const forBackend = eligible && proxies[proxy + P_QUEUE_LENGTH] > 0 ? proxies[proxy + P_QUEUE_HEAD] : -1;
    let granted = forServer;
    if (forBackend >= 0 && (forServer < 0 || isEarlier(sessions, forBackend, forServer))) granted = forBackend;
    if (granted >= 0 && takeSlot(servers, server)) {
      unlink(relay, backend, granted);
      const base = rowBase(granted);
      sessions[base + S_QUEUE_SERVER] = server;
      Atomics.store(sessions, base + S_QUEUE_STATE, QueueState.GRANTED);
    } else granted = -1;
    unlockBackend(relay, backend);
    if (granted < 0) return;
    sendGrant(relay, granted);
  }
}

/** Serves the queues of all servers of a backend. */
export function serveBackend(relay: Relay, backend: number): void {
  const head = Atomics.load(relay.proxies, backend * PROXY_WORDS + P_FIRST_SERVER);
  const link = linkOf(head);
  for (let server = firstOf(head), steps = 0; server >= 0 && steps < SERVERS_MAX; steps++) {
    if (relay.servers[server * SERVER_WORDS + V_IN_USE] === 1) serveQueues(relay, backend, server);
    server = relay.servers[server * SERVER_WORDS + link];
  }
}

function isEarlier(sessions: Int32Array, a: number, b: number): boolean {
  return ((sessions[rowBase(a) + S_QUEUE_TICKET] - sessions[rowBase(b) + S_QUEUE_TICKET]) | 0) < 0;
}

/** True if the server may be given new sessions of the backend now. */
export function isCandidate(relay: Relay, backend: number, server: number): boolean {
  const candidates = candidatesOf(relay, backend);
  for (let i = 0; i < candidates.count; i++) if (candidates.servers[i] === server) return true;
  return false;
}

/** Pushes a granted row on its thread's stack and wakes the thread. */
function sendGrant(relay: Relay, row: number): void {
  const thread = Math.floor(row / relay.memory.rowsPerThread);
  const top = threadWords(thread) + WT_GRANTS;
  const link = rowBase(row) + S_QUEUE_NEXT;
  for (let seen = Atomics.load(relay.words, top); ; ) {
    relay.sessions[link] = seen;
    const before = Atomics.compareExchange(relay.words, top, seen, row + 1);
    if (before === seen) break;
    seen = before;
  }
  if (thread !== relay.thread) relay.kernel.wake(relay.words[threadWords(thread) + WT_WAKE_FD]);
}

/** Hands each granted row of this thread to `granted`, oldest grant first. */
export function takeGrants(relay: Relay, granted: (relay: Relay, row: number, server: number) => void): void {
  const top = relay.ownWords + WT_GRANTS;
  while (Atomics.load(relay.words, top) !== 0) {
    let chain = Atomics.exchange(relay.words, top, 0);
    // The stack is newest first: turn it round.
    let oldest = 0;
    while (chain !== 0) {
      const link = rowBase(chain - 1) + S_QUEUE_NEXT;
      const rest = relay.sessions[link];
      relay.sessions[link] = oldest;
      oldest = chain;
      chain = rest;
    }
    while (oldest !== 0) {
      const row = oldest - 1;
      const base = rowBase(row);
      oldest = relay.sessions[base + S_QUEUE_NEXT];
      relay.sessions[base + S_QUEUE_STATE] = QueueState.NONE;
      granted(relay, row, relay.sessions[base + S_QUEUE_SERVER]);
    }
  }
}

/** Hands each row of this thread that waits in a queue of `backend` (of `server`, or -1: the backend's) to `visit`. */
export function visitQueued(
  relay: Relay,
  backend: number,
  server: number,
  visit: (relay: Relay, row: number) => void,
): void {
  const rows: number[] = [];
  lockBackend(relay, backend);
  const own = queueWords(relay, backend, server);
  let row = own.table[own.length] > 0 ? own.table[own.head] : -1;
  while (row >= 0) {
    if (row >= relay.firstRow && row < relay.rowLimit) rows.push(row);
    row = relay.sessions[rowBase(row) + S_QUEUE_NEXT];
  }
  unlockBackend(relay, backend);
  for (const waiting of rows) {
    const base = rowBase(waiting);
    if (relay.sessions[base + S_QUEUE_STATE] === QueueState.WAITING && relay.sessions[base + S_SERVER] < 0) {
      visit(relay, waiting);
    }
  }
}
