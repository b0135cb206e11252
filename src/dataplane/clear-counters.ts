// `clear counters`: a thread clears its own block, because it is the block's only writer. Gauges stay.

import {
  CB_CONNECT_MS_MAX,
  CB_LAST_SESSION_WALL,
  CB_QUEUE_MS_MAX,
  CB_TOTAL_MS_MAX,
  CS_CONNECT_MS_MAX,
  CS_LAST_SESSION_WALL,
  CS_QUEUE_MS_MAX,
  CS_TOTAL_MS_MAX,
  PROXY_COUNTERS,
  SERVER_COUNTERS,
} from "../memory/counters.ts";
import { P_FLAGS, PF_BACKEND, PF_FRONTEND, PROXY_WORDS } from "../memory/proxy-row.ts";
import { SERVER_WORDS, V_IN_USE } from "../memory/server-row.ts";
import { proxyCounters, serverCounters } from "../memory/shared-memory.ts";
import type { Relay } from "./relay.ts";

const PROXY_MAXIMA = [CB_QUEUE_MS_MAX, CB_CONNECT_MS_MAX, CB_TOTAL_MS_MAX] as const;
const SERVER_MAXIMA = [CS_QUEUE_MS_MAX, CS_CONNECT_MS_MAX, CS_TOTAL_MS_MAX] as const;

/** Clears the maxima, or with `all` everything but the time of the last session. */
export function clearCounters(relay: Relay, all: boolean): void {
  const { counters, memory, thread } = relay;
  for (let proxy = 0; proxy < memory.proxies; proxy++) {
    if ((relay.proxies[proxy * PROXY_WORDS + P_FLAGS] & (PF_FRONTEND | PF_BACKEND)) === 0) continue;
    const own = proxyCounters(memory, thread, proxy);
    for (const word of PROXY_MAXIMA) counters[own + word] = 0;
    if (all) clearBut(counters, own, PROXY_COUNTERS, CB_LAST_SESSION_WALL);
  }
  for (let server = 0; server < memory.servers; server++) {
    if (relay.servers[server * SERVER_WORDS + V_IN_USE] === 0) continue;
    const own = serverCounters(memory, thread, server);
    for (const word of SERVER_MAXIMA) counters[own + word] = 0;
    if (all) clearBut(counters, own, SERVER_COUNTERS, CS_LAST_SESSION_WALL);
  }
}

function clearBut(counters: Float64Array, first: number, words: number, kept: number): void {
  const value = counters[first + kept];
  counters.fill(0, first, first + words);
  counters[first + kept] = value;
}
