// How events reach a session with epoll, edge-triggered: every event is matched against the row's generation (a stale one
// is dropped), then told to the session's present state. Later engines tell the same steps the same things.

import { CT_STALE_EVENTS } from "../../memory/counters.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import {
  D_FLAGS,
  DF_BLOCKED,
  DF_FIN_SEEN,
  DF_READABLE,
  S_CALLS_F64,
  S_CLIENT_FD,
  S_DOWN,
  S_GENERATION,
  S_SERVER_FD,
  S_STATE,
  S_UP,
  SESSION_WORDS,
  SessionState,
} from "../../memory/session-row.ts";
import { ECONNREFUSED, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../../sys/constants.ts";
import { type Relay, rowBase } from "../relay.ts";
import { acceptConnections } from "../session/accept.ts";
import { closeReset, closeSession } from "../session/close.ts";
import { connected, connectFailed } from "../session/connect.ts";
import { forward, unblock } from "../session/relay.ts";

const FAILED = EPOLLERR | EPOLLHUP;

/** Handles the event at `index` of the last wait; the wake-up descriptor's are not for here. */
export function dispatchEvent(relay: Relay, index: number): void {
  const low = relay.kernel.eventLow(index);
  const high = relay.kernel.eventHigh(index);
  const bits = relay.kernel.eventBits(index);
  if (high === 0) {
    const listener = relay.listeners[low];
    if (listener !== undefined) acceptConnections(relay, listener);
    return;
  }
  const row = low >> 1;
  const base = rowBase(row);
  if (relay.sessions[base + S_GENERATION] !== high) {
    relay.counters[relay.ownCounters + CT_STALE_EVENTS]++;
    return;
  }
  relay.sessionsF64[base / 2 + S_CALLS_F64]++;
  const state = relay.sessions[base + S_STATE];
  if (state === SessionState.ESTABLISHED) establishedEvent(relay, base, bits, (low & 1) === 0);
  else if ((low & 1) === 0) earlyClientEvent(relay, base, bits, state);
  else if (state === SessionState.CONNECTING) connectingEvent(relay, row, base, bits);
}

function establishedEvent(relay: Relay, base: number, bits: number, fromClient: boolean): void {
  const { sessions } = relay;
  const reads = base + (fromClient ? S_UP : S_DOWN);
  const writes = base + (fromClient ? S_DOWN : S_UP);
  const generation = sessions[base + S_GENERATION];
  if ((bits & (EPOLLIN | EPOLLRDHUP | FAILED)) !== 0) {
    sessions[reads + D_FLAGS] |= (bits & (EPOLLRDHUP | FAILED)) !== 0 ? DF_READABLE | DF_FIN_SEEN : DF_READABLE;
    forward(relay, reads);
    if (sessions[base + S_GENERATION] !== generation) return;
  }
  if ((bits & (EPOLLOUT | FAILED)) !== 0 && (sessions[writes + D_FLAGS] & DF_BLOCKED) !== 0) {
    unblock(relay, writes);
    if (sessions[base + S_GENERATION] !== generation) return;
  }
  // A reset that neither reading nor writing has met, because that direction waits for the other side.
  if ((bits & EPOLLERR) !== 0) {
    const fd = sessions[base + (fromClient ? S_CLIENT_FD : S_SERVER_FD)];
    if (relay.kernel.socketError(fd) !== 0) closeReset(relay, base, fromClient ? EndCause.CLIENT : EndCause.SERVER);
  }
}

/** The client speaks, or leaves, before the server is connected: its bytes wait in its socket. */
function earlyClientEvent(relay: Relay, base: number, bits: number, state: number): void {
  const { sessions } = relay;
  const row = base / SESSION_WORDS;
  if ((bits & EPOLLERR) !== 0) {
    closeSession(relay, row, EndCause.CLIENT, EndPhase.DATA);
    return;
  }
  if ((bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) === 0) return;
  sessions[base + S_UP + D_FLAGS] |= DF_READABLE;
  if ((bits & (EPOLLRDHUP | EPOLLHUP)) === 0) return;
  sessions[base + S_UP + D_FLAGS] |= DF_FIN_SEEN;
  // A client that leaves without a word is not connected any more; one that sent a request first gets its answer.
  if (relay.kernel.peek(sessions[base + S_CLIENT_FD]) > 0) return;
  closeSession(relay, row, EndCause.CLIENT, state === SessionState.QUEUED ? EndPhase.QUEUE : EndPhase.CONNECT);
}

function connectingEvent(relay: Relay, row: number, base: number, bits: number): void {
  const { sessions } = relay;
  if ((bits & FAILED) !== 0) {
    const error = relay.kernel.socketError(sessions[base + S_SERVER_FD]);
    // A unix server that has spoken and left already hangs up without an error: the connection stood, its bytes wait.
    if (error !== 0 || (bits & EPOLLOUT) === 0) {
      connectFailed(relay, row, error || ECONNREFUSED);
      return;
    }
  }
  if ((bits & EPOLLOUT) === 0) return;
  const generation = sessions[base + S_GENERATION];
  connected(relay, row);
  if ((bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) !== 0 && sessions[base + S_GENERATION] === generation) {
    establishedEvent(relay, base, bits & ~EPOLLOUT, false);
  }
}
