// Chooses a session's server: by the backend's algorithm if one has room, else the session lines up. A session comes here
// when it is accepted, when it is redispatched, and when the server it waited for is taken away.

import { raiseMaximum, takeSlot } from "../../balance/capacity.ts";
import { pickServer } from "../../balance/pick.ts";
import {
  CB_ASSIGNED,
  CB_LAST_SESSION_WALL,
  CB_SESSIONS,
  CS_ASSIGNED,
  CS_LAST_SESSION_WALL,
  CS_SESSIONS,
} from "../../memory/counters.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import { BalanceCode, P_BACK_SESSIONS, P_BACK_SESSIONS_MAX, P_BALANCE, PROXY_WORDS } from "../../memory/proxy-row.ts";
import { SERVER_WORDS, V_BACKEND, V_USABLE } from "../../memory/server-row.ts";
import {
  S_BACKEND,
  S_CLIENT_ADDR,
  S_FLAGS,
  S_PHASE_F64,
  S_QUEUE_MS_F64,
  S_STATE,
  SessionState,
  SF_IN_BACKEND,
  SF_SERVED,
} from "../../memory/session-row.ts";
import { proxyCounters, serverCounters } from "../../memory/shared-memory.ts";
import { lockBackend, unlockBackend } from "../lock.ts";
import { backendHasQueue, enqueue, leaveQueue, releaseSlot, serveBackend, serveQueues } from "../queue.ts";
import { candidatesOf, type Relay, rowBase, rowBaseF64 } from "../relay.ts";
import { closeSession } from "./close.ts";
import { startConnect } from "./connect.ts";
import { attachServer, giveRow } from "./rows.ts";
import { watchWait } from "./timeouts.ts";

/** No server can be avoided. */
export const AVOID_NONE = -1;

/** Counts the session in its backend and finds it a server. */
export function enterBackend(relay: Relay, row: number, backend: number): void {
  const base = rowBase(row);
  if (backend < 0) {
    closeSession(relay, row, EndCause.SERVER, EndPhase.CONNECT);
    return;
  }
  relay.sessions[base + S_BACKEND] = backend;
  relay.sessions[base + S_FLAGS] |= SF_IN_BACKEND;
  const proxy = backend * PROXY_WORDS;
  raiseMaximum(relay.proxies, proxy + P_BACK_SESSIONS_MAX, Atomics.add(relay.proxies, proxy + P_BACK_SESSIONS, 1) + 1);
  relay.counters[proxyCounters(relay.memory, relay.thread, backend) + CB_SESSIONS]++;
  findServer(relay, row, AVOID_NONE);
}

/** Finds a server for a session that has none; `avoid` names one that just failed. */
export function findServer(relay: Relay, row: number, avoid: number): void {
  seek(relay, row, avoid, false);
}

/** `returns`: it stood in a queue until now, and if it has to wait again, it is as if it had never left. */
function seek(relay: Relay, row: number, avoid: number, returns: boolean): void {
  const base = rowBase(row);
  const backend = relay.sessions[base + S_BACKEND];
  const proxy = backend * PROXY_WORDS;
  const candidates = candidatesOf(relay, backend);
  if (candidates.count === 0 && !candidates.waits) {
    if (returns) countQueueTime(relay, row);
    closeSession(relay, row, EndCause.SERVER, EndPhase.CONNECT);
    return;
  }
  let server = -1;
  // Who finds a line joins its end, so that nobody overtakes.
  const hasToWait = candidates.waits || backendHasQueue(relay, backend);
  if (!hasToWait) {
    lockBackend(relay, backend);
    server = pickServer(
      relay.servers,
      relay.proxies,
      proxy,
      candidates,
      relay.sessions,
      base + S_CLIENT_ADDR,
      avoid,
      relay.balance,
    );
    const taken = server >= 0 && takeSlot(relay.servers, server);
    unlockBackend(relay, backend);
    if (taken) {
      if (returns) countQueueTime(relay, row);
      relay.sessionsF64[rowBaseF64(row) + S_QUEUE_MS_F64] = Math.max(
        0,
        relay.sessionsF64[rowBaseF64(row) + S_QUEUE_MS_F64],
      );
      assign(relay, row, server, true);
      return;
    }
  }
  // With a hash the server is known, and only it will do; else any server of the backend.
  const bound = relay.proxies[proxy + P_BALANCE] === BalanceCode.source ? server : -1;
  if (bound >= 0) countAssigned(relay, backend, bound);
  waitInLine(relay, row, backend, bound, returns);
}

function waitInLine(relay: Relay, row: number, backend: number, server: number, returns: boolean): void {
  const base = rowBase(row);
  relay.sessions[base + S_STATE] = SessionState.QUEUED;
  if (!returns) relay.sessionsF64[rowBaseF64(row) + S_PHASE_F64] = relay.now;
  watchWait(relay, row);
  enqueue(relay, row, backend, server, returns);
  // A slot may have come free between the choice and the line; nobody else would notice.
  if (server >= 0) serveQueues(relay, backend, server);
  else serveBackend(relay, backend);
}

/** A grant arrived: the session holds a slot of `server`. */
export function takeGrant(relay: Relay, row: number, server: number): void {
  const base = rowBase(row);
  relay.sessions[base + S_FLAGS] |= SF_SERVED;
  if (relay.sessions[base + S_STATE] === SessionState.ABANDONED) {
    releaseSlot(relay, row, server);
    giveRow(relay, row);
    return;
  }
  if (relay.servers[server * SERVER_WORDS + V_USABLE] !== 1) {
    // Taken out of service while the grant was on its way: the session has not touched the server, and keeps its place.
    releaseSlot(relay, row, server);
    seek(relay, row, AVOID_NONE, true);
    return;
  }
  countQueueTime(relay, row);
  assign(relay, row, server, false);
}

/** The server it waited for, or all of them, may be gone: looks for another, or ends it. */
export function reconsiderQueued(relay: Relay, row: number): void {
  if (leaveQueue(relay, row)) seek(relay, row, AVOID_NONE, true);
}

function countQueueTime(relay: Relay, row: number): void {
  const baseF64 = rowBaseF64(row);
  const before = Math.max(0, relay.sessionsF64[baseF64 + S_QUEUE_MS_F64]);
  relay.sessionsF64[baseF64 + S_QUEUE_MS_F64] = before + relay.now - relay.sessionsF64[baseF64 + S_PHASE_F64];
}

/** `chosen`: by the algorithm, not by its turn in a queue; only that counts as balanced (lbtot). */
function assign(relay: Relay, row: number, server: number, chosen: boolean): void {
  const base = rowBase(row);
  const { counters, memory, thread } = relay;
  relay.sessions[base + S_FLAGS] |= SF_SERVED;
  attachServer(relay, row, server);
  const wall = relay.now + relay.wallOffset;
  const ofServer = serverCounters(memory, thread, server);
  const ofBackend = proxyCounters(memory, thread, relay.servers[server * SERVER_WORDS + V_BACKEND]);
  counters[ofServer + CS_SESSIONS]++;
  counters[ofServer + CS_LAST_SESSION_WALL] = wall;
  counters[ofBackend + CB_LAST_SESSION_WALL] = wall;
  if (chosen) countAssigned(relay, relay.servers[server * SERVER_WORDS + V_BACKEND], server);
  startConnect(relay, row);
}

function countAssigned(relay: Relay, backend: number, server: number): void {
  const { counters, memory, thread } = relay;
  counters[serverCounters(memory, thread, server) + CS_ASSIGNED]++;
  counters[proxyCounters(memory, thread, backend) + CB_ASSIGNED]++;
}
