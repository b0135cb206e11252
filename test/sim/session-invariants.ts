// What must hold of one live session: its descriptors, its bytes, its place in the timer wheel.

import { shareOf } from "../../src/dataplane/session/limits.ts";
import {
  P_TIMEOUT_CLIENT,
  P_TIMEOUT_CLIENT_FIN,
  P_TIMEOUT_CONNECT,
  P_TIMEOUT_QUEUE,
  P_TIMEOUT_SERVER,
  P_TIMEOUT_SERVER_FIN,
  P_TIMEOUT_TUNNEL,
  PROXY_WORDS,
} from "../../src/memory/proxy-row.ts";
import * as S from "../../src/memory/session-row.ts";
import type { Connection } from "./connection.ts";
import { must, type Rig } from "./invariants.ts";
import type { SimThreads } from "./sim-threads.ts";

const { SessionState } = S;
const NEVER = Number.POSITIVE_INFINITY;

const connectionOf = (rig: SimThreads, row: number, word: number): Connection =>
  rig.world.socket(rig.memory.sessions[row * S.SESSION_WORDS + word]);

/** Which descriptors a session has in which state. */
export function checkDescriptors(rig: SimThreads, row: number): void {
  const { sessions } = rig.memory;
  const base = row * S.SESSION_WORDS;
  const state = sessions[base + S.S_STATE];
  const hasServerFd = state === SessionState.CONNECTING || state === SessionState.ESTABLISHED;
  must(
    connectionOf(rig, row, S.S_CLIENT_FD).peer === "client",
    `row ${row}: its client's descriptor is none of a client`,
  );
  must(sessions[base + S.S_SERVER_FD] >= 0 === hasServerFd, `row ${row} in state ${state}: descriptor of the server`);
  if (hasServerFd) must(connectionOf(rig, row, S.S_SERVER_FD).peer === "server", `row ${row}: its server's descriptor`);
}

/** What was read is what was passed on and what is held: no byte lost, none doubled. */
export function checkBytes(rig: SimThreads, row: number): void {
  const { sessions, sessionsF64 } = rig.memory;
  const base = row * S.SESSION_WORDS;
  if (sessions[base + S.S_STATE] !== SessionState.ESTABLISHED) return;
  const client = connectionOf(rig, row, S.S_CLIENT_FD);
  const server = connectionOf(rig, row, S.S_SERVER_FD);
  const held = (d: number): number => sessions[base + d + S.D_LENGTH] + sessions[base + d + S.D_PIPE_LENGTH];
  must(
    client.read === server.sent + held(S.S_UP),
    `row ${row}: ${client.read} read of the client, ${server.sent} sent on`,
  );
  must(
    server.read === client.sent + held(S.S_DOWN),
    `row ${row}: ${server.read} read of the server, ${client.sent} sent on`,
  );
  must(server.source < 0 || server.source === (client.id & 255), `row ${row}: the server gets bytes of another client`);
  must(client.source < 0 || client.source === (server.id & 255), `row ${row}: the client gets bytes of another server`);
  const f64 = base / 2;
  must(sessionsF64[f64 + S.S_BYTES_UP_F64] === server.sent, `row ${row}: the count of bytes up`);
  must(sessionsF64[f64 + S.S_BYTES_DOWN_F64] === client.sent, `row ${row}: the count of bytes down`);
}

/** When its thread sleeps: what can be passed on has been, and what waits will be woken. */
export function checkProgress(rig: SimThreads, row: number): void {
  const { sessions } = rig.memory;
  const base = row * S.SESSION_WORDS;
  if (sessions[base + S.S_STATE] !== SessionState.ESTABLISHED) return;
  for (const [d, from, to] of [
    [base + S.S_UP, S.S_CLIENT_FD, S.S_SERVER_FD],
    [base + S.S_DOWN, S.S_SERVER_FD, S.S_CLIENT_FD],
  ]) {
    const source = connectionOf(rig, row, from);
    const flags = sessions[d + S.D_FLAGS];
    const isOpen = (flags & S.DF_EOF) === 0;
    must(
      !isOver(sessions, base) || hasUnacknowledged(rig, row),
      `row ${row}: both sides have ended, and all is delivered`,
    );
    const isBlocked = (flags & S.DF_BLOCKED) !== 0;
    const hasMore = isOpen && (source.arrived > source.read || source.finArrived);
    must(!hasMore || isBlocked, `row ${row}: ${source.name} has bytes or a FIN that nobody reads`);
    if (!isBlocked) continue;
    const destination = connectionOf(rig, row, to);
    must(destination.wantsRoom || destination.dead, `row ${row}: ${destination.name} is waited for, but will not call`);
  }
}

const isOver = (sessions: Int32Array, base: number): boolean =>
  (sessions[base + S.S_UP + S.D_FLAGS] & sessions[base + S.S_DOWN + S.D_FLAGS] & S.DF_SHUT) !== 0;

function hasUnacknowledged(rig: SimThreads, row: number): boolean {
  const server = connectionOf(rig, row, S.S_SERVER_FD);
  return server.delivered < server.sent;
}

