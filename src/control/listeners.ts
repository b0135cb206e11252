// Opens and closes the listening sockets of the frontends. A unix socket is bound under a temporary name and moved into
// place, so that a client never finds a half-made one. Control thread.

import { chmodSync, chownSync, renameSync, unlinkSync } from "node:fs";
import { unixSockaddr } from "../base/address.ts";
import { AppError } from "../base/errors.ts";
import type { BindConfig } from "../config/model.ts";
import { EADDRINUSE, SHUT_RD } from "../sys/constants.ts";
import { c, errorText } from "../sys/libc.ts";
import { boundPort, openListener, takeListener } from "../sys/listen.ts";
import { resolveBindAddress } from "./addresses.ts";
import { ownsItsPaths } from "./hand-over/handed-over.ts";
import type { InheritedSockets } from "./hand-over/inherited-sockets.ts";
import type { ListenerEntry, ProxyEntry } from "./registry.ts";

/** Where listening sockets come from, besides being made. */
export interface ListenFrom {
  /** Those of the process before. */
  readonly inherited?: InheritedSockets;
  /** The process before may still listen, on sockets that allow that. */
  readonly reusePort?: boolean;
}

/** Opens one listener. Throws AppError "cannot-bind". */
export async function openFrontendListener(
  proxy: ProxyEntry,
  bind: BindConfig,
  index: number,
  id: number,
  backlog: number,
  from: ListenFrom = {},
): Promise<ListenerEntry> {
  const address = await resolveBindAddress(bind.endpoint);
  const isUnix = bind.endpoint.kind === "unix";
  const temporary = isUnix ? `${address.host}.${process.pid}.tmp` : "";
  const sockaddr = isUnix ? unixSockaddr(temporary, false) : address.sockaddr;
  const taken = from.inherited?.take(address.sockaddr, bind.v6only);
  if (isUnix && taken === undefined) removeFile(temporary);
  const options = { backlog, v6only: bind.v6only, reusePort: from.reusePort ?? false };
  const fd = taken === undefined ? openListener(sockaddr, options) : takeListener(taken, sockaddr[0], backlog);
  const shown = shownAddress(bind, address.host, address.port);
  if (fd < 0) {
    throw new AppError(
      "cannot-bind",
      `Binding [${bind.place.file}:${bind.place.line}] for frontend ${proxy.name}: protocol ${protocolOf(bind, address.sockaddr)}: ` +
        `cannot bind socket (${errorText(-fd)}) for [${shown}].`,
      -fd === EADDRINUSE ? "another program listens there: stop it, or choose another address" : undefined,
    );
  }
  if (isUnix && taken === undefined) {
    if (bind.uid !== undefined || bind.gid !== undefined) chownSync(temporary, bind.uid ?? -1, bind.gid ?? -1);
    if (bind.mode !== undefined) chmodSync(temporary, bind.mode);
    renameSync(temporary, address.host);
  }
  const port = bind.endpoint.kind === "inet" && bind.endpoint.port === 0 ? boundPort(fd) : address.port;
  return {
    index,
    id,
    bind,
    proxy,
    fd,
    backlog,
    protocol: protocolOf(bind, address.sockaddr),
    address: shownAddress(bind, address.host, port),
  };
}

/** Closes a frontend's listeners for good, and removes their unix sockets. Relays must have let go of them. */
export function closeFrontendListeners(proxy: ProxyEntry): void {
  for (const listener of proxy.listeners) {
    if (listener.fd < 0) continue;
    c.close(listener.fd);
    listener.fd = -1;
    if (listener.bind.endpoint.kind === "unix" && ownsItsPaths()) removeFile(listener.bind.endpoint.path);
  }
}

/**
 * Gives up the ports of a frontend, keeping the sockets: clients are refused. On a unix socket that cannot be taken back, so its
 * clients wait. Relays must have let go of them.
 */
export function pauseFrontendListeners(proxy: ProxyEntry): void {
  for (const { fd, bind } of proxy.listeners) if (bind.endpoint.kind === "inet") c.shutdown(fd, SHUT_RD);
}

/** Listens again on all of them; false if one of the ports is taken by now: then none listens. */
export function resumeFrontendListeners(proxy: ProxyEntry): boolean {
  for (const { fd, bind, backlog } of proxy.listeners) {
    if (bind.endpoint.kind !== "inet" || c.listen(fd, backlog) === 0) continue;
    pauseFrontendListeners(proxy);
    return false;
  }
  return true;
}

function protocolOf(bind: BindConfig, sockaddr: Uint8Array): ListenerEntry["protocol"] {
  if (bind.endpoint.kind === "unix") return "unix_stream";
  if (bind.endpoint.kind === "abns") return "abns_stream";
  return sockaddr[0] === 2 ? "tcpv4" : "tcpv6";
}

function shownAddress(bind: BindConfig, host: string, port: number): string {
  if (bind.endpoint.kind !== "inet") return host;
  return `${host}:${port}`;
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there, or is not ours to remove; bind or rename says so if it matters.
  }
}
