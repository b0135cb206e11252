// Fills the rows of proxies and servers in shared memory, and keeps their chains. The only writer of what relays read, apart
// from their own counts. Control thread.

import { PROXY_COUNTERS, SERVER_COUNTERS } from "../memory/counters.ts";
import {
  BalanceCode,
  P_BALANCE,
  P_DEFAULT_BACKEND,
  P_DRAWS,
  P_EPOCH,
  P_FIRST_SERVER,
  P_FLAGS,
  P_FRONT_MAXCONN,
  P_LEADER,
  P_QUEUE_HEAD,
  P_QUEUE_TAIL,
  P_REDISPATCH,
  P_RETRIES,
  P_TIMEOUT_CLIENT,
  P_TIMEOUT_CLIENT_FIN,
  P_TIMEOUT_CONNECT,
  P_TIMEOUT_QUEUE,
  P_TIMEOUT_SERVER,
  P_TIMEOUT_SERVER_FIN,
  P_TIMEOUT_TUNNEL,
  PF_ALL_BACKUPS,
  PF_BACKEND,
  PF_CLIENT_KEEPALIVE,
  PF_DONTLOGNULL,
  PF_FENCE,
  PF_FRONTEND,
  PF_RECORD,
  PF_RECORD_ACCEPT,
  PF_RECORD_ADDRESSES,
  PF_SERVER_KEEPALIVE,
  PF_SPLICE,
  PROXY_WORDS,
} from "../memory/proxy-row.ts";
import { chainHead, EMPTY_CHAIN, firstOf, linkOf, relinkChain } from "../memory/server-chain.ts";
import {
  AdminState,
  LOAD_WEIGHT_SCALE,
  SERVER_WORDS,
  V_ADDR,
  V_ADDR_PLACE_BYTES,
  V_ADDR_PLACES,
  V_ADMIN,
  V_AGE_JITTER,
  V_BACKEND,
  V_CUT_GENERATION,
  V_ERROR_LIMIT,
  V_FLAGS,
  V_ID,
  V_IN_USE,
  V_INITIAL_WEIGHT,
  V_LIMIT,
  V_LOAD_WEIGHT,
  V_MAX_AGE,
  V_MAX_IDLE,
  V_MAXCONN,
  V_NEXT,
  V_NEXT_OTHER,
  V_OPER,
  V_PORT_OFFSET,
  V_QUEUE_HEAD,
  V_QUEUE_TAIL,
  V_USABLE,
  V_WEIGHT,
  VF_BACKUP,
  VF_CLIENT_PORT,
  VF_ID_FORCED,
  VF_LEAVING,
} from "../memory/server-row.ts";
import { proxyCounters, type SharedMemory, serverCounters, slotsUsed } from "../memory/shared-memory.ts";
import { isUsableState } from "./health/state-machine.ts";
import { hasLineAtEnd, namesAddresses } from "./log/line-needs.ts";
import type { ProxyEntry, ServerEntry } from "./registry.ts";

/** Writes a new proxy's row, which must be free; `maxconn` is the frontend's limit in force, `defaultBackend` a proxy row or -1. */
export function writeProxyRow(memory: SharedMemory, proxy: ProxyEntry, maxconn: number, defaultBackend: number): void {
  const table = memory.proxiesI32;
  const row = proxy.index * PROXY_WORDS;
  const epoch = table[row + P_EPOCH];
  table.fill(0, row, row + PROXY_WORDS);
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
    const own = proxyCounters(memory, thread, proxy.index);
    memory.countersF64.fill(0, own, own + PROXY_COUNTERS);
  }
  table[row + P_QUEUE_HEAD] = -1;
  table[row + P_QUEUE_TAIL] = -1;
  table[row + P_FIRST_SERVER] = EMPTY_CHAIN;
  table[row + P_LEADER] = -1;
  // Epochs go on over the uses of a row, so that no relay takes what it knows of the old backend for the new one's.
  Atomics.store(table, row + P_EPOCH, epoch + 1);
  writeProxySettings(memory, proxy, maxconn, defaultBackend);
}

