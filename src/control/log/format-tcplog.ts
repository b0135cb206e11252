// A record of the event ring as one line of text in HAProxy's formats. Control thread, its hot path under many short
// sessions: no regular expressions, no intermediate arrays; and it never throws, whatever a row contains.

import { formatHost, formatSockaddr, sockaddrPort } from "../../base/address.ts";
import {
  R_BACK_SESSIONS,
  R_FRONT_ADDR,
  R_FRONT_SESSIONS,
  R_PROCESS_CONNECTIONS,
  R_SERVER_SESSIONS,
} from "../../memory/record-row.ts";
import {
  S_ACCEPT_F64,
  S_ACCEPT_WALL_F64,
  S_BACKEND,
  S_BYTES_DOWN_F64,
  S_CLIENT_ADDR,
  S_CONNECT_MS_F64,
  S_END_CAUSE,
  S_END_F64,
  S_END_PHASE,
  S_FLAGS,
  S_FRONTEND,
  S_LISTENER,
  S_QUEUE_AHEAD_BACKEND,
  S_QUEUE_AHEAD_SERVER,
  S_QUEUE_MS_F64,
  S_RETRIES,
  S_SERVER,
  SF_REDISPATCHED,
} from "../../memory/session-row.ts";
import { AF_UNIX } from "../../sys/constants.ts";
import type { Registry } from "../registry.ts";
import { AcceptDates } from "./log-time.ts";
import { proxyName, serverName, stateCharacter, wholeMs } from "./record-view.ts";

const dates = new AcceptDates();

/**
 * The line of `option tcplog` for an ended session, without header and line feed:
 * `client [accept date] frontend backend/server Tw/Tc/Tt bytes state actconn/feconn/beconn/srv_conn/retries srv_queue/backend_queue`.
 * `offset` is the record's first Int32 word (even); `recordF64` is the same memory.
 */
export function formatSessionEnd(
  record: Int32Array,
  recordF64: Float64Array,
  offset: number,
  registry: Registry,
): string {
  const half = offset >> 1;
  const frontend = proxyName(registry, record[offset + S_FRONTEND]);
  const backendIndex = record[offset + S_BACKEND];
  const backend = backendIndex < 0 ? frontend : proxyName(registry, backendIndex);
  const retries = record[offset + S_RETRIES];
  return (
    `${clientText(record, offset, registry)} [${dates.text(recordF64[half + S_ACCEPT_WALL_F64])}] ` +
    `${frontend} ${backend}/${serverName(registry, record[offset + S_SERVER])} ` +
    `${wholeMs(recordF64[half + S_QUEUE_MS_F64])}/${wholeMs(recordF64[half + S_CONNECT_MS_F64])}/` +
    `${wholeMs(Math.max(0, recordF64[half + S_END_F64] - recordF64[half + S_ACCEPT_F64]))} ` +
    `${recordF64[half + S_BYTES_DOWN_F64]} ` +
    `${stateCharacter(record[offset + S_END_CAUSE])}${stateCharacter(record[offset + S_END_PHASE])} ` +
    `${record[offset + R_PROCESS_CONNECTIONS]}/${record[offset + R_FRONT_SESSIONS]}/` +
    `${record[offset + R_BACK_SESSIONS]}/${record[offset + R_SERVER_SESSIONS]}/` +
    `${(record[offset + S_FLAGS] & SF_REDISPATCHED) !== 0 ? `+${retries}` : retries} ` +
    `${record[offset + S_QUEUE_AHEAD_SERVER]}/${record[offset + S_QUEUE_AHEAD_BACKEND]}`
  );
}

/** The line of a proxy without `option tcplog`, written at accept: `Connect from a:p to b:q (frontend/TCP)`. */
export function formatSessionAccept(record: Int32Array, offset: number, registry: Registry): string {
  const frontend = proxyName(registry, record[offset + S_FRONTEND]);
  const listener = registry.listenersByIndex[record[offset + S_LISTENER]];
  const host = formatHost(record, offset + S_CLIENT_ADDR);
  if (host === undefined) return `Connect to unix:${listener?.id ?? 0} (${frontend}/TCP)`;
  // If the kernel did not say what was dialled (the client is gone already), the listener's own address stands for it.
  const dialled = formatSockaddr(record, offset + R_FRONT_ADDR);
  const to = dialled ?? (listener?.address ?? "unknown").replace("[", "").replace("]", "");
  return `Connect from ${host}:${sockaddrPort(record, offset + S_CLIENT_ADDR)} to ${to} (${frontend}/TCP)`;
}

function clientText(record: Int32Array, offset: number, registry: Registry): string {
  const host = formatHost(record, offset + S_CLIENT_ADDR);
  if (host !== undefined) return `${host}:${sockaddrPort(record, offset + S_CLIENT_ADDR)}`;
  return (record[offset + S_CLIENT_ADDR] & 0xffff) > AF_UNIX
    ? "unknown"
    : `unix:${registry.listenersByIndex[record[offset + S_LISTENER]]?.id ?? 0}`;
}