/** A session that may time out is looked at in time. */
export function checkTimer(rig: Rig, row: number): void {
  const thread = Math.floor(row / rig.memory.rowsPerThread);
  const { relay } = rig.relays.find((each) => each.relay.thread === thread)!;
  const deadline = Math.min(deadlineOf(rig, row), endOfLife(rig, row));
  if (deadline === NEVER) return;
  const look = relay.wheel.deadlineOf(row - relay.firstRow);
  const state = rig.memory.sessions[row * S.SESSION_WORDS + S.S_STATE];
  must(look > 0, `row ${row} in state ${state} times out at ${deadline}, but nobody looks at it`);
  // The wheel rounds up to its tick, and nothing fires in the present one.
  const latest = Math.max(Math.ceil(deadline), Math.floor(relay.now) + 1);
  must(look <= latest, `row ${row} in state ${state} times out at ${deadline}, but is looked at only at ${look}`);
}

/** When `max-session-age` or `max-session-idle` of its server ends the session. */
function endOfLife(rig: Rig, row: number): number {
  const { sessions, sessionsF64 } = rig.memory;
  const base = row * S.SESSION_WORDS;
  const f64 = base / 2;
  const servers = rig.proxies.find(({ index }) => index === sessions[base + S.S_BACKEND])?.servers;
  const server = servers?.find(({ index }) => index === sessions[base + S.S_SERVER]);
  const { maxAge, maxIdleMs } = server?.config.policy.sessions ?? {};
  const share = shareOf(row, sessions[base + S.S_GENERATION]);
  const ageMs = maxAge === undefined ? 0 : maxAge.ms * (1 - (maxAge.jitterPercent / 100) * share);
  const active = Math.max(sessionsF64[f64 + S.S_CLIENT_ACTIVE_F64], sessionsF64[f64 + S.S_SERVER_ACTIVE_F64]);
  const isConnected = sessions[base + S.S_STATE] === SessionState.ESTABLISHED;
  return Math.min(
    ageMs > 0 ? sessionsF64[f64 + S.S_ACCEPT_F64] + ageMs : NEVER,
    isConnected && maxIdleMs ? active + maxIdleMs : NEVER,
  );
}

/** When the session has to end or to move on by itself, by the rules of the configuration. */
function deadlineOf(rig: Rig, row: number): number {
  const { sessions, sessionsF64, proxiesI32 } = rig.memory;
  const base = row * S.SESSION_WORDS;
  const f64 = base / 2;
  const front = sessions[base + S.S_FRONTEND] * PROXY_WORDS;
  const back = sessions[base + S.S_BACKEND] * PROXY_WORDS;
  const connect = proxiesI32[back + P_TIMEOUT_CONNECT];
  const phase = sessionsF64[f64 + S.S_PHASE_F64];
  const after = (start: number, ms: number): number => (ms > 0 ? start + ms : NEVER);
  const isSilent = (sessions[base + S.S_UP + S.D_FLAGS] & S.DF_READABLE) === 0;
  const silent = isSilent
    ? after(sessionsF64[f64 + S.S_CLIENT_ACTIVE_F64], proxiesI32[front + P_TIMEOUT_CLIENT])
    : NEVER;
  switch (sessions[base + S.S_STATE]) {
    case SessionState.QUEUED:
      return Math.min(silent, after(phase, proxiesI32[back + P_TIMEOUT_QUEUE] || connect));
    case SessionState.CONNECTING:
      return after(phase, connect);
    case SessionState.TURN_AROUND:
      return Math.min(silent, phase + Math.min(connect || 1000, 1000));
  }
  const isClosing = isOver(sessions, base);
  const side = (from: number, to: number, active: number, stalled: number, limit: number, fin: number): number => {
    const mayRead = (sessions[base + from + S.D_FLAGS] & (S.DF_EOF | S.DF_BLOCKED)) === 0;
    const isHalfClosed = (sessions[base + to + S.D_FLAGS] & S.DF_SHUT) !== 0;
    const isOwed = (sessions[base + to + S.D_FLAGS] & S.DF_BLOCKED) !== 0;
    return Math.min(
      mayRead ? after(sessionsF64[f64 + active], isHalfClosed && fin > 0 ? fin : limit) : NEVER,
      isOwed || (isClosing && to === S.S_UP) ? after(sessionsF64[f64 + stalled], limit) : NEVER,
    );
  };
  return Math.min(
    side(
      S.S_UP,
      S.S_DOWN,
      S.S_CLIENT_ACTIVE_F64,
      S.S_DOWN_STALLED_F64,
      proxiesI32[back + P_TIMEOUT_TUNNEL] || proxiesI32[front + P_TIMEOUT_CLIENT],
      proxiesI32[front + P_TIMEOUT_CLIENT_FIN],
    ),
    side(
      S.S_DOWN,
      S.S_UP,
      S.S_SERVER_ACTIVE_F64,
      S.S_UP_STALLED_F64,
      proxiesI32[back + P_TIMEOUT_TUNNEL] || proxiesI32[back + P_TIMEOUT_SERVER],
      proxiesI32[back + P_TIMEOUT_SERVER_FIN],
    ),
  );
}
