// All timeouts of a session, and the end of its life (limits.ts). A session has one place in the timer wheel; when it comes due the true deadline is worked out
// from the row, so activity costs one store and no timer work.

import { EndCause, EndPhase } from "../../memory/end-state.ts";
import {
  P_TIMEOUT_CLIENT,
  P_TIMEOUT_CLIENT_FIN,
  P_TIMEOUT_CONNECT,
  P_TIMEOUT_QUEUE,
  P_TIMEOUT_SERVER,
  P_TIMEOUT_SERVER_FIN,
  P_TIMEOUT_TUNNEL,
  PROXY_WORDS,
} from "../../memory/proxy-row.ts";
import { SERVER_WORDS, V_ADDR } from "../../memory/server-row.ts";
import {
  D_FLAGS,
  D_OFFSET,
  DF_BLOCKED,
  DF_EOF,
  DF_READABLE,
  DF_SHUT,
  S_BACKEND,
  S_BYTES_UP_F64,
  S_CLIENT_ACTIVE_F64,
  S_DOWN,
  S_DOWN_STALLED_F64,
  S_FRONTEND,
  S_PHASE_F64,
  S_SERVER,
  S_SERVER_ACTIVE_F64,
  S_SERVER_FD,
  S_STATE,
  S_UP,
  S_UP_STALLED_F64,
  SessionState,
} from "../../memory/session-row.ts";
import { AF_UNIX, ETIMEDOUT } from "../../sys/constants.ts";
import { lookAt, type Relay, rowBase, rowBaseF64 } from "../relay.ts";
import { closeSession, cutSession } from "./close.ts";
import { connectFailed, startConnect, turnAroundMs } from "./connect.ts";
import { limitDeadline, limitReason } from "./limits.ts";

/** The session's place in the wheel came due. */
export function onTimer(relay: Relay, row: number): void {
  const state = relay.sessions[rowBase(row) + S_STATE];
  if (state === SessionState.ESTABLISHED) {
    watchIdle(relay, row);
    return;
  }
  if (relay.now >= limitDeadline(relay, row)) {
    cutSession(relay, row, limitReason(relay, row));
    return;
  }
  const phase = phaseDeadline(relay, row, state);
  const client = silentClientDeadline(relay, row, state);
  if (relay.now < Math.min(phase, client)) watchWait(relay, row);
  else if (client < phase) {
    closeSession(
      relay,
      row,
      EndCause.CLIENT_TIMEOUT,
      state === SessionState.QUEUED ? EndPhase.QUEUE : EndPhase.CONNECT,
    );
  } else if (state === SessionState.QUEUED) closeSession(relay, row, EndCause.SERVER_TIMEOUT, EndPhase.QUEUE);
  else if (state === SessionState.CONNECTING) connectFailed(relay, row, ETIMEDOUT);
  else if (state === SessionState.TURN_AROUND) startConnect(relay, row);
}

/** Makes sure that a session without a connected server is looked at when its wait is over. */
export function watchWait(relay: Relay, row: number): void {
  const state = relay.sessions[rowBase(row) + S_STATE];
  const deadline = Math.min(
    phaseDeadline(relay, row, state),
    silentClientDeadline(relay, row, state),
    limitDeadline(relay, row),
  );
  if (deadline !== Number.POSITIVE_INFINITY) lookAt(relay, row, deadline);
}

/** When the wait for the server is over, in ms of the relay's clock; infinite if it has no end. */
function phaseDeadline(relay: Relay, row: number, state: number): number {
  const { sessions, sessionsF64, proxies } = relay;
  const backend = sessions[rowBase(row) + S_BACKEND];
  const proxy = backend * PROXY_WORDS;
  let timeout = 0;
  if (state === SessionState.QUEUED) timeout = proxies[proxy + P_TIMEOUT_QUEUE] || proxies[proxy + P_TIMEOUT_CONNECT];
  else if (state === SessionState.CONNECTING) timeout = proxies[proxy + P_TIMEOUT_CONNECT];
  else if (state === SessionState.TURN_AROUND) timeout = turnAroundMs(relay, backend);
  return timeout > 0 ? sessionsF64[rowBaseF64(row) + S_PHASE_F64] + timeout : Number.POSITIVE_INFINITY;
}

/**
 * When a client that waits is overdue: one that has sent nothing, which HAProxy ends in a queue and in turn-around. One that
 * has spoken waits for us, and its time is not counted; nor is that of an attempt to connect, which has a bound of its own.
 */
function silentClientDeadline(relay: Relay, row: number, state: number): number {
  const { sessions, sessionsF64, proxies } = relay;
  if (state !== SessionState.QUEUED && state !== SessionState.TURN_AROUND) return Number.POSITIVE_INFINITY;
  const base = rowBase(row);
  const timeout = proxies[sessions[base + S_FRONTEND] * PROXY_WORDS + P_TIMEOUT_CLIENT];
  if (timeout === 0 || (sessions[base + S_UP + D_FLAGS] & DF_READABLE) !== 0) return Number.POSITIVE_INFINITY;
  return sessionsF64[rowBaseF64(row) + S_CLIENT_ACTIVE_F64] + timeout;
}

