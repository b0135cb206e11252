// The servers of a backend that may be given a session, cached by each relay thread until the backend's epoch moves.
// Pure but for reading the server table; no sockets, no clock.

import { SERVERS_MAX } from "../base/limits.ts";
import { P_FIRST_SERVER, P_FLAGS, P_LEADER, PF_ALL_BACKUPS, PF_FENCE, PROXY_WORDS } from "../memory/proxy-row.ts";
import { firstOf, linkOf } from "../memory/server-chain.ts";
import { SERVER_WORDS, V_FLAGS, V_ID, V_LOAD_WEIGHT, V_USABLE, V_WEIGHT, VF_BACKUP } from "../memory/server-row.ts";

/**
 * The usable servers of one backend in order of declaration: the active ones, else the first usable backup (all of them with
 * `option allbackups`). With `option fence` only the leader, or nobody while another server is to follow it.
 */
export interface Candidates {
  /** P_EPOCH when it was made. */
  epoch: number;
  /** Server indexes; the first `count` count. */
  servers: Int32Array;
  count: number;
  totalWeight: number;
  /** Order by id, for `balance first`; same length. */
  byId: Int32Array;
  /** Lookup map of `balance source`, made when first asked for; undefined until then. */
  sourceMap: Int32Array | undefined;
  /** `option fence`. */
  isFenced: boolean;
  /** There are usable servers, but none may be given sessions before the last one of another is closed: sessions wait. */
  waits: boolean;
}

export const noCandidates = (): Candidates => ({
  epoch: -1,
  servers: new Int32Array(8),
  count: 0,
  totalWeight: 0,
  byId: new Int32Array(0),
  sourceMap: undefined,
  isFenced: false,
  waits: false,
});

/** A server counts if it is usable and has a weight. */
export const isEligible = (servers: Int32Array, server: number): boolean =>
  servers[server * SERVER_WORDS + V_USABLE] === 1 && servers[server * SERVER_WORDS + V_WEIGHT] > 0;

/** Fills `candidates` from the chain of the backend's servers. `epoch` is the one that was read before. */
export function collectCandidates(
  servers: Int32Array,
  proxies: Int32Array,
  backend: number,
  epoch: number,
  candidates: Candidates,
): void {
  const proxy = backend * PROXY_WORDS;
  const flags = proxies[proxy + P_FLAGS];
  candidates.count = 0;
  const head = Atomics.load(proxies, proxy + P_FIRST_SERVER);
  collect(servers, head, candidates, 0, SERVERS_MAX);
  if (candidates.count === 0) {
    const most = (flags & PF_ALL_BACKUPS) !== 0 ? SERVERS_MAX : 1;
    collect(servers, head, candidates, VF_BACKUP, most);
  }
  candidates.isFenced = (flags & PF_FENCE) !== 0;
  candidates.waits = false;
  if (candidates.isFenced) keepLeader(candidates, proxies[proxy + P_LEADER]);
  let weight = 0;
  for (let i = 0; i < candidates.count; i++) weight += servers[candidates.servers[i] * SERVER_WORDS + V_LOAD_WEIGHT];
  candidates.totalWeight = weight;
  candidates.byId = candidates.servers
    .slice(0, candidates.count)
    .sort((a, b) => servers[a * SERVER_WORDS + V_ID] - servers[b * SERVER_WORDS + V_ID]);
  candidates.sourceMap = undefined;
  candidates.epoch = epoch;
}

/** Adds the eligible servers that are backups or not, as `kind` (VF_BACKUP or 0) says; `most` of them. */
function collect(servers: Int32Array, head: number, candidates: Candidates, kind: number, most: number): void {
  // The chain is bounded: a writer may be changing it, and then the epoch moves again.
  const link = linkOf(head);
  for (let server = firstOf(head), steps = 0; server >= 0 && steps < SERVERS_MAX; steps++) {
    if ((servers[server * SERVER_WORDS + V_FLAGS] & VF_BACKUP) === kind && isEligible(servers, server)) {
      if (candidates.count === most) return;
      add(candidates, server);
    }
    server = servers[server * SERVER_WORDS + link];
  }
}

function add(candidates: Candidates, server: number): void {
  const { count } = candidates;
  if (count === candidates.servers.length) {
    const larger = new Int32Array(count * 2);
    larger.set(candidates.servers);
    candidates.servers = larger;
  }
  candidates.servers[count] = server;
  candidates.count++;
}

function keepLeader(candidates: Candidates, leader: number): void {
  const isThere = candidates.servers.subarray(0, candidates.count).includes(leader);
  candidates.waits = !isThere && candidates.count > 0;
  candidates.count = isThere ? 1 : 0;
  if (isThere) candidates.servers[0] = leader;
}
