// Where a check, or one connection of its script, goes. Pure.

import type { CheckTarget } from "./connection.ts";

/** An address and a port of its own where it has them, the server's otherwise. */
export function checkTarget(
  { addr, port }: { readonly addr?: string; readonly port?: number },
  server: CheckTarget,
): CheckTarget {
  if (addr === undefined && port === undefined) return server;
  if ("path" in server) return addr === undefined ? server : { host: addr, port: port ?? 0 };
  return { host: addr ?? server.host, port: port ?? server.port };
}
