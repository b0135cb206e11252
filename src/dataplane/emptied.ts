// Tells the control thread that a server's last session is gone, where it asked for that (`option fence`). Relay thread; called after
// each step that takes something away from a server, and the one that takes the last thing finds that out.

import { SERVER_WORDS, V_ATTACHED, V_EMPTY_WANTED, V_SERVED } from "../memory/server-row.ts";
import type { Relay } from "./relay.ts";

/** The wish is written before the control thread counts, and read after a count fell: one of the two sees the other. */
export function tellIfEmptied({ servers, ports }: Relay, server: number): void {
  const row = server * SERVER_WORDS;
  if (Atomics.load(servers, row + V_EMPTY_WANTED) === 0) return;
  if (Atomics.load(servers, row + V_SERVED) > 0 || Atomics.load(servers, row + V_ATTACHED) > 0) return;
  if (Atomics.exchange(servers, row + V_EMPTY_WANTED, 0) === 1) ports.announceEmptied(server);
}
