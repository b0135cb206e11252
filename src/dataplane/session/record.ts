// Last step of a session: its record, for the log (guarantee G8). A full ring drops the record and counts it; a session
// never waits for its log line.

import { W_CONNECTIONS, WT_RECORDS_WANTED } from "../../memory/control-words.ts";
import { CT_RECORDS_DROPPED } from "../../memory/counters.ts";
import {
  P_BACK_SESSIONS,
  P_FLAGS,
  P_FRONT_SESSIONS,
  PF_RECORD_ADDRESSES,
  PROXY_WORDS,
} from "../../memory/proxy-row.ts";
import { nextRecord, publishRecord } from "../../memory/record-ring.ts";
import {
  ADDRESS_WORDS,
  R_BACK_SESSIONS,
  R_FRONT_ADDR,
  R_FRONT_SESSIONS,
  R_KIND,
  R_PROCESS_CONNECTIONS,
  R_SERVER_ADDR,
  R_SERVER_SESSIONS,
  R_SOURCE_ADDR,
  RecordKind,
} from "../../memory/record-row.ts";
import { SERVER_WORDS, V_ADDR, V_SERVED } from "../../memory/server-row.ts";
import {
  S_BACKEND,
  S_CLIENT_FD,
  S_FLAGS,
  S_FRONTEND,
  S_SERVER,
  S_SERVER_FD,
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
  ring[at + R_PROCESS_CONNECTIONS] = relay.words[W_CONNECTIONS];
  ring[at + R_FRONT_SESSIONS] = proxies[sessions[base + S_FRONTEND] * PROXY_WORDS + P_FRONT_SESSIONS];
  // Of the backend and of the server, HAProxy counts the others only.
  const flags = sessions[base + S_FLAGS];
  const inBackend = (flags & SF_IN_BACKEND) === 0 ? 0 : 1;
  const served = (flags & SF_SERVED) === 0 ? 0 : 1;
  ring[at + R_BACK_SESSIONS] = backend < 0 ? 0 : proxies[backend * PROXY_WORDS + P_BACK_SESSIONS] - inBackend;
  ring[at + R_SERVER_SESSIONS] = server < 0 ? 0 : relay.servers[server * SERVER_WORDS + V_SERVED] - served;
  const wanted = proxies[sessions[base + S_FRONTEND] * PROXY_WORDS + P_FLAGS] & PF_RECORD_ADDRESSES;
  if (wanted !== 0 || kind === RecordKind.ACCEPTED) {
    for (let i = 0; i < 3 * ADDRESS_WORDS; i++) ring[at + R_FRONT_ADDR + i] = relay.notedAddresses[i];
  } else {
    // No reader takes the addresses of an older record for those of this one.
    ring[at + R_FRONT_ADDR] = 0;
    ring[at + R_SOURCE_ADDR] = 0;
    ring[at + R_SERVER_ADDR] = 0;
  }
  publishRecord(memory, relay.thread);
  const announce = relay.ownWords + WT_RECORDS_WANTED;
  if (Atomics.load(relay.words, announce) === 1 && Atomics.exchange(relay.words, announce, 0) === 1) {
    relay.ports.announceRecords();
  }
}

/**
 * Notes the addresses of a session for the record that is written next; called while its descriptors are open. Up to three calls
 * to the kernel, so only for frontends whose log names them.
 * @param server the server that it chose, -1 for none
 */
export function noteAddresses(relay: Relay, row: number, server: number): void {
  const { kernel, sessions, servers, notedAddresses, notedAddressesAt } = relay;
  const base = rowBase(row);
  const clientFd = sessions[base + S_CLIENT_FD];
  const serverFd = sessions[base + S_SERVER_FD];
  notedAddresses.fill(0);
  if (clientFd >= 0) kernel.localAddress(clientFd, notedAddressesAt[0]);
  if (serverFd >= 0) {
    kernel.localAddress(serverFd, notedAddressesAt[1]);
    if (kernel.peerAddress(serverFd, notedAddressesAt[2]) === 0) return;
  }
  if (server < 0) return;
  // Not connected, or no more: the address in force is the one it was on its way to, unless that was changed just now.
  const serverBase = server * SERVER_WORDS;
  const place = serverBase + (Atomics.load(servers, serverBase + V_ADDR) & 0xffff);
  for (let i = 0; i < ADDRESS_WORDS; i++) notedAddresses[2 * ADDRESS_WORDS + i] = servers[place + i];
}
