// The end of a session: the only place that closes a session's descriptors. Everything the session held is given back,
// its counters are settled and its record is written before this returns, so an order that ends sessions can be answered
// at once.

import { READ_BYTES, TURN_BYTES_MAX } from "../../base/limits.ts";
import { WT_LOAD } from "../../memory/control-words.ts";
import {
  CB_BYTES_IN,
  CB_BYTES_OUT,
  CB_CLIENT_ABORTS,
  CB_CONNECT_FAILED,
  CB_CONNECT_MS_AVG,
  CB_CONNECT_MS_MAX,
  CB_CUTS,
  CB_QUEUE_MS_AVG,
  CB_QUEUE_MS_MAX,
  CB_RESPONSE_ERRORS,
  CB_SERVER_ABORTS,
  CB_TIMED,
  CB_TOTAL_MS_AVG,
  CB_TOTAL_MS_MAX,
  CF_BYTES_IN,
  CF_BYTES_OUT,
  CF_CUTS,
  CS_BYTES_IN,
  CS_BYTES_OUT,
  CS_CLIENT_ABORTS,
  CS_CONNECT_FAILED,
  CS_CONNECT_MS_AVG,
  CS_CONNECT_MS_MAX,
  CS_CUT,
  CS_CUTS,
  CS_QUEUE_MS_AVG,
  CS_QUEUE_MS_MAX,
  CS_RESPONSE_ERRORS,
  CS_SERVER_ABORTS,
  CS_TIMED,
  CS_TOTAL_MS_AVG,
  CS_TOTAL_MS_MAX,
  CT_SESSIONS,
} from "../../memory/counters.ts";
import { CutReason, endCauseOf } from "../../memory/cut-reason.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import {
  P_BACK_SESSIONS,
  P_FLAGS,
  PF_DONTLOGNULL,
  PF_RECORD,
  PF_RECORD_ADDRESSES,
  PROXY_WORDS,
} from "../../memory/proxy-row.ts";
import { RecordKind } from "../../memory/record-row.ts";
import { bytesHeld } from "../../memory/selector.ts";
import {
  D_BUFFER,
  D_FLAGS,
  D_LENGTH,
  D_PIPE_LENGTH,
  QueueState,
  S_ACCEPT_F64,
  S_BACKEND,
  S_BYTES_DOWN_F64,
  S_BYTES_READ_UP_F64,
  S_BYTES_UP_F64,
  S_CLIENT_FD,
  S_CONNECT_MS_F64,
  S_DOWN,
  S_END_CAUSE,
  S_END_F64,
  S_END_PHASE,
  S_END_REASON,
  S_FLAGS,
  S_FRONTEND,
  S_GENERATION,
  S_LISTENER,
  S_PHASE_F64,
  S_QUEUE_MS_F64,
  S_QUEUE_SERVER,
  S_QUEUE_STATE,
  S_SERVER,
  S_SERVER_FD,
  S_STATE,
  S_UP,
  SESSION_WORDS,
  SessionState,
  SF_IN_BACKEND,
  SF_SERVED,
} from "../../memory/session-row.ts";
import { proxyCounters, serverCounters } from "../../memory/shared-memory.ts";
import { leaveQueue, releaseSlot } from "../queue.ts";
import { type Relay, rowBase, rowBaseF64 } from "../relay.ts";
import { leave } from "./admit.ts";
import { noteAddresses, writeRecord } from "./record.ts";
import { givePipe } from "./relay.ts";
import { detachServer, giveRow } from "./rows.ts";
import { unacknowledgedBytes } from "./timeouts.ts";

/** How a descriptor is closed: in good order, or discarding what is queued, with a reset. */
const ORDERLY = 0;
const ABORTIVE = 1;
type Manner = typeof ORDERLY | typeof ABORTIVE;

/** Ended by a decision about its server or itself, not by what happened on its connections. */
const isCutCause = (cause: EndCause): boolean =>
  cause === EndCause.KILLED || cause === EndCause.DOWN || cause === EndCause.UP;

const isTimeout = (cause: EndCause): boolean => cause === EndCause.CLIENT_TIMEOUT || cause === EndCause.SERVER_TIMEOUT;

/** Ends a session by decision. `resetClient`: the client is told by a reset. */
export function cutSession(relay: Relay, row: number, reason: CutReason, resetClient = false): void {
  const base = rowBase(row);
  countDiscarded(relay, base);
  // The server gets no further byte, not even one that waits in our send queue; the client gets what is on its way,
  // then an orderly end.
  if (!resetClient) drainClient(relay, base);
  relay.sessions[base + S_END_REASON] = reason;
  // HAProxy logs every kill as KC, whatever the phase; Tw and Tc tell the phase.
  end(relay, row, endCauseOf(reason), EndPhase.CONNECT, resetClient ? ABORTIVE : ORDERLY, ABORTIVE);
}