/**
 * Bytes that the session has sent to its server and that the server's kernel has not acknowledged. A unix server's are with it
 * as soon as they are sent.
 */
export function unacknowledgedBytes(relay: Relay, base: number): number {
  const { sessions, servers } = relay;
  const fd = sessions[base + S_SERVER_FD];
  if (fd < 0 || relay.sessionsF64[base / 2 + S_BYTES_UP_F64] === 0) return 0;
  const server = sessions[base + S_SERVER] * SERVER_WORDS;
  const place = Atomics.load(servers, server + V_ADDR) & 0xffff;
  if ((servers[server + place] & 0xffff) === AF_UNIX) return 0;
  const fin = (sessions[base + S_UP + D_FLAGS] & DF_SHUT) !== 0 ? 1 : 0;
  return Math.max(0, relay.kernel.unacknowledged(fd) - fin);
}

/** Notes what the server's kernel still has to take of a session whose directions are both done. */
export function noteProgress(relay: Relay, base: number, bytes: number): void {
  // The direction's buffer is empty and given back by now.
  relay.sessions[base + S_UP + D_OFFSET] = bytes;
  relay.sessionsF64[base / 2 + S_UP_STALLED_F64] = relay.now;
}

/** Both sides have ended, and only the server's kernel has still to take bytes. */
function isClosing(relay: Relay, base: number): boolean {
  return (relay.sessions[base + S_UP + D_FLAGS] & relay.sessions[base + S_DOWN + D_FLAGS] & DF_SHUT) !== 0;
}

/** Ends the session if its life is over, or one of its sides is overdue; else makes sure that it is looked at when one might be. */
export function watchIdle(relay: Relay, row: number): void {
  const client = deadlineOf(relay, row, true);
  const server = deadlineOf(relay, row, false);
  const limit = limitDeadline(relay, row);
  const deadline = Math.min(client, server, limit);
  if (deadline === Number.POSITIVE_INFINITY) return;
  if (relay.now < deadline) {
    lookAt(relay, row, deadline);
    return;
  }
  if (limit === deadline) {
    cutSession(relay, row, limitReason(relay, row));
    return;
  }
  const base = rowBase(row);
  if (isClosing(relay, base)) {
    // A server that reads slowly has its time for each piece; the kernel tells us of the last one only.
    const left = unacknowledgedBytes(relay, base);
    if (left === 0) {
      closeSession(relay, row, EndCause.NORMAL, EndPhase.NORMAL);
      return;
    }
    if (left < relay.sessions[base + S_UP + D_OFFSET]) {
      noteProgress(relay, base, left);
      watchIdle(relay, row);
      return;
    }
  }
  closeSession(relay, row, client <= server ? EndCause.CLIENT_TIMEOUT : EndCause.SERVER_TIMEOUT, EndPhase.DATA);
}

/**
 * When a side is overdue, in ms of the relay's clock; infinite if it has nothing to wait for.
 * A side owes us activity while it may still send (and we are ready to read), and while it is to take bytes.
 */
function deadlineOf(relay: Relay, row: number, client: boolean): number {
  const { sessions, sessionsF64, proxies } = relay;
  const base = rowBase(row);
  const baseF64 = rowBaseF64(row);
  const from = base + (client ? S_UP : S_DOWN);
  const to = base + (client ? S_DOWN : S_UP);
  const proxy = sessions[base + (client ? S_FRONTEND : S_BACKEND)] * PROXY_WORDS;
  const tunnel = proxies[sessions[base + S_BACKEND] * PROXY_WORDS + P_TIMEOUT_TUNNEL];
  const timeout = tunnel || proxies[proxy + (client ? P_TIMEOUT_CLIENT : P_TIMEOUT_SERVER)];
  let deadline = Number.POSITIVE_INFINITY;
  const mayRead = (sessions[from + D_FLAGS] & (DF_EOF | DF_BLOCKED)) === 0;
  if (mayRead) {
    const fin = proxies[proxy + (client ? P_TIMEOUT_CLIENT_FIN : P_TIMEOUT_SERVER_FIN)];
    const halfClosed = (sessions[to + D_FLAGS] & DF_SHUT) !== 0;
    const limit = halfClosed && fin > 0 ? fin : timeout;
    const active = sessionsF64[baseF64 + (client ? S_CLIENT_ACTIVE_F64 : S_SERVER_ACTIVE_F64)];
    if (limit > 0) deadline = active + limit;
  }
  const isOwed = (sessions[to + D_FLAGS] & DF_BLOCKED) !== 0;
  if ((isOwed || (!client && isClosing(relay, base))) && timeout > 0) {
    const stalled = sessionsF64[baseF64 + (client ? S_DOWN_STALLED_F64 : S_UP_STALLED_F64)];
    deadline = Math.min(deadline, stalled + timeout);
  }
  return deadline;
}
