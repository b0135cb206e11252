// Taking and giving back rows of the session table, and the list of each server's sessions. Relay thread.

import { CT_ROWS_USED } from "../../memory/counters.ts";
import type { CutReason } from "../../memory/cut-reason.ts";
import { SERVER_WORDS, V_ATTACHED, V_CUT_GENERATION, V_CUT_REASON } from "../../memory/server-row.ts";
import {
  D_BUFFER,
  D_PIPE_READ,
  D_PIPE_WRITE,
  S_BACKEND,
  S_CLIENT_FD,
  S_CONNECT_MS_F64,
  S_CUT_GENERATION,
  S_DOWN,
  S_GENERATION,
  S_QUEUE_MS_F64,
  S_SERVER,
  S_SERVER_FD,
  S_SERVER_NEXT,
  S_SERVER_PREV,
  S_STATE,
  S_UP,
  SESSION_WORDS,
  SessionState,
} from "../../memory/session-row.ts";
import { tellIfEmptied } from "../emptied.ts";
import { type Relay, rowBase, rowBaseF64 } from "../relay.ts";

/** A free row, cleared and with a new (odd) generation, or -1 if this thread has none left. */
export function takeRow(relay: Relay): number {
  let row: number;
  if (relay.freeRowCount > 0) row = relay.freeRows[--relay.freeRowCount];
  else {
    if (relay.firstRow + relay.rowsUsed >= relay.rowLimit) return -1;
    row = relay.firstRow + relay.rowsUsed++;
    relay.counters[relay.ownCounters + CT_ROWS_USED] = relay.rowsUsed;
  }
  const base = rowBase(row);
  const { sessions, sessionsF64 } = relay;
  const generation = sessions[base + S_GENERATION];
  // Not fill(): its call costs more than these few stores.
  for (let word = base + 1; word < base + SESSION_WORDS; word++) sessions[word] = 0;
  sessions[base + S_GENERATION] = generation + 1;
  sessions[base + S_BACKEND] = -1;
  sessions[base + S_SERVER] = -1;
  sessions[base + S_CLIENT_FD] = -1;
  sessions[base + S_SERVER_FD] = -1;
  for (const direction of DIRECTIONS) {
    sessions[base + direction + D_BUFFER] = -1;
    sessions[base + direction + D_PIPE_READ] = -1;
    sessions[base + direction + D_PIPE_WRITE] = -1;
  }
  sessionsF64[rowBaseF64(row) + S_QUEUE_MS_F64] = -1;
  sessionsF64[rowBaseF64(row) + S_CONNECT_MS_F64] = -1;
  return row;
}

const DIRECTIONS = [S_UP, S_DOWN] as const;

/** Gives a row back: its generation becomes even, so whatever still names the old session is stale. */
export function giveRow(relay: Relay, row: number): void {
  const base = rowBase(row);
  relay.sessions[base + S_STATE] = SessionState.FREE;
  relay.sessions[base + S_GENERATION]++;
  // A listener may have been given up because no row was left.
  if (relay.freeRowCount === 0 && relay.firstRow + relay.rowsUsed === relay.rowLimit) relay.listenersWaiting = true;
  relay.freeRows[relay.freeRowCount++] = row;
}

/** Puts the session on its server's list, under the server's present cut generation. */
export function attachServer(relay: Relay, row: number, server: number): void {
  const { sessions, servers, serverSessions } = relay;
  const base = rowBase(row);
  const serverBase = server * SERVER_WORDS;
  sessions[base + S_CUT_GENERATION] = Atomics.load(servers, serverBase + V_CUT_GENERATION);
  sessions[base + S_SERVER] = server;
  const head = serverSessions[server];
  sessions[base + S_SERVER_NEXT] = head;
  sessions[base + S_SERVER_PREV] = -1;
  if (head >= 0) sessions[rowBase(head) + S_SERVER_PREV] = row;
  serverSessions[server] = row;
  Atomics.add(servers, serverBase + V_ATTACHED, 1);
}

/** Takes the session off its server's list; S_SERVER stays for the record unless `forget`. */
export function detachServer(relay: Relay, row: number, forget: boolean): void {
  const { sessions, serverSessions } = relay;
  const base = rowBase(row);
  const server = sessions[base + S_SERVER];
  if (server < 0) return;
  const next = sessions[base + S_SERVER_NEXT];
  const previous = sessions[base + S_SERVER_PREV];
  if (next >= 0) sessions[rowBase(next) + S_SERVER_PREV] = previous;
  if (previous >= 0) sessions[rowBase(previous) + S_SERVER_NEXT] = next;
  else serverSessions[server] = next;
  Atomics.sub(relay.servers, server * SERVER_WORDS + V_ATTACHED, 1);
  tellIfEmptied(relay, server);
  if (forget) sessions[base + S_SERVER] = -1;
}

/** True if the session chose its server before that server was cut: it must not exist. */
export function isCut(relay: Relay, base: number): boolean {
  const server = relay.sessions[base + S_SERVER];
  return (
    server >= 0 &&
    relay.sessions[base + S_CUT_GENERATION] !== Atomics.load(relay.servers, server * SERVER_WORDS + V_CUT_GENERATION)
  );
}

/** Why the server of a session was cut. */
export function cutReason(relay: Relay, base: number): CutReason {
  return relay.servers[relay.sessions[base + S_SERVER] * SERVER_WORDS + V_CUT_REASON] as CutReason;
}
