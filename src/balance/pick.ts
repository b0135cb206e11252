// Chooses a server by a backend's algorithm. The caller holds the backend's lock.

import { BalanceCode, P_BALANCE, P_DRAWS } from "../memory/proxy-row.ts";
import type { Candidates } from "./candidates.ts";
import { pickFirst } from "./first.ts";
import { pickLeastConn } from "./leastconn.ts";
import { nextRandom, pickRandom } from "./random.ts";
import { pickRoundRobin } from "./roundrobin.ts";
import { hashClientAddress, pickSource } from "./source.ts";

/** A relay thread's own state of balancing: whose turn it is among equals, and its random numbers. */
export interface BalanceState {
  turn: number;
  random: number;
}

/**
 * @param proxyRow first word of the backend's row in `proxies`
 * @param addressAt first word of the client's sockaddr in `sessions`
 * @param avoid server that just failed, -1 if none
 * @returns the server's index; -1 if none has room. `source` names its server even when it is full.
 */
export function pickServer(
  servers: Int32Array,
  proxies: Int32Array,
  proxyRow: number,
  candidates: Candidates,
  sessions: Int32Array,
  addressAt: number,
  avoid: number,
  state: BalanceState,
): number {
  switch (proxies[proxyRow + P_BALANCE]) {
    case BalanceCode.leastconn:
      state.turn = (state.turn + 1) & 0x3fffffff;
      return pickLeastConn(servers, candidates, avoid, state.turn);
    case BalanceCode.source:
      return pickSource(servers, candidates, hashClientAddress(sessions, addressAt));
    case BalanceCode.first:
      return pickFirst(servers, candidates, avoid);
    case BalanceCode.random:
      state.random = nextRandom(state.random);
      return pickRandom(servers, candidates, avoid, proxies[proxyRow + P_DRAWS], state.random);
    default:
      return pickRoundRobin(servers, candidates, avoid);
  }
}
