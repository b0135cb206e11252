// Socket addresses as bytes (Linux's sockaddr structures) and as text. No I/O.

import ipaddr from "ipaddr.js";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;

/** sockaddr_in or sockaddr_in6 of an IP address in text. Throws RangeError if it is none. */
export function ipSockaddr(host: string, port: number): Uint8Array {
  const address = ipaddr.parse(host.replace(/^\[|\]$/g, ""));
  const bytes = new Uint8Array(address.kind() === "ipv4" ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, address.kind() === "ipv4" ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  bytes.set(address.toByteArray(), address.kind() === "ipv4" ? 4 : 8);
  return bytes;
}

/** True if `text` is an IPv4 address in four parts or an IPv6 address. */
export const isIpAddress = (text: string): boolean =>
  ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);

/** An IP address as it is shown everywhere: IPv6 shortened as RFC 5952 has it. Undefined for what is none. */
export function canonicalAddress(text: string): string | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return text;
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? `::ffff:${address.toIPv4Address()}` : address.toRFC5952String();
}

/** sockaddr_un of a path, or of an abstract name. Throws RangeError if it is too long (107 bytes). */
export function unixSockaddr(path: string, isAbstract: boolean): Uint8Array {
  const name = Buffer.from(path);
  if (name.length > 107) throw new RangeError(`the path of a unix socket takes at most 107 bytes: ${path}`);
  // An abstract name starts with a NUL and is not terminated; HAProxy pads it to the full structure.
  const bytes = new Uint8Array(isAbstract ? 110 : 2 + name.length + 1);
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, isAbstract ? 3 : 2);
  return bytes;
}

/** "127.0.0.1:80", "::1:80" (as HAProxy prints it), or undefined for a family without ports. `at` is the first Int32 word. */
export function formatSockaddr(words: Int32Array, at: number): string | undefined {
  const host = formatHost(words, at);
  return host === undefined ? undefined : `${host}:${sockaddrPort(words, at)}`;
}

/** The IP address of a sockaddr in text, or undefined for a family without one. */
export function formatHost(words: Int32Array, at: number): string | undefined {
  const family = words[at] & 0xffff;
  if (family === AF_INET) {
    const word = words[at + 1];
    return `${word & 255}.${(word >>> 8) & 255}.${(word >>> 16) & 255}.${word >>> 24}`;
  }
  if (family !== AF_INET6) return undefined;
  const parts: number[] = [];
  for (let i = 2; i < 6; i++) {
    const word = words[at + i];
    parts.push(((word & 255) << 8) | ((word >>> 8) & 255), (((word >>> 16) & 255) << 8) | (word >>> 24));
  }
  const address = new ipaddr.IPv6(parts);
  // Dotted as inet_ntop writes it: clients of an IPv6 socket that came over IPv4.
  if (address.isIPv4MappedAddress()) return `::ffff:${address.toIPv4Address()}`;
  return address.toRFC5952String();
}

/** The port of an IP sockaddr. */
export function sockaddrPort(words: Int32Array, at: number): number {
  const word = words[at] >>> 16;
  return ((word & 255) << 8) | (word >>> 8);
}
