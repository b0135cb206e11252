// Which rows of the tables are free. The one that has been free longest is taken first, so that records of what stood in it are
// written by then. Control thread.

import { LISTENERS_MAX } from "../base/limits.ts";
import { L_SESSIONS, LISTENER_WORDS } from "../memory/listener-row.ts";
import { SERVER_WORDS, V_IN_USE } from "../memory/server-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import type { Registry } from "./registry.ts";

/** Where the next search for a free row begins. */
const next = { server: 0, proxy: 0, listener: 0 };

/** -1: none is free. */
export function freeServerRow(memory: SharedMemory): number {
  return take("server", memory.servers, (index) => memory.serversI32[index * SERVER_WORDS + V_IN_USE] === 0);
}

/** -1: none is free. */
export function freeProxyRow(memory: SharedMemory, registry: Registry): number {
  return take("proxy", memory.proxies, (index) => registry.proxiesByIndex[index]?.isDeleted !== false);
}

/** A row is free when its socket is closed and no session came in by it any more. -1: none is free. */
export function freeListenerRow(memory: SharedMemory, registry: Registry): number {
  const isFree = (index: number): boolean =>
    (registry.listenersByIndex[index]?.fd ?? -1) < 0 &&
    Atomics.load(memory.listenersI32, index * LISTENER_WORDS + L_SESSIONS) === 0;
  return take("listener", LISTENERS_MAX, isFree);
}

function take(table: keyof typeof next, rows: number, isFree: (index: number) => boolean): number {
  for (let step = 0; step < rows; step++) {
    const index = (next[table] + step) % rows;
    if (!isFree(index)) continue;
    next[table] = (index + 1) % rows;
    return index;
  }
  return -1;
}
