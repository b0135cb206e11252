// The chain of a backend's servers in order of declaration. Its rows have two links: while one is walked, a new order is written to the
// other, and one store of the head puts it in force. So no relay ever sees half of a new order.

import { P_FIRST_SERVER, PROXY_WORDS } from "./proxy-row.ts";
import { SERVER_WORDS, V_NEXT, V_NEXT_OTHER } from "./server-row.ts";

/** The head of a chain without servers. */
export const EMPTY_CHAIN = -1;

/** What P_FIRST_SERVER holds: a server's row, and which of the two links leads on from there. */
export const chainHead = (server: number, isOther: boolean): number =>
  server < 0 ? EMPTY_CHAIN : server * 2 + (isOther ? 1 : 0);

/** The first server of a chain, -1 if it has none. */
export const firstOf = (head: number): number => head >> 1;

/** The word of a server's row that leads on in a chain with this head. */
export const linkOf = (head: number): number => ((head & 1) === 0 ? V_NEXT : V_NEXT_OTHER);

/** Writes the servers' order to the idle link and puts it in force. Control thread; relays that walk the old one come to its end. */
export function relinkChain(servers: Int32Array, proxies: Int32Array, backend: number, order: readonly number[]): void {
  const word = backend * PROXY_WORDS + P_FIRST_SERVER;
  const head = Atomics.load(proxies, word);
  const isOther = head === EMPTY_CHAIN || (head & 1) === 0;
  const link = isOther ? V_NEXT_OTHER : V_NEXT;
  order.forEach((server, i) => {
    Atomics.store(servers, server * SERVER_WORDS + link, order[i + 1] ?? -1);
  });
  Atomics.store(proxies, word, chainHead(order[0] ?? -1, isOther));
}
