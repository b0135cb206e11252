// Since when a backend is up or down, and how often it went down. Control thread, written by `commit` only.

import { SERVER_WORDS, V_USABLE, V_WEIGHT } from "../memory/server-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import type { ProxyEntry } from "./registry.ts";

/** Has load balancing a server to choose? */
export const hasEligibleServer = (memory: SharedMemory, backend: ProxyEntry): boolean =>
  backend.servers.some(({ index }) => {
    const row = index * SERVER_WORDS;
    return memory.serversI32[row + V_USABLE] === 1 && memory.serversI32[row + V_WEIGHT] > 0;
  });

/** A backend is down while load balancing has no server to choose. True if it just went down. */
export function noteBackendTimes(memory: SharedMemory, backend: ProxyEntry): boolean {
  const isUp = hasEligibleServer(memory, backend);
  const now = Date.now();
  if (isUp && backend.downSinceMs !== undefined) {
    backend.downMs += now - backend.downSinceMs;
    backend.downSinceMs = undefined;
    backend.lastChangeMs = now;
  } else if (!isUp && backend.downSinceMs === undefined) {
    backend.downSinceMs = now;
    backend.lastChangeMs = now;
    backend.downTransitions++;
    return true;
  }
  return false;
}
