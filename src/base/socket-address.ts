// Addresses that may be none: the forms of `address.ts` that answer undefined in place of throwing. Pure; any thread.

import { formatHost, ipSockaddr, isIpAddress } from "./address.ts";

/** The sockaddr of an IP address in text; undefined if `host` is none. */
export const ipSocketAddress = (host: string, port: number): Uint8Array | undefined =>
  isIpAddress(host) ? ipSockaddr(host, port) : undefined;

/** The host of the sockaddr whose first Int32 word is `at`; undefined for a family without one. */
export const hostAt = (words: Int32Array, at: number): string | undefined => formatHost(words, at);
