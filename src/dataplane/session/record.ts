// Last step of a session: its record, for the log (guarantee G8). A full ring drops the record and counts it; a session
// never waits for its log line.

import { W_CONNECTIONS, WT_RECORDS_WANTED } from "../../memory/control-words.ts";
import { CT_RECORDS_DROPPED } from "../../memory/counters.ts";
import { P_BACK_SESSIONS, P_FRONT_SESSIONS, PROXY_WORDS } from "../../memory/proxy-row.ts";
import { nextRecord, publishRecord } from "../../memory/record-ring.ts";
import {
  R_BACK_SESSIONS,
  R_FRONT_SESSIONS,
  R_KIND,
  R_PROCESS_CONNECTIONS,
  R_ROW,
  R_SERVER_SESSIONS,
  R_THREAD,
} from "../../memory/record-row.ts";
import { SERVER_WORDS, V_SERVED } from "../../memory/server-row.ts";
import {
  S_BACKEND,
  S_FLAGS,
  S_FRONTEND,
  S_SERVER,
  SESSION_WORDS,
  SF_IN_BACKEND,
  SF_SERVED,
} from "../../memory/session-row.ts";
import { type Relay, rowBase } from "../relay.ts";

/**
 * Writes a record of the row as it is now; called while the session still counts everywhere.
 * @param server the server that it names, -1 for none
 */
export function writeRecord(relay: Relay, row: number, kind: number, server: number): void {
  const { memory, sessions, proxies } = relay;
  const at = nextRecord(memory, relay.thread);
  if (at < 0) {
    relay.counters[relay.ownCounters + CT_RECORDS_DROPPED]++;
    return;
  }
  const ring = memory.ringsI32;
  const base = rowBase(row);
  for (let i = 0; i < SESSION_WORDS; i++) ring[at + i] = sessions[base + i];
  const backend = sessions[base + S_BACKEND];
  ring[at + S_SERVER] = server;
  ring[at + R_KIND] = kind;
  ring[at + R_ROW] = row;
  ring[at + R_THREAD] = relay.thread;
  ring[at + R_PROCESS_CONNECTIONS] = relay.words[W_CONNECTIONS];
  ring[at + R_FRONT_SESSIONS] = proxies[sessions[base + S_FRONTEND] * PROXY_WORDS + P_FRONT_SESSIONS];
  // Of the backend and of the server, HAProxy counts the others only.
  const flags = sessions[base + S_FLAGS];
  const inBackend = (flags & SF_IN_BACKEND) === 0 ? 0 : 1;
  const served = (flags & SF_SERVED) === 0 ? 0 : 1;
  ring[at + R_BACK_SESSIONS] = backend < 0 ? 0 : proxies[backend * PROXY_WORDS + P_BACK_SESSIONS] - inBackend;
  ring[at + R_SERVER_SESSIONS] = server < 0 ? 0 : relay.servers[server * SERVER_WORDS + V_SERVED] - served;
  publishRecord(memory, relay.thread);
  const wanted = relay.ownWords + WT_RECORDS_WANTED;
  if (Atomics.load(relay.words, wanted) === 1 && Atomics.exchange(relay.words, wanted, 0) === 1) {
    relay.ports.announceRecords();
  }
}