/** Writes what a proxy's configuration says, word by word: relays may be at work on the row. */
export function writeProxySettings(
  memory: SharedMemory,
  proxy: ProxyEntry,
  maxconn: number,
  defaultBackend: number,
): void {
  const table = memory.proxiesI32;
  const row = proxy.index * PROXY_WORDS;
  const { config } = proxy;
  const flag = (condition: boolean, bit: number): number => (condition ? bit : 0);
  table[row + P_FLAGS] =
    flag(proxy.isFrontend, PF_FRONTEND) |
    flag(proxy.isBackend, PF_BACKEND) |
    flag(hasLineAtEnd(config) && config.logs.length > 0, PF_RECORD) |
    flag(!hasLineAtEnd(config) && config.logs.length > 0, PF_RECORD_ACCEPT) |
    flag(namesAddresses(config) && config.logs.length > 0, PF_RECORD_ADDRESSES) |
    flag(config.dontlognull, PF_DONTLOGNULL) |
    flag(config.splice, PF_SPLICE) |
    flag(config.clientTcpKeepalive, PF_CLIENT_KEEPALIVE) |
    flag(config.serverTcpKeepalive, PF_SERVER_KEEPALIVE) |
    flag(config.fence === true, PF_FENCE) |
    flag(config.allBackups === true, PF_ALL_BACKUPS);
  table[row + P_FRONT_MAXCONN] = maxconn;
  table[row + P_BALANCE] = BalanceCode[config.balance.algorithm];
  table[row + P_DRAWS] = config.balance.draws;
  table[row + P_RETRIES] = config.retries;
  table[row + P_REDISPATCH] = config.redispatchInterval ?? 0;
  table[row + P_TIMEOUT_CLIENT] = config.timeouts.clientMs ?? 0;
  table[row + P_TIMEOUT_SERVER] = config.timeouts.serverMs ?? 0;
  table[row + P_TIMEOUT_CONNECT] = config.timeouts.connectMs ?? 0;
  table[row + P_TIMEOUT_QUEUE] = config.timeouts.queueMs ?? 0;
  table[row + P_TIMEOUT_TUNNEL] = config.timeouts.tunnelMs ?? 0;
  table[row + P_TIMEOUT_CLIENT_FIN] = config.timeouts.clientFinMs ?? 0;
  table[row + P_TIMEOUT_SERVER_FIN] = config.timeouts.serverFinMs ?? 0;
  table[row + P_DEFAULT_BACKEND] = defaultBackend;
}

/** Writes a server's row and puts it at the end of its backend's chain. The row must be free; the entry is its backend's last. */
export function writeServerRow(
  memory: SharedMemory,
  server: ServerEntry,
  sockaddr: Uint8Array,
  admin: number,
  oper: number,
  extraFlags: number,
): void {
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  const generation = table[row + V_CUT_GENERATION];
  table.fill(0, row, row + SERVER_WORDS);
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
    const own = serverCounters(memory, thread, server.index);
    memory.countersF64.fill(0, own, own + SERVER_COUNTERS);
  }
  const { config } = server;
  table[row + V_BACKEND] = server.backend.index;
  writeServerSettings(memory, server, extraFlags);
  table[row + V_WEIGHT] = config.weight;
  table[row + V_MAXCONN] = config.maxconn;
  writeLoad(memory, server.index, config.weight * LOAD_WEIGHT_SCALE, config.maxconn);
  table[row + V_PORT_OFFSET] = server.mapsPort && config.endpoint.kind === "inet" ? config.endpoint.port : 0;
  table[row + V_QUEUE_HEAD] = -1;
  table[row + V_QUEUE_TAIL] = -1;
  // Generations go on over the uses of a row, so that no old session can match a new server.
  table[row + V_CUT_GENERATION] = generation + 1;
  writeAddress(memory, server.index, sockaddr);
  writeServerState(memory, server.index, admin, oper);
  table[row + V_NEXT] = -1;
  table[row + V_NEXT_OTHER] = -1;
  table[row + V_IN_USE] = 1;
  appendToChain(table, memory.proxiesI32, server);
  bumpEpoch(memory, server.backend.index);
}

/** Writes what a server's configuration says and no operator can change. `flags`: VF_DYNAMIC and VF_LEAVING, or 0. */
export function writeServerSettings(memory: SharedMemory, server: ServerEntry, flags: number): void {
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  const { config } = server;
  table[row + V_ID] = server.id;
  table[row + V_INITIAL_WEIGHT] = config.weight;
  table[row + V_ERROR_LIMIT] = config.policy.observe?.errorLimit ?? 0;
  writeSessionLimits(memory, server);
  Atomics.store(
    table,
    row + V_FLAGS,
    (config.backup ? VF_BACKUP : 0) |
      (server.mapsPort ? VF_CLIENT_PORT : 0) |
      (config.idForced ? VF_ID_FORCED : 0) |
      flags,
  );
}

