// `balance source`: the client's address decides, by the same arithmetic as HAProxy's map-based hash, so that a client
// keeps its server when Headgate takes HAProxy's place.

import { SERVER_WORDS, V_WEIGHT } from "../memory/server-row.ts";
import { AF_INET, AF_INET6 } from "../sys/constants.ts";
import type { Candidates } from "./candidates.ts";

/** Hash of a sockaddr (as Int32 words, `at` its first): the address's 32-bit words in host order, exclusive-ored. */
export function hashClientAddress(words: Int32Array, at: number): number {
  const family = words[at] & 0xffff;
  if (family === AF_INET) return hostOrder(words[at + 1]);
  if (family === AF_INET6) {
    return (
      (hostOrder(words[at + 2]) ^ hostOrder(words[at + 3]) ^ hostOrder(words[at + 4]) ^ hostOrder(words[at + 5])) >>> 0
    );
  }
  return 0;
}

const hostOrder = (word: number): number =>
  (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;

/** The server that a hash names, full or not; -1 if there is none. */
export function pickSource(table: Int32Array, candidates: Candidates, hash: number): number {
  if (candidates.count === 0) return -1;
  if (candidates.count === 1) return candidates.servers[0];
  candidates.sourceMap ??= buildMap(table, candidates);
  return candidates.sourceMap[hash % candidates.sourceMap.length];
}

/** One entry for each unit of weight (weights divided by their common divisor), dealt out as evenly as they go. */
function buildMap(table: Int32Array, candidates: Candidates): Int32Array {
  const servers = candidates.servers.subarray(0, candidates.count);
  const weights = Array.from(servers, (server) => table[server * SERVER_WORDS + V_WEIGHT]);
  const divisor = weights.reduce(greatestCommonDivisor);
  const units = weights.map((weight) => weight / divisor);
  const total = units.reduce((sum, unit) => sum + unit, 0);
  const scores = new Array<number>(units.length).fill(0);
  const map = new Int32Array(total);
  for (let slot = 0; slot < total; slot++) {
    let best = -1;
    let bestRank = 0;
    for (let i = 0; i < units.length; i++) {
      scores[i] += units[i];
      const rank = Math.floor((scores[i] + total) / total);
      if (best < 0 || rank > bestRank) {
        best = i;
        bestRank = rank;
      }
    }
    map[slot] = servers[best];
    scores[best] -= total;
  }
  return map;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
