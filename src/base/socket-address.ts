// Socket addresses as the kernel lays them out (sockaddr_in, sockaddr_in6, sockaddr_un), from and to text. Pure; any thread.
// Both architectures that run this are little-endian; ports and IP addresses inside are in network byte order.

import { isIPv4, isIPv6 } from "node:net";

const FAMILY_UNIX = 1;
const FAMILY_INET = 2;
const FAMILY_INET6 = 10;

/** sockaddr_in (16 bytes) or sockaddr_in6 (28 bytes) of an IP literal; undefined if `host` is none. */
export function ipSocketAddress(host: string, port: number): Uint8Array | undefined {
  if (isIPv4(host)) {
    const bytes = new Uint8Array(16);
    bytes[0] = FAMILY_INET;
    bytes[2] = port >>> 8;
    bytes[3] = port & 255;
    bytes.set(host.split(".").map(Number), 4);
    return bytes;
  }
  if (!isIPv6(host)) return undefined;
  const bytes = new Uint8Array(28);
  bytes[0] = FAMILY_INET6;
  bytes[2] = port >>> 8;
  bytes[3] = port & 255;
  const groups = ipv6Groups(host.split("%")[0]);
  for (let i = 0; i < 8; i++) {
    bytes[8 + i * 2] = groups[i] >>> 8;
    bytes[9 + i * 2] = groups[i] & 255;
  }
  return bytes;
}

/** sockaddr_un of a path, its final zero included; undefined if the path is longer than the kernel's 107 bytes. */
export function unixSocketAddress(path: string): Uint8Array | undefined {
  const name = new TextEncoder().encode(path);
  if (name.length > 107) return undefined;
  const bytes = new Uint8Array(3 + name.length);
  bytes[0] = FAMILY_UNIX;
  bytes.set(name, 2);
  return bytes;
}

function ipv6Groups(text: string): number[] {
  const dotted = text.lastIndexOf(":") + 1;
  let written = text;
  if (text.includes(".")) {
    const [a, b, c, d] = text.slice(dotted).split(".").map(Number);
    written = `${text.slice(0, dotted)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head, tail] = written.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const middle = new Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...middle, ...after].map((group) => Number.parseInt(group, 16));
}

/** The family in the sockaddr that starts at `words[offset]`. */
export const familyAt = (words: Int32Array, offset: number): number => words[offset] & 0xffff;

/** The port of the IP sockaddr at `words[offset]`. */
export function portAt(words: Int32Array, offset: number): number {
  const port = words[offset] >>> 16;
  return ((port & 255) << 8) | (port >>> 8);
}

/** The host of the IP sockaddr at `words[offset]` as text; undefined for any other family. */
export function hostAt(words: Int32Array, offset: number): string | undefined {
  const family = words[offset] & 0xffff;
  if (family === FAMILY_INET) return ipv4Text(words[offset + 1]);
  if (family === FAMILY_INET6) return ipv6Text(words, offset + 2);
  return undefined;
}

const ipv4Text = (word: number): string =>
  `${word & 255}.${(word >>> 8) & 255}.${(word >>> 16) & 255}.${(word >>> 24) & 255}`;

/** As inet_ntop writes it: the first longest run of zero groups shortened, IPv4-mapped addresses with their dotted part. */
function ipv6Text(words: Int32Array, offset: number): string {
  if (words[offset] === 0 && words[offset + 1] === 0 && words[offset + 2] === (0xffff0000 | 0)) {
    return `::ffff:${ipv4Text(words[offset + 3])}`;
  }
  const groups: number[] = [];
  for (let i = 0; i < 4; i++) {
    const word = words[offset + i];
    groups.push(((word & 255) << 8) | ((word >>> 8) & 255), (((word >>> 16) & 255) << 8) | (word >>> 24));
  }
  let runStart = -1;
  let runLength = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > runLength) {
      runStart = i;
      runLength = n;
    }
    i += n;
  }
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return runStart < 0 ? hex(0, 8) : `${hex(0, runStart)}::${hex(runStart + runLength, 8)}`;
}
