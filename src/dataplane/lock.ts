// The spin lock of a backend's queues and scores. Held for a few dozen instructions, never across a system call.

import { P_LOCK, PROXY_WORDS } from "../memory/proxy-row.ts";
import type { Relay } from "./relay.ts";

/** Waits for the lock. Not reentrant. */
export function lockBackend(relay: Relay, backend: number): void {
  const word = backend * PROXY_WORDS + P_LOCK;
  while (Atomics.compareExchange(relay.proxies, word, 0, 1) !== 0) {
    // Another thread holds it. Sleeping a moment lets it run where both share a core; it costs nothing when they do not,
    // because the value has usually changed by then.
    Atomics.wait(relay.proxies, word, 1, 0.05);
  }
}

/** Gives the lock back. Only by the thread that holds it. */
export function unlockBackend(relay: Relay, backend: number): void {
  Atomics.store(relay.proxies, backend * PROXY_WORDS + P_LOCK, 0);
}
