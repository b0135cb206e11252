// Addresses and ports for tests. Each test process owns loopback addresses of its own (127.x.y.n, from its process id), and holds
// every port that it was given: by a socket that is bound and does not listen, so that connections to it are refused until
// somebody listens there, and the kernel gives it to nobody else, in this process or another.

import { ipSockaddr } from "../../src/base/address.ts";
import { AF_INET, AF_INET6, SO_REUSEADDR, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "../../src/sys/constants.ts";
import { c, errno, errorText } from "../../src/sys/libc.ts";
import { boundPort } from "../../src/sys/listen.ts";

const high = 1 + ((process.pid >> 8) % 254);
const low = process.pid & 0xff;

/** The `n`th loopback address of this test process, n in 1..254. */
export function loopbackAddress(n: number): string {
  return `127.${high}.${low}.${n}`;
}

/** Frontends listen here unless a test says otherwise. */
export const FRONTEND_ADDRESS = loopbackAddress(1);
/** Upstream servers listen here unless a test says otherwise. */
export const UPSTREAM_ADDRESS = loopbackAddress(2);

const one = new Int32Array(new SharedArrayBuffer(4)).fill(1);

/**
 * A TCP port of `address` that is this process's until it ends. Nothing listens there: a connection is refused. Whoever binds it by
 * its number with SO_REUSEADDR (as every server does) can listen, and when it stops the port refuses again. A port that the kernel
 * chooses for somebody, with or without that option, is another one. Throws where the address is not this machine's.
 */
export function freePort(address: string = FRONTEND_ADDRESS): number {
  const sockaddr = ipSockaddr(address, 0);
  const fd = c.socket(sockaddr.length === 16 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`no socket: ${errorText(errno())}`);
  c.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, c.memmoveAddress(one, one, 0), 4);
  if (c.bind(fd, sockaddr, sockaddr.length) < 0) throw new Error(`no free port on ${address}: ${errorText(errno())}`);
  return boundPort(fd);
}
