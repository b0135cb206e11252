// Limits on new sessions: process, frontend and listener. A full one stops this thread from accepting (connections wait in the
// kernel's backlog, none is dropped); whoever makes room wakes the threads that stopped.

import { raiseMaximum } from "../../balance/capacity.ts";
import { RESOURCE_PAUSE_MS } from "../../base/limits.ts";
import {
  W_CONNECTIONS,
  W_CONNECTIONS_MAX,
  W_MAXCONN,
  W_WAITING_HIGH,
  W_WAITING_LOW,
  WT_WAKE_FD,
} from "../../memory/control-words.ts";
import { CT_MAXCONN_REACHED } from "../../memory/counters.ts";
import { L_MAXCONN, L_SESSIONS, L_WAITING_HIGH, L_WAITING_LOW, LISTENER_WORDS } from "../../memory/listener-row.ts";
import {
  P_FRONT_MAXCONN,
  P_FRONT_SESSIONS,
  P_FRONT_SESSIONS_MAX,
  P_WAITING_HIGH,
  P_WAITING_LOW,
  PROXY_WORDS,
} from "../../memory/proxy-row.ts";
import { threadWords } from "../../memory/shared-memory.ts";
import type { Relay, RelayListener } from "../relay.ts";

/** Reserves a place in the process, the frontend and the listener. On false this thread no longer watches the listener. */
export function admit(relay: Relay, listener: RelayListener): boolean {
  const { words, proxies, listenerRows } = relay;
  const proxy = listener.frontend * PROXY_WORDS;
  const own = listener.index * LISTENER_WORDS;
  for (let attempt = 0; attempt < 2; attempt++) {
    // From the narrow to the wide, so that what is given back again was seen by nobody who counts maxima.
    if (reserve(listenerRows, own + L_SESSIONS, listenerRows[own + L_MAXCONN]) < 0) {
      setWaiting(relay, listenerRows, own + L_WAITING_LOW, own + L_WAITING_HIGH);
      continue; // Once more, now that the bit is set: room made in between would not have woken this thread.
    }
    const sessions = reserve(proxies, proxy + P_FRONT_SESSIONS, proxies[proxy + P_FRONT_MAXCONN]);
    if (sessions >= 0) {
      const connections = reserve(words, W_CONNECTIONS, words[W_MAXCONN]);
      if (connections >= 0) {
        relay.admittedConnections = connections;
        relay.admittedSessions = sessions;
        return true;
      }
      setWaiting(relay, words, W_WAITING_LOW, W_WAITING_HIGH);
      giveUp(relay, proxies, proxy + P_FRONT_SESSIONS, proxy + P_WAITING_LOW, proxy + P_WAITING_HIGH);
    } else setWaiting(relay, proxies, proxy + P_WAITING_LOW, proxy + P_WAITING_HIGH);
    giveUp(relay, listenerRows, own + L_SESSIONS, own + L_WAITING_LOW, own + L_WAITING_HIGH);
  }
  relay.counters[relay.ownCounters + CT_MAXCONN_REACHED]++;
  stopWatching(relay, listener);
  return false;
}

/** The place that `admit` reserved has been taken by a connection: only now does it count for the maxima. */
export function noteAdmitted(relay: Relay, listener: RelayListener): void {
  raiseMaximum(relay.words, W_CONNECTIONS_MAX, relay.admittedConnections);
  raiseMaximum(relay.proxies, listener.frontend * PROXY_WORDS + P_FRONT_SESSIONS_MAX, relay.admittedSessions);
}

/** Gives the place back and wakes the threads that wait for it. */
export function leave(relay: Relay, frontend: number, listener: number): void {
  const { words, proxies, listenerRows } = relay;
  const proxy = frontend * PROXY_WORDS;
  const own = listener * LISTENER_WORDS;
  // From the wide to the narrow: who gets in through the narrow gate must not find this session counted behind it.
  giveUp(relay, words, W_CONNECTIONS, W_WAITING_LOW, W_WAITING_HIGH);
  giveUp(relay, proxies, proxy + P_FRONT_SESSIONS, proxy + P_WAITING_LOW, proxy + P_WAITING_HIGH);
  giveUp(relay, listenerRows, own + L_SESSIONS, own + L_WAITING_LOW, own + L_WAITING_HIGH);
}

/** Counts one more, up to `limit` (0: none): the count, or -1 if it is full. Exact over all threads. */
function reserve(table: Int32Array, word: number, limit: number): number {
  const count = Atomics.add(table, word, 1) + 1;
  if (limit === 0 || count <= limit) return count;
  Atomics.sub(table, word, 1);
  return -1;
}

/** Counts one less and wakes the threads that stopped accepting for want of it. */
function giveUp(relay: Relay, table: Int32Array, word: number, low: number, high: number): void {
  Atomics.sub(table, word, 1);
  if (Atomics.load(table, low) !== 0) wakeWaiting(relay, Atomics.exchange(table, low, 0), 0);
  if (Atomics.load(table, high) !== 0) wakeWaiting(relay, Atomics.exchange(table, high, 0), 32);
}

/** Watches again the listeners that this thread gave up watching; `admit` will say if it is still full. */
export function resumeListeners(relay: Relay): void {
  relay.listenersWaiting = false;
  if (relay.acceptPausedUntil !== 0) return;
  for (const listener of relay.listeners) {
    if (listener === undefined || listener.watched) continue;
    if (relay.kernel.watchReadable(relay.poll, listener.fd, listener.index, 0, true) < 0) {
      // No memory for it (ENOMEM, ENOSPC): once more after a pause, because no event would come to remind of it.
      relay.acceptPausedUntil = relay.now + RESOURCE_PAUSE_MS;
    } else listener.watched = true;
  }
}

/** This thread no longer accepts from the listener, until `resumeListeners`. */
export function stopWatching(relay: Relay, listener: RelayListener): void {
  if (!listener.watched) return;
  relay.kernel.unwatch(relay.poll, listener.fd);
  listener.watched = false;
}

function setWaiting(relay: Relay, table: Int32Array, low: number, high: number): void {
  Atomics.or(table, relay.thread < 32 ? low : high, 1 << (relay.thread & 31));
}

function wakeWaiting(relay: Relay, mask: number, firstThread: number): void {
  for (let bits = mask; bits !== 0; bits &= bits - 1) {
    const thread = firstThread + 31 - Math.clz32(bits & -bits);
    if (thread === relay.thread) relay.listenersWaiting = true;
    else {
      const fd = relay.words[threadWords(thread) + WT_WAKE_FD];
      // One that ended since it waited needs no room.
      if (fd >= 0) relay.kernel.wake(fd);
    }
  }
}