/** Writes how long the server's sessions may live. Relays look at those that are there with the next generation. */
function writeSessionLimits(memory: SharedMemory, { index, config }: ServerEntry): void {
  const row = index * SERVER_WORDS;
  const { maxAge, maxIdleMs } = config.policy.sessions ?? {};
  memory.serversI32[row + V_MAX_AGE] = maxAge?.ms ?? 0;
  memory.serversI32[row + V_AGE_JITTER] = maxAge?.jitterPercent ?? 0;
  memory.serversI32[row + V_MAX_IDLE] = maxIdleMs ?? 0;
}

/** Writes AdminState bits and OperState, and what follows from them for load balancing. */
export function writeServerState(memory: SharedMemory, server: number, admin: number, oper: number): void {
  const table = memory.serversI32;
  const row = server * SERVER_WORDS;
  table[row + V_ADMIN] = admin;
  table[row + V_OPER] = oper;
  const isLeaving = (table[row + V_FLAGS] & VF_LEAVING) !== 0;
  Atomics.store(table, row + V_USABLE, isUsableState(admin, oper) && !isLeaving ? 1 : 0);
}

/** Writes what load balancing and queues go by; see V_LOAD_WEIGHT and V_LIMIT. The caller tells the relays. */
export function writeLoad(memory: SharedMemory, server: number, loadWeight: number, limit: number): void {
  const row = server * SERVER_WORDS;
  Atomics.store(memory.serversI32, row + V_LOAD_WEIGHT, loadWeight);
  Atomics.store(memory.serversI32, row + V_LIMIT, limit);
}

/** The new address goes to the idle place, then one store puts it in force: no relay sees half of it. */
export function writeAddress(memory: SharedMemory, server: number, sockaddr: Uint8Array): void {
  const table = memory.serversI32;
  const row = server * SERVER_WORDS;
  const inForce = table[row + V_ADDR] & 0xffff;
  const place = inForce === V_ADDR_PLACES[0] ? V_ADDR_PLACES[1] : V_ADDR_PLACES[0];
  const bytes = new Uint8Array(table.buffer, table.byteOffset + (row + place) * 4, V_ADDR_PLACE_BYTES);
  bytes.fill(0);
  bytes.set(sockaddr);
  Atomics.store(table, row + V_ADDR, place | (sockaddr.length << 16));
}

/** Tells relays to look at the backend's servers anew. */
export function bumpEpoch(memory: SharedMemory, backend: number): void {
  Atomics.add(memory.proxiesI32, backend * PROXY_WORDS + P_EPOCH, 1);
}

function appendToChain(servers: Int32Array, proxies: Int32Array, server: ServerEntry): void {
  const word = server.backend.index * PROXY_WORDS + P_FIRST_SERVER;
  const link = linkOf(proxies[word]);
  // The chain and the registry's list have one order.
  const last = server.backend.servers.at(-2);
  if (last === undefined) Atomics.store(proxies, word, chainHead(server.index, false));
  else Atomics.store(servers, last.index * SERVER_WORDS + link, server.index);
}

/** Puts the chain in the order of the registry's list. Everything in it must be in the chain, or have a row that is written. */
export function relink(memory: SharedMemory, backend: ProxyEntry): void {
  relinkChain(
    memory.serversI32,
    memory.proxiesI32,
    backend.index,
    backend.servers.map(({ index }) => index),
  );
  bumpEpoch(memory, backend.index);
}

/** Takes a server out of its backend's chain. Its own link stays, for a relay that is walking over it right now. */
export function removeFromChain(memory: SharedMemory, server: ServerEntry): void {
  const servers = memory.serversI32;
  const proxies = memory.proxiesI32;
  const word = server.backend.index * PROXY_WORDS + P_FIRST_SERVER;
  const head = proxies[word];
  const link = linkOf(head);
  const next = servers[server.index * SERVER_WORDS + link];
  let previous = -1;
  for (let at = firstOf(head); at >= 0 && at !== server.index; at = servers[at * SERVER_WORDS + link]) previous = at;
  if (previous < 0) Atomics.store(proxies, word, chainHead(next, link === V_NEXT_OTHER));
  else Atomics.store(servers, previous * SERVER_WORDS + link, next);
  servers[server.index * SERVER_WORDS + V_IN_USE] = 0;
  bumpEpoch(memory, server.backend.index);
}

/** Admin bits of a server as configured: `disabled` counts as asked for by the file and in force. */
export const configuredAdmin = (disabled: boolean): number =>
  disabled ? AdminState.FORCED_MAINT | AdminState.CONFIG_MAINT : 0;
