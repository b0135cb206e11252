// What connections to a server come to, counted for `observe`: failures in a row over all threads, in words that the control
// thread looks at. Relay thread; nothing is allocated, and nobody is told.

import { SERVER_WORDS, V_ERROR_ALARMS, V_ERROR_LIMIT, V_ERRORS } from "../memory/server-row.ts";
import type { Relay } from "./relay.ts";

/** A connection to the server stands: the count begins anew. */
export function noteConnectSuccess(relay: Relay, server: number): void {
  const row = server * SERVER_WORDS;
  if (relay.servers[row + V_ERROR_LIMIT] === 0) return;
  // A word that is 0 already stays in every thread's cache.
  if (Atomics.load(relay.servers, row + V_ERRORS) !== 0) Atomics.store(relay.servers, row + V_ERRORS, 0);
}

/** A connection to the server failed. With the last one that the limit allows there is an alarm, and the count begins anew. */
export function noteConnectError(relay: Relay, server: number): void {
  const row = server * SERVER_WORDS;
  const limit = relay.servers[row + V_ERROR_LIMIT];
  if (limit === 0) return;
  if (Atomics.add(relay.servers, row + V_ERRORS, 1) + 1 < limit) return;
  Atomics.store(relay.servers, row + V_ERRORS, 0);
  Atomics.add(relay.servers, row + V_ERROR_ALARMS, 1);
}