/** Ends a session because of what happened on its connections, in the manner that its cause asks for. */
export function closeSession(relay: Relay, row: number, cause: EndCause, phase: EndPhase): void {
  const base = rowBase(row);
  if (isTimeout(cause)) relay.sessions[base + S_END_REASON] = CutReason.TIMEOUT;
  // Bytes that the server has not taken by now are not to reach it after the session is gone: neither those that wait here,
  // nor those that wait in the kernel. A session whose directions are both done is asked for them before (see passOnFin).
  const up = base + S_UP;
  const owed = relay.sessions[up + D_LENGTH] + relay.sessions[up + D_PIPE_LENGTH];
  const leavesBytes = owed > 0 || (cause !== EndCause.NORMAL && unacknowledgedBytes(relay, base) > 0);
  end(relay, row, cause, phase, ORDERLY, leavesBytes ? ABORTIVE : ORDERLY);
}

/** One side was reset: so is the other, as if there were no balancer in between. The reset side needs no further word. */
export function closeReset(relay: Relay, base: number, cause: EndCause): void {
  const fromClient = cause === EndCause.CLIENT;
  end(
    relay,
    base / SESSION_WORDS,
    cause,
    EndPhase.DATA,
    fromClient ? ORDERLY : ABORTIVE,
    fromClient ? ABORTIVE : ORDERLY,
  );
}

/** What a cut throws away: bytes that were read and not passed on, and those that the server has not acknowledged. */
function countDiscarded(relay: Relay, base: number): void {
  relay.discardedBytes += bytesHeld(relay.sessions, base) + unacknowledgedBytes(relay, base);
}

/** Reads what the client has sent already, because closing a socket with unread bytes resets it. Bounded. */
function drainClient(relay: Relay, base: number): void {
  const fd = relay.sessions[base + S_CLIENT_FD];
  if (fd < 0) return;
  for (let total = 0; total < TURN_BYTES_MAX; ) {
    const n = relay.kernel.discard(fd, relay.scratchAddress as number, READ_BYTES);
    if (n <= 0) return;
    total += n;
    relay.discardedBytes += n;
    if (n < READ_BYTES) return;
  }
}

function end(relay: Relay, row: number, cause: EndCause, phase: EndPhase, client: Manner, server: Manner): void {
  const { sessions, sessionsF64, proxies, counters } = relay;
  const base = rowBase(row);
  const baseF64 = rowBaseF64(row);
  const state = sessions[base + S_STATE];
  if (state === SessionState.FREE || state === SessionState.ABANDONED) return;
  sessions[base + S_END_CAUSE] = cause;
  sessions[base + S_END_PHASE] = phase;
  sessionsF64[baseF64 + S_END_F64] = relay.now;
  relay.wheel.remove(row - relay.firstRow);

  const serverIndex = sessions[base + S_SERVER];
  // Who waited for one known server is that server's, as in HAProxy.
  let named = serverIndex;
  let grantOnItsWay = false;
  if (sessions[base + S_QUEUE_STATE] !== QueueState.NONE) {
    if ((phase === EndPhase.QUEUE && cause === EndCause.SERVER_TIMEOUT) || cause === EndCause.CLIENT) {
      sessionsF64[baseF64 + S_QUEUE_MS_F64] = relay.now - sessionsF64[baseF64 + S_PHASE_F64];
    }
    if (named < 0) named = sessions[base + S_QUEUE_SERVER];
    grantOnItsWay = !leaveQueue(relay, row);
  }

  const frontend = sessions[base + S_FRONTEND];
  const flags = proxies[frontend * PROXY_WORDS + P_FLAGS];
  if ((flags & PF_RECORD_ADDRESSES) !== 0) noteAddresses(relay, row, serverIndex);
  closeDescriptors(relay, base, client, server);
  releaseDirection(relay, base + S_UP);
  releaseDirection(relay, base + S_DOWN);

  if ((flags & PF_RECORD) !== 0 && !isNull(relay, flags, baseF64)) writeRecord(relay, row, RecordKind.ENDED, named);
  settleCounters(relay, base, baseF64, cause, named);

  if (serverIndex >= 0) detachServer(relay, row, false);
  if ((sessions[base + S_FLAGS] & SF_IN_BACKEND) !== 0) {
    Atomics.sub(proxies, sessions[base + S_BACKEND] * PROXY_WORDS + P_BACK_SESSIONS, 1);
  }
  counters[relay.ownCounters + CT_SESSIONS]--;
  const served = serverIndex >= 0 && (sessions[base + S_FLAGS] & SF_SERVED) !== 0;
  if (grantOnItsWay) {
    sessions[base + S_STATE] = SessionState.ABANDONED;
    sessions[base + S_GENERATION] += 2; // Stale to events, but not free: takeGrant gives the row back.
  } else {
    if (served) releaseSlot(relay, row, serverIndex);
    giveRow(relay, row);
  }
  Atomics.sub(relay.words, relay.ownWords + WT_LOAD, 1);
  leave(relay, frontend, sessions[base + S_LISTENER]);
}

