// Socket addresses as bytes (Linux's sockaddr structures) and as text. No I/O.

import ipaddr from "ipaddr.js";

/** Highest port of TCP and UDP. */
export const PORT_MAX = 65_535;

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

/** An IP network: its address and mask as the words of a sockaddr hold them (one word for IPv4, four for IPv6). */
export interface Network {
  readonly isIpv4: boolean;
  readonly words: readonly number[];
  readonly masks: readonly number[];
}

/** "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix do not count. Undefined if it is none of these. */
export function parseNetwork(text: string): Network | undefined {
  const [host, prefix, ...rest] = text.split("/");
  if (rest.length > 0 || !isIpAddress(host) || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return undefined;
  const parsed = ipaddr.parse(host);
  const whole = parsed.toByteArray().length * 8;
  const length = prefix === undefined ? whole : Number(prefix);
  if (length > whole) return undefined;
  // An IPv4 network written in IPv6's way means the clients of the IPv4 network.
  const isMapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && length >= MAPPED_BITS;
  const bytes = isMapped ? parsed.toIPv4Address().toByteArray() : parsed.toByteArray();
  const bits = isMapped ? length - MAPPED_BITS : length;
  const mask = bytes.map((_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - i * 8))) & 0xff);
  return { isIpv4: bytes.length === 4, words: wordsOf(bytes), masks: wordsOf(mask) };
}

const MAPPED_BITS = 96;
/** Bytes 8 to 11 of an IPv4 address in IPv6's form, as a word. */
const MAPPED_WORD = 0xffff0000 | 0;

const wordsOf = (bytes: readonly number[]): number[] => [...new Int32Array(Uint8Array.from(bytes).buffer)];

/** True if the address of the sockaddr that begins at word `at` is in the network. */
export function isInNetwork(network: Network, words: Int32Array, at: number): boolean {
  const family = words[at] & 0xffff;
  if (family === AF_INET) return network.isIpv4 && ((words[at + 1] ^ network.words[0]) & network.masks[0]) === 0;
  if (family !== AF_INET6) return false;
  // A client that came over IPv4 to an IPv6 socket.
  if (words[at + 2] === 0 && words[at + 3] === 0 && words[at + 4] === MAPPED_WORD) {
    return network.isIpv4 && ((words[at + 5] ^ network.words[0]) & network.masks[0]) === 0;
  }
  if (network.isIpv4) return false;
  for (let i = 0; i < 4; i++) if (((words[at + 2 + i] ^ network.words[i]) & network.masks[i]) !== 0) return false;
  return true;
}
