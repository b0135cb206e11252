// What the kernel says of one socket: its own address. Control thread; a question that takes no lock of the session and changes
// nothing, so that it can be asked of a descriptor that a relay thread owns.

import { c, errno } from "./libc.ts";

const LENGTH_WORD = 0;
const ADDRESS_WORD = 1;
/** A sockaddr_in6, the longest that is of interest. */
const ADDRESS_BYTES = 28;

const words = new Int32Array(new SharedArrayBuffer(4 + ADDRESS_BYTES));

/**
 * The sockaddr of a socket's own end, in words that the next call overwrites; -errno if it is none. Of a unix socket
 * only the family counts.
 */
export function socketName(fd: number): Int32Array | number {
  const base = c.memmoveAddress(words, words, 0);
  words[LENGTH_WORD] = ADDRESS_BYTES;
  if (c.getsockname(fd, base + ADDRESS_WORD * 4, base) < 0) return -errno();
  return words.subarray(ADDRESS_WORD);
}
