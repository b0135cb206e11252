// One session as `show sess` speaks of it: names instead of numbers, deadlines instead of timestamps. Taken from a copy of its row,
// with the clock read once for the whole answer.

import { formatSockaddr } from "../base/address.ts";
import { TURN_AROUND_MAX_MS } from "../base/limits.ts";
import type { Program } from "../control/program.ts";
import type { ListenerEntry, ProxyEntry, ServerEntry } from "../control/registry.ts";
import type { SessionReader } from "../control/stats/session-reader.ts";
import {
  P_TIMEOUT_CLIENT,
  P_TIMEOUT_CLIENT_FIN,
  P_TIMEOUT_CONNECT,
  P_TIMEOUT_QUEUE,
  P_TIMEOUT_SERVER,
  P_TIMEOUT_SERVER_FIN,
  P_TIMEOUT_TUNNEL,
  PROXY_WORDS,
} from "../memory/proxy-row.ts";
import {
  D_FLAGS,
  D_LENGTH,
  D_PIPE_LENGTH,
  DF_BLOCKED,
  DF_EOF,
  DF_SHUT,
  QueueState,
  S_ACCEPT_F64,
  S_ACCEPT_WALL_F64,
  S_BACKEND,
  S_BYTES_DOWN_F64,
  S_BYTES_READ_UP_F64,
  S_BYTES_UP_F64,
  S_CALLS_F64,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_ADDR,
  S_CLIENT_FD,
  S_DOWN,
  S_DOWN_STALLED_F64,
  S_FRONTEND,
  S_LISTENER,
  S_PHASE_F64,
  S_QUEUE_SERVER,
  S_QUEUE_STATE,
  S_RETRIES,
  S_SERVER,
  S_SERVER_ACTIVE_F64,
  S_SERVER_FD,
  S_STATE,
  S_UP,
  S_UP_STALLED_F64,
  SessionState,
} from "../memory/session-row.ts";

/** HAProxy's numbers and names for the life of a connection. */
export const SideState = { QUEUED: 2, TURN_AROUND: 3, CONNECTING: 5, ESTABLISHED: 8 } as const;
export const SIDE_NAMES: Readonly<Record<number, string>> = { 2: "QUE", 3: "TAR", 5: "CON", 8: "EST" };

const SERVER_SIDES: Readonly<Record<number, number>> = {
  [SessionState.QUEUED]: SideState.QUEUED,
  [SessionState.CONNECTING]: SideState.CONNECTING,
  [SessionState.TURN_AROUND]: SideState.TURN_AROUND,
  [SessionState.ESTABLISHED]: SideState.ESTABLISHED,
};

/** HAProxy's flags of a side, as far as they are about the end of a stream. */
const SIDE_IS_BACK = 0x1;
const SIDE_SHUT_DONE = 0x20000;
const SIDE_END_OF_STREAM = 0x40000;

/** One side of a session. Deadlines are ms from now; undefined where none runs. */
export interface SideView {
  readonly state: number;
  readonly flags: number;
  /** -1: none. */
  readonly fd: number;
  readonly readExpiryMs: number | undefined;
  readonly writeExpiryMs: number | undefined;
  /** Bytes read from this side, and bytes that it took. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface SessionView {
  readonly id: number;
  readonly thread: number;
  readonly protocol: string;
  readonly source: string;
  readonly listener: ListenerEntry | undefined;
  readonly frontend: ProxyEntry | undefined;
  readonly backend: ProxyEntry | undefined;
  readonly server: ServerEntry | undefined;
  readonly acceptWallMs: number;
  readonly ageMs: number;
  readonly calls: number;
  readonly retries: number;
  readonly client: SideView;
  readonly serverSide: SideView;
  /** Bytes held on the way to the server, and to the client. */
  readonly heldUp: number;
  readonly heldDown: number;
  /** The deadline of the phase before the connection stands. */
  readonly connectExpiryMs: number | undefined;
  readonly expiryMs: number | undefined;
}

const earliest = (...deadlines: (number | undefined)[]): number | undefined => {
  const running = deadlines.filter((deadline) => deadline !== undefined);
  return running.length === 0 ? undefined : Math.min(...running);
};