function closeDescriptors(relay: Relay, base: number, client: Manner, server: Manner): void {
  const { sessions, kernel } = relay;
  const clientFd = sessions[base + S_CLIENT_FD];
  const serverFd = sessions[base + S_SERVER_FD];
  // First, so that no reader of the row shows a number that the kernel has given to somebody else by then.
  sessions[base + S_CLIENT_FD] = -1;
  sessions[base + S_SERVER_FD] = -1;
  if (serverFd >= 0) {
    if (server === ABORTIVE) kernel.closeAbortively(serverFd);
    else kernel.close(serverFd);
  }
  if (clientFd >= 0) {
    if (client === ABORTIVE) kernel.closeAbortively(clientFd);
    else kernel.close(clientFd);
  }
}

function releaseDirection(relay: Relay, d: number): void {
  const { sessions } = relay;
  if (sessions[d + D_BUFFER] >= 0) {
    relay.buffers.give(sessions[d + D_BUFFER]);
    sessions[d + D_BUFFER] = -1;
    sessions[d + D_LENGTH] = 0;
  }
  givePipe(relay, d);
  // Whatever still stands on the ready list finds no flag, and passes by.
  sessions[d + D_FLAGS] = 0;
}

/** `option dontlognull`: a client that never sent a byte leaves no line. */
function isNull(relay: Relay, flags: number, baseF64: number): boolean {
  return (flags & PF_DONTLOGNULL) !== 0 && relay.sessionsF64[baseF64 + S_BYTES_READ_UP_F64] === 0;
}

/** HAProxy's sliding average over about the last 1,024 sessions. */
const WINDOW = 1024;

/** `server`: the one it had, or waited for; -1 for none. */
function settleCounters(relay: Relay, base: number, baseF64: number, cause: EndCause, server: number): void {
  const { counters, sessions, sessionsF64, memory, thread } = relay;
  const up = sessionsF64[baseF64 + S_BYTES_UP_F64];
  const down = sessionsF64[baseF64 + S_BYTES_DOWN_F64];
  const front = proxyCounters(memory, thread, sessions[base + S_FRONTEND]);
  counters[front + CF_BYTES_IN] += up;
  counters[front + CF_BYTES_OUT] += down;
  // The word of CutReason.NONE counts too, and is not shown.
  const reason = sessions[base + S_END_REASON];
  counters[front + CF_CUTS + reason]++;
  const backend = sessions[base + S_BACKEND];
  if (backend < 0) return;
  const back = proxyCounters(memory, thread, backend);
  const own = server < 0 ? -1 : serverCounters(memory, thread, server);
  counters[back + CB_BYTES_IN] += up;
  counters[back + CB_BYTES_OUT] += down;
  const byServer = cause === EndCause.SERVER || cause === EndCause.SERVER_TIMEOUT;
  if (own >= 0) {
    counters[own + CS_BYTES_IN] += up;
    counters[own + CS_BYTES_OUT] += down;
  }
  if (byServer && sessions[base + S_SERVER] < 0) {
    counters[back + CB_CONNECT_FAILED]++;
    if (own >= 0) counters[own + CS_CONNECT_FAILED]++;
  }
  if (cause === EndCause.CLIENT || cause === EndCause.CLIENT_TIMEOUT) {
    counters[back + CB_CLIENT_ABORTS]++;
    if (own >= 0) counters[own + CS_CLIENT_ABORTS]++;
  }
  const queueMs = sessionsF64[baseF64 + S_QUEUE_MS_F64];
  const connectMs = sessionsF64[baseF64 + S_CONNECT_MS_F64];
  if (byServer && connectMs >= 0) {
    // A connected server that resets also counts as one whose answer failed; one that stays silent does not.
    const failed = cause === EndCause.SERVER ? 1 : 0;
    counters[back + CB_SERVER_ABORTS]++;
    counters[back + CB_RESPONSE_ERRORS] += failed;
    if (own >= 0) {
      counters[own + CS_SERVER_ABORTS]++;
      counters[own + CS_RESPONSE_ERRORS] += failed;
    }
  }
  counters[back + CB_CUTS + reason]++;
  if (own >= 0) {
    counters[own + CS_CUTS + reason]++;
    if (isCutCause(cause)) counters[own + CS_CUT]++;
  }
  if (connectMs < 0) return;
  const totalMs = relay.now - sessionsF64[baseF64 + S_ACCEPT_F64];
  counters[back + CB_TIMED]++;
  average(counters, back + CB_QUEUE_MS_AVG, back + CB_QUEUE_MS_MAX, queueMs);
  average(counters, back + CB_CONNECT_MS_AVG, back + CB_CONNECT_MS_MAX, connectMs);
  average(counters, back + CB_TOTAL_MS_AVG, back + CB_TOTAL_MS_MAX, totalMs);
  if (own < 0) return;
  counters[own + CS_TIMED]++;
  average(counters, own + CS_QUEUE_MS_AVG, own + CS_QUEUE_MS_MAX, queueMs);
  average(counters, own + CS_CONNECT_MS_AVG, own + CS_CONNECT_MS_MAX, connectMs);
  average(counters, own + CS_TOTAL_MS_AVG, own + CS_TOTAL_MS_MAX, totalMs);
}

function average(counters: Float64Array, word: number, maximum: number, ms: number): void {
  counters[word] += (ms - counters[word]) / WINDOW;
  if (ms > counters[maximum]) counters[maximum] = ms;
}
