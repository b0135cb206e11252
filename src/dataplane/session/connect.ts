// Connects a session to its server: the attempt, its success, its failure, the turn-around before the next one, and the
// move to another server. Each step first asks whether the server was cut since it was chosen.

import { TURN_AROUND_MAX_MS } from "../../base/limits.ts";
import {
  CB_CONNECT_ATTEMPTS,
  CB_CONNECT_FAILED,
  CB_REDISPATCHES,
  CB_RETRIES,
  CS_CONNECT_ATTEMPTS,
  CS_CONNECT_FAILED,
  CS_REDISPATCHES,
  CS_RETRIES,
} from "../../memory/counters.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import {
  P_FLAGS,
  P_REDISPATCH,
  P_RETRIES,
  P_TIMEOUT_CONNECT,
  PF_SERVER_KEEPALIVE,
  PROXY_WORDS,
} from "../../memory/proxy-row.ts";
import { SERVER_WORDS, V_ADDR, V_FLAGS, V_PORT_OFFSET, V_USABLE, VF_CLIENT_PORT } from "../../memory/server-row.ts";
import {
  D_FLAGS,
  DF_READABLE,
  S_ACCEPT_F64,
  S_BACKEND,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_FD,
  S_CONNECT_MS_F64,
  S_FLAGS,
  S_GENERATION,
  S_PHASE_F64,
  S_QUEUE_MS_F64,
  S_RETRIES,
  S_SERVER,
  S_SERVER_ACTIVE_F64,
  S_SERVER_FD,
  S_STATE,
  S_UP,
  SessionState,
  SF_REDISPATCHED,
} from "../../memory/session-row.ts";
import { proxyCounters, serverCounters } from "../../memory/shared-memory.ts";
import { EINPROGRESS, ETIMEDOUT } from "../../sys/constants.ts";
import { noteConnectError, noteConnectSuccess } from "../observe.ts";
import { releaseSlot } from "../queue.ts";
import { type Relay, rowBase, rowBaseF64 } from "../relay.ts";
import { countResourceError, isResourceError } from "./accept.ts";
import { closeSession, cutSession } from "./close.ts";
import { AVOID_NONE, findServer } from "./pick-server.ts";
import { forward } from "./relay.ts";
import { cutReason, detachServer, isCut } from "./rows.ts";
import { watchIdle, watchWait } from "./timeouts.ts";

/** Starts an attempt to reach the session's server. It holds a slot of it and is on its list. */
export function startConnect(relay: Relay, row: number): void {
  const { sessions, kernel } = relay;
  const base = rowBase(row);
  if (isCut(relay, base)) {
    cutSession(relay, row, cutReason(relay, base));
    return;
  }
  const server = sessions[base + S_SERVER];
  const serverBase = server * SERVER_WORDS;
  const backend = sessions[base + S_BACKEND];
  const proxy = backend * PROXY_WORDS;
  sessions[base + S_STATE] = SessionState.CONNECTING;
  relay.sessionsF64[rowBaseF64(row) + S_PHASE_F64] = relay.now;
  relay.counters[serverCounters(relay.memory, relay.thread, server) + CS_CONNECT_ATTEMPTS]++;
  relay.counters[proxyCounters(relay.memory, relay.thread, backend) + CB_CONNECT_ATTEMPTS]++;

  const place = Atomics.load(relay.servers, serverBase + V_ADDR);
  const address = serverBase + (place & 0xffff);
  const fd = kernel.streamSocket(relay.servers[address] & 0xffff);
  if (fd < 0) {
    connectFailed(relay, row, -fd);
    return;
  }
  sessions[base + S_SERVER_FD] = fd;
  if ((relay.proxies[proxy + P_FLAGS] & PF_SERVER_KEEPALIVE) !== 0) kernel.setKeepalive(fd);
  const refused = kernel.connect(fd, addressFor(relay, base, serverBase, address), place >>> 16);
  if (refused < 0 && refused !== -EINPROGRESS) {
    connectFailed(relay, row, -refused);
    return;
  }
  // Even a connection that stands at once (a unix socket) goes on with its first event: one way for all.
  const unwatched = kernel.watch(relay.poll, fd, row * 2 + 1, sessions[base + S_GENERATION]);
  if (unwatched < 0) {
    connectFailed(relay, row, -unwatched);
    return;
  }
  watchWait(relay, row);
}

/** Where the server's sockaddr (first word `address`) stands; if the port follows the client's, of a copy with that port. */
function addressFor(relay: Relay, base: number, serverBase: number, address: number): number {
  if ((relay.servers[serverBase + V_FLAGS] & VF_CLIENT_PORT) === 0) return relay.serversAddress + address * 4;
  const copy = relay.sockaddrScratch;
  for (let i = 0; i < copy.length; i++) copy[i] = relay.servers[address + i];
  const local = Math.max(0, relay.kernel.localPort(relay.sessions[base + S_CLIENT_FD]));
  const port = (local + relay.servers[serverBase + V_PORT_OFFSET]) & 0xffff;
  // The port stands at the same place for both families, in network byte order.
  copy[0] = (copy[0] & 0xffff) | ((((port & 255) << 8) | (port >>> 8)) << 16);
  return relay.sockaddrScratchAddress;
}

