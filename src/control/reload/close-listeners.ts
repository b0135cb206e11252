// Closes listening sockets that no configuration names any more, without losing a client: no handshake begins, those under way end, who
// waits is accepted, then the socket is closed. Control thread.

import { c } from "../../sys/libc.ts";
import { acceptQueueLength, refuseNewConnections } from "../../sys/listening-socket.ts";
import { countHandshakes } from "../../sys/sock-diag.ts";
import { isAlone } from "../hand-over/handed-over.ts";
import type { ListenerEntry } from "../registry.ts";
import type { OrderSink } from "../workers.ts";

/** A client that does not finish its handshake, or a frontend that is full, holds a socket open for so long at most. */
const CLOSE_MOST_MS = 1000;
const LOOK_MS = 2;

/** Resolves when all are closed. Their entries have no descriptor then, and are on no frontend's list. */
export async function closeListeners(listeners: readonly ListenerEntry[], orders: OrderSink): Promise<void> {
  if (listeners.length === 0) return;
  const open = listeners.filter(({ proxy }) => !proxy.paused);
  for (const listener of open) refuseMore(listener);
  const endMs = performance.now() + CLOSE_MOST_MS;
  while ((await isAnyAwaited(open)) && performance.now() < endMs)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  await Promise.all(
    listeners.map(({ index, proxy }) => orders.order({ kind: "unlisten", listener: index, drain: !proxy.paused })),
  );
  for (const listener of listeners) {
    c.close(listener.fd);
    listener.fd = -1;
    listener.proxy.listeners = listener.proxy.listeners.filter((other) => other !== listener);
  }
}

/** Not where another process serves them by now. TCP clients repeat their SYN; a unix socket's path is taken away. */
function refuseMore({ fd, bind, path }: ListenerEntry): void {
  if (bind.endpoint.kind === "inet" && isAlone()) refuseNewConnections(fd);
  path?.remove();
}

async function isAnyAwaited(listeners: readonly ListenerEntry[]): Promise<boolean> {
  for (const listener of listeners) if (await isAwaited(listener)) return true;
  return false;
}

/** What waits on a unix socket is found when the relays take it. */
async function isAwaited({ fd, bind, address }: ListenerEntry): Promise<boolean> {
  if (bind.endpoint.kind !== "inet") return false;
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return acceptQueueLength(fd) > 0 || (await countHandshakes(port)) > 0;
}
