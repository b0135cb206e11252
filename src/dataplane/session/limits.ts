// How long a session may live by its server's words: `max-session-age` and `max-session-idle`. Kept by the session's place in the timer
// wheel like its timeouts, so that activity costs nothing more. Relay thread.

import { CutReason } from "../../memory/cut-reason.ts";
import { SERVER_WORDS, V_AGE_JITTER, V_MAX_AGE, V_MAX_IDLE } from "../../memory/server-row.ts";
import {
  S_ACCEPT_F64,
  S_CLIENT_ACTIVE_F64,
  S_GENERATION,
  S_SERVER,
  S_SERVER_ACTIVE_F64,
  S_SERVER_NEXT,
  S_STATE,
  SessionState,
} from "../../memory/session-row.ts";
import { lookAt, type Relay, rowBase, rowBaseF64 } from "../relay.ts";

/** When the session is to end, in ms of the relay's clock; infinite while it may live. It is quiet only once it is connected. */
export function limitDeadline(relay: Relay, row: number): number {
  const server = relay.sessions[rowBase(row) + S_SERVER];
  if (server < 0) return Number.POSITIVE_INFINITY;
  const limits = server * SERVER_WORDS;
  if ((relay.servers[limits + V_MAX_AGE] | relay.servers[limits + V_MAX_IDLE]) === 0) return Number.POSITIVE_INFINITY;
  return Math.min(ageDeadline(relay, row, limits), idleDeadline(relay, row, limits));
}

/** The server's limits may be new: its sessions on this thread are looked at by the time that they say. */
export function watchLimits(relay: Relay, server: number): void {
  const limits = server * SERVER_WORDS;
  if ((relay.servers[limits + V_MAX_AGE] | relay.servers[limits + V_MAX_IDLE]) === 0) return;
  for (let row = relay.serverSessions[server]; row >= 0; row = relay.sessions[rowBase(row) + S_SERVER_NEXT]) {
    const deadline = limitDeadline(relay, row);
    if (deadline !== Number.POSITIVE_INFINITY) lookAt(relay, row, deadline);
  }
}

/** Which of the two a session that is due has reached first. */
export function limitReason(relay: Relay, row: number): CutReason {
  const limits = relay.sessions[rowBase(row) + S_SERVER] * SERVER_WORDS;
  return ageDeadline(relay, row, limits) <= idleDeadline(relay, row, limits)
    ? CutReason.MAX_SESSION_AGE
    : CutReason.MAX_SESSION_IDLE;
}

function ageDeadline(relay: Relay, row: number, limits: number): number {
  const ageMs = relay.servers[limits + V_MAX_AGE];
  if (ageMs === 0) return Number.POSITIVE_INFINITY;
  const jitter = relay.servers[limits + V_AGE_JITTER] / 100;
  const earlierMs = jitter === 0 ? 0 : ageMs * jitter * shareOf(row, relay.sessions[rowBase(row) + S_GENERATION]);
  return relay.sessionsF64[rowBaseF64(row) + S_ACCEPT_F64] + ageMs - earlierMs;
}

function idleDeadline(relay: Relay, row: number, limits: number): number {
  const idleMs = relay.servers[limits + V_MAX_IDLE];
  if (idleMs === 0 || relay.sessions[rowBase(row) + S_STATE] !== SessionState.ESTABLISHED) {
    return Number.POSITIVE_INFINITY;
  }
  const f64 = rowBaseF64(row);
  return Math.max(relay.sessionsF64[f64 + S_CLIENT_ACTIVE_F64], relay.sessionsF64[f64 + S_SERVER_ACTIVE_F64]) + idleMs;
}

/** A number in [0, 1) that a session keeps for its life, and that looks random from one session to the next. */
export function shareOf(row: number, generation: number): number {
  let mixed = Math.imul(row ^ Math.imul(generation, 0x9e3779b1), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 4294967296;
}
