// `set server <b>/<s> addr <ip> [port <port>]`: new connections go to the new address at the answer, established ones stay.

import { canonicalAddress, PORT_MAX } from "../base/address.ts";
import type { Change } from "../control/change.ts";
import type { ServerEntry } from "../control/registry.ts";
import { NO_ADDRESS } from "../control/resolve/changes.ts";
import { failure, refusalText, warning } from "./answers.ts";
import type { Answer, OperationContext } from "./operation.ts";
import type { Found } from "./targets.ts";

/** A port as a fixed number; HAProxy takes the number modulo 65536, which reaches a server nobody named. */
function parsePort(text: string): Found<number> {
  if (!/^[+-]?[0-9]+$/.test(text)) return { error: `problem converting port '${text}' to an int` };
  const port = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 1 && port <= PORT_MAX)) {
    return { error: `Invalid port '${text}': expects a number from 1 to ${PORT_MAX}.` };
  }
  return { found: port };
}

/** `set server <b>/<s> addr`: `args` are the words after `addr`. */
export async function setServerAddress(
  { program }: OperationContext,
  server: ServerEntry,
  args: readonly string[],
): Promise<Answer> {
  const [written, keyword, portText] = args;
  if (written === undefined) return failure("set server <b>/<s> addr requires an address and optionally a port.");
  const host = canonicalAddress(written);
  if (host === undefined) return failure(`Invalid addr '${written}'`);
  if (server.config.endpoint.kind !== "inet") {
    return failure("Update for the current server address family is only supported through configuration file.");
  }
  if (keyword !== undefined && keyword !== "port") {
    return failure(`'set server <srv> addr' expects 'port' after the address, not '${keyword}'.`);
  }
  if (keyword !== undefined && server.mapsPort)
    return failure("The server's port follows the client's and cannot be set.");
  const port = keyword === undefined ? { found: server.port } : parsePort(portText ?? "");
  if (port.error !== undefined) return failure(port.error);
  const oldHost = server.host;
  const movesHost = host !== oldHost;
  const oldPort = server.port;
  const movesPort = keyword !== undefined && port.found !== server.port;
  if (!movesHost && !movesPort) return warning("nothing changed");
  const change: Change = { kind: "set-address", server, host, port: port.found };
  const receipt = await program.commit(change);
  if (!receipt.done) return failure(refusalText(change, receipt.code, receipt.detail));
  const parts = [
    movesHost ? `IP changed from '${oldHost === NO_ADDRESS ? "(none)" : oldHost}' to '${host}'` : "",
    movesPort ? `port changed from '${oldPort}' to '${port.found}'` : "",
  ].filter((part) => part !== "");
  return warning(`${parts.join(", ")} by 'stats socket command'`);
}
