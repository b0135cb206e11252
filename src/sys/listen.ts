// Opens listening sockets: socket, bind, listen in one call, with the option words that Linux wants. Control thread.

import {
  AF_INET6,
  AF_UNIX,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from "./constants.ts";
import { c, errno } from "./libc.ts";

const one = new Int32Array(new SharedArrayBuffer(4)).fill(1);
const integer = new Int32Array(new SharedArrayBuffer(64));

export interface ListenOptions {
  readonly backlog: number;
  readonly v6only: boolean;
  /** Lets several sockets share the port (one a thread, or an old and a new process). */
  readonly reusePort: boolean;
}

/** A listening socket's descriptor, or -errno. */
export function openListener(sockaddr: Uint8Array, options: ListenOptions): number {
  const family = sockaddr[0];
  const fd = c.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno();
  const oneAddress = c.memmoveAddress(one, one, 0);
  if (family !== AF_UNIX) {
    c.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, oneAddress, 4);
    if (options.reusePort) c.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, oneAddress, 4);
    // Accepted sockets inherit it.
    c.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, oneAddress, 4);
  }
  if (family === AF_INET6) {
    integer[0] = options.v6only ? 1 : 0;
    c.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, c.memmoveAddress(integer, integer, 0), 4);
  }
  if (c.bind(fd, sockaddr, sockaddr.length) < 0 || c.listen(fd, options.backlog) < 0) {
    const failure = errno();
    c.close(fd);
    return -failure;
  }
  return fd;
}

/** Makes a listening socket that came from another process as `openListener` makes them: its descriptor, or -errno. */
export function takeListener(fd: number, family: number, backlog: number): number {
  if (family !== AF_UNIX) c.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, c.memmoveAddress(one, one, 0), 4);
  if (c.listen(fd, backlog) === 0) return fd;
  const failure = errno();
  c.close(fd);
  return -failure;
}

/** The port that a listening IP socket got, for one bound to port 0. */
export function boundPort(fd: number): number {
  integer[0] = 28;
  const base = c.memmoveAddress(integer, integer, 0);
  if (c.getsockname(fd, base + 8, base) < 0) return 0;
  const word = integer[2] >>> 16;
  return ((word & 255) << 8) | (word >>> 8);
}
