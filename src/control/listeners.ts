// Opens and closes the listening sockets of the frontends. Control thread.

import { chmodSync, chownSync } from "node:fs";
import { unixSockaddr } from "../base/address.ts";
import { AppError } from "../base/errors.ts";
import type { BindConfig } from "../config/model.ts";
import { EADDRINUSE, SHUT_RD } from "../sys/constants.ts";
import { c, errorText } from "../sys/libc.ts";
import { boundPort, openListener, takeListener } from "../sys/listen.ts";
import { resolveBindAddress } from "./addresses.ts";
import type { ResolvedAddress } from "./change.ts";
import type { InheritedSockets } from "./hand-over/inherited-sockets.ts";
import type { ListenerEntry, ProxyEntry } from "./registry.ts";
import { UnixPath, type UnixPaths } from "./unix-path.ts";

/** A listening socket that no relay looks at yet. */
export type BoundListener = Pick<ListenerEntry, "fd" | "key" | "protocol" | "address" | "path">;

/** Where listening sockets come from, besides being made. */
export interface ListenFrom {
  /** Those of the process before. */
  readonly inherited?: InheritedSockets;
  /** Others, of this process or of the one before, may have addresses that overlap, on sockets that allow that. */
  readonly reusePort?: boolean;
  /** When unix sockets get their paths; absent: at once. */
  readonly paths?: UnixPaths;
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
  return { index, id, bind, proxy, backlog, ...(await bindListener(proxy.name, bind, backlog, from)) };
}

/** The same for a frontend that is paused: where another program has its port by now, that is said, and there is no socket. */
export async function openPausedListener(
  proxy: ProxyEntry,
  bind: BindConfig,
  index: number,
  id: number,
  backlog: number,
  from: ListenFrom,
  warn: (text: string) => void,
): Promise<ListenerEntry> {
  try {
    return await openFrontendListener(proxy, bind, index, id, backlog, from);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "cannot-bind") throw error;
    warn(`${error.message} It is disabled: reload when the port is free, then 'enable frontend'.`);
    const { sockaddr, host, port } = await resolveBindAddress(bind.endpoint);
    const protocol = protocolOf(bind, sockaddr);
    const address = shownAddress(bind, host, port);
    const key = await listenerKey(bind);
    return { index, id, bind, proxy, backlog, fd: -1, key, protocol, address, path: undefined };
  }
}

/** What tells the address of one listener from that of another. Throws AppError "cannot-resolve". */
export async function listenerKey(bind: BindConfig): Promise<string> {
  return keyOf(bind, await resolveBindAddress(bind.endpoint));
}

const keyOf = (bind: BindConfig, { sockaddr }: ResolvedAddress): string =>
  `${Buffer.from(sockaddr).toString("hex")}${bind.v6only ? " v6only" : ""}`;

/**
 * Binds and listens, or takes over a socket that is bound already. Throws AppError "cannot-bind", or "cannot-resolve".
 */
export async function bindListener(
  frontend: string,
  bind: BindConfig,
  backlog: number,
  from: ListenFrom = {},
): Promise<BoundListener> {
  const address = await resolveBindAddress(bind.endpoint);
  const isUnix = bind.endpoint.kind === "unix";
  const taken = from.inherited?.take(address.sockaddr, bind.v6only);
  const path = !isUnix ? undefined : taken === undefined ? new UnixPath(address.host) : UnixPath.taken(address.host);
  const sockaddr = path === undefined ? address.sockaddr : unixSockaddr(path.temporary, false);
  const options = { backlog, v6only: bind.v6only, reusePort: from.reusePort ?? false };
  const fd = taken === undefined ? openListener(sockaddr, options) : takeListener(taken, sockaddr[0], backlog);
  const shown = shownAddress(bind, address.host, address.port);
  if (fd < 0) {
    throw new AppError(
      "cannot-bind",
      `Binding [${bind.place.file}:${bind.place.line}] for frontend ${frontend}: protocol ${protocolOf(bind, address.sockaddr)}: ` +
        `cannot bind socket (${errorText(-fd)}) for [${shown}].`,
      -fd === EADDRINUSE ? "another program listens there: stop it, or choose another address" : undefined,
      bind.place,
    );
  }
  if (path !== undefined && taken === undefined) {
    if (bind.uid !== undefined || bind.gid !== undefined) chownSync(path.temporary, bind.uid ?? -1, bind.gid ?? -1);
    if (bind.mode !== undefined) chmodSync(path.temporary, bind.mode);
    if (from.paths === undefined) path.publish();
    else from.paths.add(path);
  }
  const port = bind.endpoint.kind === "inet" && bind.endpoint.port === 0 ? boundPort(fd) : address.port;
  return {
    fd,
    key: keyOf(bind, address),
    protocol: protocolOf(bind, address.sockaddr),
    address: shownAddress(bind, address.host, port),
    path,
  };
}

/** Closes a frontend's listeners for good, and removes their unix sockets. Relays must have let go of them. */
export function closeFrontendListeners(proxy: ProxyEntry): void {
  for (const listener of proxy.listeners) {
    if (listener.fd < 0) continue;
    closeBound(listener);
    listener.fd = -1;
  }
}

/** Closes one listening socket, and removes the path of a unix socket. */
export function closeBound({ fd, path }: Pick<BoundListener, "fd" | "path">): void {
  c.close(fd);
  path?.remove();
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
