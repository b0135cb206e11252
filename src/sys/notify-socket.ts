// The socket that a service manager listens on (NOTIFY_SOCKET): a unix datagram socket, which Node has none of. Control thread.

import { AF_UNIX, CLOCK_MONOTONIC, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM } from "./constants.ts";
import { c, errno } from "./libc.ts";

const addressOf = (view: ArrayBufferView): number => c.memmoveAddress(view, view, 0);
const shared = (bytes: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(bytes));

/**
 * A socket connected to `name`, a path or "@" and an abstract name: it reaches it whatever becomes of the root
 * directory. -errno if not.
 */
export function connectNotify(name: string): number {
  const text = Buffer.from(name);
  if (text.length > 107) return -36; // ENAMETOOLONG
  const sockaddr = shared(110);
  new DataView(sockaddr.buffer).setUint16(0, AF_UNIX, true);
  sockaddr.set(text, 2);
  const isAbstract = name.startsWith("@");
  if (isAbstract) sockaddr[2] = 0;
  const fd = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno();
  // An abstract name has no end but its length.
  if (c.connect(fd, addressOf(sockaddr), 2 + text.length + (isAbstract ? 0 : 1)) === 0) return fd;
  const failure = errno();
  c.close(fd);
  return -failure;
}

/** Sends one datagram without waiting. 0, or -errno. */
export function sendNotify(fd: number, text: string): number {
  const bytes = Buffer.from(text);
  const copy = shared(bytes.length);
  copy.set(bytes);
  return c.send(fd, addressOf(copy), bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno() : 0;
}

/** Microseconds of the monotonic clock, as systemd reads it. */
export function monotonicMicroseconds(): bigint {
  const time = new BigInt64Array(new SharedArrayBuffer(16));
  c.clockGettime(CLOCK_MONOTONIC, addressOf(time));
  return (time[0] ?? 0n) * 1_000_000n + (time[1] ?? 0n) / 1000n;
}