/** Views the session in `reader`'s copy. */
export function viewSession(program: Program, reader: SessionReader, thread: number, nowMs: number): SessionView {
  const { words, f64 } = reader;
  const { registry } = program;
  const state = words[S_STATE];
  const isEstablished = state === SessionState.ESTABLISHED;
  const up = words[S_UP + D_FLAGS];
  const down = words[S_DOWN + D_FLAGS];
  const heldUp = Math.max(0, words[S_UP + D_LENGTH]) + Math.max(0, words[S_UP + D_PIPE_LENGTH]);
  const heldDown = Math.max(0, words[S_DOWN + D_LENGTH]) + Math.max(0, words[S_DOWN + D_PIPE_LENGTH]);
  const timeout = (proxy: number, word: number): number =>
    proxy < 0 ? 0 : program.memory.proxiesI32[proxy * PROXY_WORDS + word];
  const left = (timeoutMs: number, sinceMs: number): number | undefined =>
    timeoutMs > 0 ? Math.max(0, timeoutMs - (nowMs - sinceMs)) : undefined;
  const front = words[S_FRONTEND];
  // One that waits for a certain server is shown with it.
  const waitedFor = words[S_QUEUE_STATE] === QueueState.NONE ? -1 : words[S_QUEUE_SERVER];
  const server = words[S_SERVER] < 0 ? waitedFor : words[S_SERVER];
  const back = words[S_BACKEND];
  const tunnelMs = isEstablished ? timeout(back, P_TIMEOUT_TUNNEL) : 0;
  const clientFinMs = (down & DF_SHUT) !== 0 ? timeout(front, P_TIMEOUT_CLIENT_FIN) : 0;
  const serverFinMs = (up & DF_SHUT) !== 0 ? timeout(back, P_TIMEOUT_SERVER_FIN) : 0;
  const clientMs = clientFinMs || tunnelMs || timeout(front, P_TIMEOUT_CLIENT);
  const serverMs = serverFinMs || tunnelMs || timeout(back, P_TIMEOUT_SERVER);
  const isBlocked = (flags: number, held: number): boolean => (flags & DF_BLOCKED) !== 0 || held > 0;
  const side = (eof: number, shut: number): number =>
    ((eof & DF_EOF) !== 0 ? SIDE_END_OF_STREAM : 0) | ((shut & DF_SHUT) !== 0 ? SIDE_SHUT_DONE : 0);

  const client: SideView = {
    state: SideState.ESTABLISHED,
    flags: side(up, down),
    fd: words[S_CLIENT_FD],
    readExpiryMs: (up & DF_EOF) === 0 ? left(clientMs, f64[S_CLIENT_ACTIVE_F64]) : undefined,
    writeExpiryMs: isBlocked(down, heldDown) ? left(clientMs, f64[S_DOWN_STALLED_F64]) : undefined,
    bytesIn: f64[S_BYTES_READ_UP_F64],
    bytesOut: f64[S_BYTES_DOWN_F64],
  };
  const serverSide: SideView = {
    state: SERVER_SIDES[state] ?? 0,
    flags: SIDE_IS_BACK | side(down, up),
    fd: words[S_SERVER_FD],
    readExpiryMs: isEstablished && (down & DF_EOF) === 0 ? left(serverMs, f64[S_SERVER_ACTIVE_F64]) : undefined,
    writeExpiryMs: isEstablished && isBlocked(up, heldUp) ? left(serverMs, f64[S_UP_STALLED_F64]) : undefined,
    bytesIn: f64[S_BYTES_DOWN_F64] + heldDown,
    bytesOut: f64[S_BYTES_UP_F64],
  };
  const connectMs = timeout(back, P_TIMEOUT_CONNECT);
  const phaseMs =
    state === SessionState.QUEUED
      ? timeout(back, P_TIMEOUT_QUEUE) || connectMs
      : state === SessionState.TURN_AROUND
        ? Math.min(connectMs || TURN_AROUND_MAX_MS, TURN_AROUND_MAX_MS)
        : connectMs;
  const connectExpiryMs = isEstablished ? undefined : left(phaseMs, f64[S_PHASE_F64]);
  const listener = registry.listenersByIndex[words[S_LISTENER]];
  return {
    id: reader.id,
    thread,
    protocol: listener?.protocol ?? "?",
    source: sourceOf(words, listener),
    listener,
    frontend: registry.proxiesByIndex[front],
    backend: back < 0 ? undefined : registry.proxiesByIndex[back],
    server: server < 0 ? undefined : registry.serversByIndex[server],
    acceptWallMs: f64[S_ACCEPT_WALL_F64],
    ageMs: Math.max(0, nowMs - f64[S_ACCEPT_F64]),
    calls: f64[S_CALLS_F64],
    retries: words[S_RETRIES],
    client,
    serverSide,
    heldUp,
    heldDown,
    connectExpiryMs,
    expiryMs: earliest(
      client.readExpiryMs,
      client.writeExpiryMs,
      serverSide.readExpiryMs,
      serverSide.writeExpiryMs,
      connectExpiryMs,
    ),
  };
}

function sourceOf(words: Int32Array, listener: ListenerEntry | undefined): string {
  return formatSockaddr(words, S_CLIENT_ADDR) ?? `unix:${listener?.id ?? 0}`;
}