/** The connection stands. */
export function connected(relay: Relay, row: number): void {
  const { sessions, sessionsF64 } = relay;
  const base = rowBase(row);
  if (isCut(relay, base)) {
    cutSession(relay, row, cutReason(relay, base));
    return;
  }
  const baseF64 = rowBaseF64(row);
  noteConnectSuccess(relay, sessions[base + S_SERVER]);
  sessions[base + S_STATE] = SessionState.ESTABLISHED;
  // HAProxy counts the failed attempts and their waits in as well.
  const since = sessionsF64[baseF64 + S_ACCEPT_F64] + Math.max(0, sessionsF64[baseF64 + S_QUEUE_MS_F64]);
  sessionsF64[baseF64 + S_CONNECT_MS_F64] = Math.max(0, relay.now - since);
  // The client was not read from while it waited for the server: its time begins now as well.
  sessionsF64[baseF64 + S_CLIENT_ACTIVE_F64] = relay.now;
  sessionsF64[baseF64 + S_SERVER_ACTIVE_F64] = relay.now;
  watchIdle(relay, row);
  if ((sessions[base + S_UP + D_FLAGS] & DF_READABLE) !== 0) forward(relay, base + S_UP);
}

/** The attempt failed with `errno`: tries again, elsewhere, or gives up. */
export function connectFailed(relay: Relay, row: number, errno: number): void {
  const { sessions, proxies } = relay;
  const base = rowBase(row);
  if (sessions[base + S_SERVER_FD] >= 0) {
    relay.kernel.closeAbortively(sessions[base + S_SERVER_FD]);
    sessions[base + S_SERVER_FD] = -1;
  }
  if (isResourceError(errno)) countResourceError(relay, errno);
  if (isCut(relay, base)) {
    cutSession(relay, row, cutReason(relay, base));
    return;
  }
  const backend = sessions[base + S_BACKEND];
  const proxy = backend * PROXY_WORDS;
  const server = sessions[base + S_SERVER];
  if (!isResourceError(errno)) noteConnectError(relay, server);
  const ofServer = serverCounters(relay.memory, relay.thread, server);
  const ofBackend = proxyCounters(relay.memory, relay.thread, backend);
  const retries = proxies[proxy + P_RETRIES];
  if (sessions[base + S_RETRIES] >= retries) {
    relay.counters[ofServer + CS_CONNECT_FAILED]++;
    relay.counters[ofBackend + CB_CONNECT_FAILED]++;
    closeSession(relay, row, causeOf(errno), EndPhase.CONNECT);
    return;
  }
  sessions[base + S_RETRIES]++;
  const usable = relay.servers[server * SERVER_WORDS + V_USABLE] === 1;
  if (mayRedispatch(proxies[proxy + P_REDISPATCH], sessions[base + S_RETRIES], retries, usable)) {
    relay.counters[ofServer + CS_REDISPATCHES]++;
    relay.counters[ofBackend + CB_REDISPATCHES]++;
    sessions[base + S_FLAGS] |= SF_REDISPATCHED;
    detachServer(relay, row, true);
    releaseSlot(relay, row, server);
    findServer(relay, row, usable ? server : AVOID_NONE);
    return;
  }
  relay.counters[ofServer + CS_RETRIES]++;
  relay.counters[ofBackend + CB_RETRIES]++;
  // A timed-out attempt has waited long enough; after a refusal the same answer would come at once.
  if (errno === ETIMEDOUT) {
    startConnect(relay, row);
    return;
  }
  sessions[base + S_STATE] = SessionState.TURN_AROUND;
  relay.sessionsF64[rowBaseF64(row) + S_PHASE_F64] = relay.now;
  watchWait(relay, row);
}

/** How long a session waits before it tries the same server again. */
export function turnAroundMs(relay: Relay, backend: number): number {
  const timeout = relay.proxies[backend * PROXY_WORDS + P_TIMEOUT_CONNECT];
  return timeout > 0 && timeout < TURN_AROUND_MAX_MS ? timeout : TURN_AROUND_MAX_MS;
}

/** HAProxy's rule: every n-th retry, or the n-th from the end; and at once if the server is out of service. */
function mayRedispatch(interval: number, retry: number, retries: number, usable: boolean): boolean {
  if (interval === 0) return false;
  if (!usable) return true;
  return interval < 0 ? retry === retries + 1 + interval : retry % interval === 0;
}

function causeOf(errno: number): EndCause {
  if (errno === ETIMEDOUT) return EndCause.SERVER_TIMEOUT;
  return isResourceError(errno) ? EndCause.RESOURCE : EndCause.SERVER;
}
