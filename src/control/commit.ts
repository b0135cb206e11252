// The one door for changes: validates, writes the desired state into shared memory, orders the relay threads, waits for
// all of them, checks, and answers with a receipt. Changes are carried out one after the other. Control thread.

import { ipSockaddr, isIpAddress } from "../base/address.ts";
import { SERVERS_MAX } from "../base/limits.ts";
import type { ServerConfig } from "../config/model.ts";
import { W_CONNECTIONS_MAX } from "../memory/control-words.ts";
import { CT_ROWS_USED } from "../memory/counters.ts";
import { P_BACK_SESSIONS_MAX, P_FRONT_SESSIONS_MAX, P_QUEUE_MAX, PROXY_WORDS } from "../memory/proxy-row.ts";
import {
  ADMIN_DRAIN,
  ADMIN_MAINT,
  AdminState,
  SERVER_WORDS,
  V_ADMIN,
  V_ATTACHED,
  V_CUT_GENERATION,
  V_IN_USE,
  V_MAXCONN,
  V_QUEUE_LENGTH,
  V_QUEUE_MAX,
  V_SERVED,
  V_SERVED_MAX,
  V_WEIGHT,
  VF_DYNAMIC,
} from "../memory/server-row.ts";
import {
  generationOfSessionId,
  rowOfSessionId,
  S_CUT_GENERATION,
  S_GENERATION,
  S_SERVER,
  S_STATE,
  SESSION_WORDS,
  SessionState,
} from "../memory/session-row.ts";
import { type SharedMemory, threadCounters } from "../memory/shared-memory.ts";
import { resolveServerAddress } from "./addresses.ts";
import type { Change, Receipt, RefusalCode, ResolvedAddress } from "./change.ts";
import { pauseFrontend, resumeFrontend, setFrontendMaxconn, setProcessMaxconn, shutdownFrontend } from "./frontends.ts";
import type { ProxyEntry, Registry, ServerEntry } from "./registry.ts";
import { bumpEpoch, removeFromChain, writeAddress, writeAdminState, writeServerRow } from "./tables.ts";
import type { OrderSink } from "./workers.ts";

/** The registry as its one writer sees it. */
export interface MutableRegistry extends Registry {
  readonly serversByIndex: (ServerEntry | undefined)[];
}

/** What `commit` tells the rest of the control thread, for the log. */
export interface CommitEvents {
  onServerState(server: ServerEntry, before: number, after: number, requeued: number): void;
  onFrontendStopped(proxy: ProxyEntry, frontConnections: number, backSessions: number): void;
  onFrontendPaused(proxy: ProxyEntry): void;
  onFrontendResumed(proxy: ProxyEntry): void;
  /** Something ended or moved: whoever waits may look again. */
  onProgress(): void;
}

export interface CommitContext {
  readonly memory: SharedMemory;
  readonly registry: MutableRegistry;
  readonly orders: OrderSink;
  readonly events: CommitEvents;
  readonly listeners: ListenerActions;
}

/** What is done to a frontend's listening sockets once no relay looks at them. */
export interface ListenerActions {
  close(proxy: ProxyEntry): void;
  pause(proxy: ProxyEntry): void;
  /** False if the system refuses, because another program has the port by now. */
  resume(proxy: ProxyEntry): boolean;
}

export const refuse = (code: RefusalCode, detail = ""): Receipt => ({ done: false, code, detail });
export const done = (matched = 0, ended = 0): Receipt => ({ done: true, matched, ended, survivors: 0 });

/** A cut is repeated until nothing is left; in practice once. */
const CUT_ROUNDS_MAX = 100;

/** The door itself: changes given to it are carried out in the order given, each after the one before has its receipt. */
export function createCommit(context: CommitContext): (change: Change) => Promise<Receipt> {
  let last: Promise<unknown> = Promise.resolve();
  return (change) => {
    const next = last.then(() => carryOut(context, change));
    last = next.catch(() => undefined);
    return next.finally(() => context.events.onProgress());
  };
}

async function carryOut(context: CommitContext, change: Change): Promise<Receipt> {
  if ("server" in change && change.kind !== "add-server") {
    const { server } = change;
    // It may have been deleted while the change waited for its turn.
    if (!server.backend.servers.includes(server)) return refuse("no-such-server");
  }
  switch (change.kind) {
    case "set-admin":
      return setAdmin(context, change.server, change.set, change.clear);
    case "set-weight":
      return setWord(context, change.server, V_WEIGHT, change.weight);
    case "set-maxconn":
      return setWord(context, change.server, V_MAXCONN, change.maxconn);
    case "set-address":
      return setAddress(context, change.server, change.host, change.port);
    case "add-server":
      return addServer(context, change);
    case "delete-server":
      return deleteServer(context, change.server);
    case "cut-server":
      return cutServer(context, change.server);
    case "cut-session":
      return cutSession(context, change.id);
    case "shutdown-frontend":
      return shutdownFrontend(context, change.proxy);
    case "pause-frontend":
      return pauseFrontend(context, change.proxy);
    case "resume-frontend":
      return resumeFrontend(context, change.proxy);
    case "set-frontend-maxconn":
      return setFrontendMaxconn(context, change.proxy, change.maxconn);
    case "set-process-maxconn":
      return setProcessMaxconn(context, change.maxconn);
    case "clear-counters":
      return clearCounters(context, change.all);
  }
}

async function setAdmin(context: CommitContext, server: ServerEntry, set: number, clear: number): Promise<Receipt> {
  const { memory, orders } = context;
  const row = server.index * SERVER_WORDS;
  const before = memory.serversI32[row + V_ADMIN];
  const after = (before & ~clear) | set;
  if (after === before) return done();
  const backend = server.backend.index;
  const queued = memory.serversI32[row + V_QUEUE_LENGTH];
  writeAdminState(memory, server.index, after);
  noteServerTimes(server, before, after);
  bumpEpoch(memory, backend);
  await orders.order({ kind: "server-changed", server: server.index, backend });
  // Twice: the first round ends all granting, the second makes sure that what was granted before it has been taken, so that
  // afterwards nothing of the server is under way between threads.
  await orders.order({ kind: "server-changed", server: server.index, backend });
  noteBackendTimes(context, server.backend);
  context.events.onServerState(server, before, after, queued);
  return done();
}

function noteServerTimes(server: ServerEntry, before: number, after: number): void {
  const now = Date.now();
  const wasDown = (before & ADMIN_MAINT) !== 0;
  const isDown = (after & ADMIN_MAINT) !== 0;
  if (wasDown !== isDown || ((before ^ after) & ADMIN_DRAIN) !== 0) server.lastChangeMs = now;
  if (wasDown === isDown) return;
  if (isDown) server.downSinceMs = now;
  else if (server.downSinceMs !== undefined) {
    server.downMs += now - server.downSinceMs;
    server.downSinceMs = undefined;
  }
}

function noteBackendTimes(context: CommitContext, backend: ProxyEntry): void {
  const table = context.memory.serversI32;
  const isUp = backend.servers.some((server) => (table[server.index * SERVER_WORDS + V_ADMIN] & ADMIN_MAINT) === 0);
  const now = Date.now();
  if (isUp && backend.downSinceMs !== undefined) {
    backend.downMs += now - backend.downSinceMs;
    backend.downSinceMs = undefined;
    backend.lastChangeMs = now;
  } else if (!isUp && backend.downSinceMs === undefined) {
    backend.downSinceMs = now;
    backend.lastChangeMs = now;
  }
}

async function setWord(context: CommitContext, server: ServerEntry, word: number, value: number): Promise<Receipt> {
  const backend = server.backend.index;
  Atomics.store(context.memory.serversI32, server.index * SERVER_WORDS + word, value);
  bumpEpoch(context.memory, backend);
  await context.orders.order({ kind: "server-changed", server: server.index, backend });
  return done();
}

async function setAddress(context: CommitContext, server: ServerEntry, host: string, port: number): Promise<Receipt> {
  if (!isIpAddress(host)) return refuse("bad-address", host);
  writeAddress(context.memory, server.index, ipSockaddr(host, port));
  server.host = host;
  server.port = port;
  // Waiting for all threads makes sure that none still reads the place that the next change will write to.
  await context.orders.order({ kind: "server-changed", server: server.index, backend: server.backend.index });
  return done();
}

async function addServer(context: CommitContext, change: Extract<Change, { kind: "add-server" }>): Promise<Receipt> {
  const { memory, registry } = context;
  const { backend, server: config } = change;
  if (backend.servers.some((other) => other.name === config.name)) return refuse("duplicate-name", config.name);
  const sameId = backend.servers.find((other) => other.id === config.id);
  if (sameId !== undefined) return refuse("duplicate-id", sameId.name);
  const index = freeServerRow(memory);
  if (index < 0) return refuse("server-table-full", String(SERVERS_MAX));
  let address: ResolvedAddress;
  try {
    address = await resolveServerAddress(config.endpoint);
  } catch (error) {
    return refuse("bad-address", (error as Error).message);
  }
  const server = newServerEntry(index, backend, config, address, true);
  registry.serversByIndex[index] = server;
  backend.servers.push(server);
  writeServerRow(memory, server, address, AdminState.FORCED_MAINT, VF_DYNAMIC);
  await context.orders.order({ kind: "server-changed", server: index, backend: backend.index });
  return { done: true, matched: 0, ended: 0, survivors: 0, server };
}

/** A server as the registry keeps it; `isDown`: it starts in maintenance. */
export function newServerEntry(
  index: number,
  backend: ProxyEntry,
  config: ServerConfig,
  address: ResolvedAddress,
  isDown: boolean,
): ServerEntry {
  const now = Date.now();
  const { endpoint } = config;
  const mapsPort = config.portKind === "client";
  return {
    index,
    name: config.name,
    id: config.id,
    backend,
    config,
    host: address.host,
    port: mapsPort ? 0 : address.port,
    mapsPort,
    fqdn: endpoint.kind === "inet" && !isIpAddress(endpoint.host) ? endpoint.host : undefined,
    lastChangeMs: now,
    downMs: 0,
    downSinceMs: isDown ? now : undefined,
  };
}

let nextServerRow = 0;

/** A free row; the one that has been free longest comes last in turn, so that records of its old server are written by then. */
export function freeServerRow(memory: SharedMemory): number {
  for (let step = 0; step < memory.servers; step++) {
    const index = (nextServerRow + step) % memory.servers;
    if (memory.serversI32[index * SERVER_WORDS + V_IN_USE] !== 0) continue;
    nextServerRow = (index + 1) % memory.servers;
    return index;
  }
  return -1;
}

async function deleteServer(context: CommitContext, server: ServerEntry): Promise<Receipt> {
  const { memory, orders } = context;
  const refusal = removalObstacle(memory, server);
  if (refusal !== undefined) return refuse(refusal);
  removeFromChain(memory, server);
  const { backend } = server;
  backend.servers.splice(backend.servers.indexOf(server), 1);
  await orders.order({ kind: "server-changed", server: server.index, backend: backend.index });
  noteBackendTimes(context, backend);
  return done();
}

/** Why a server cannot be deleted now; undefined if it can. */
export function removalObstacle(memory: SharedMemory, server: ServerEntry): RefusalCode | undefined {
  const table = memory.serversI32;
  const row = server.index * SERVER_WORDS;
  if ((table[row + V_ADMIN] & ADMIN_MAINT) === 0) return "not-in-maintenance";
  const held =
    Atomics.load(table, row + V_ATTACHED) +
    Atomics.load(table, row + V_SERVED) +
    Atomics.load(table, row + V_QUEUE_LENGTH);
  return held > 0 ? "has-sessions" : undefined;
}

async function cutServer(context: CommitContext, server: ServerEntry): Promise<Receipt> {
  const { memory, orders } = context;
  Atomics.add(memory.serversI32, server.index * SERVER_WORDS + V_CUT_GENERATION, 1);
  let ended = 0;
  let survivors = 0;
  for (let round = 0; round < CUT_ROUNDS_MAX; round++) {
    const answer = await orders.order({ kind: "cut-server", server: server.index });
    ended += answer.ended;
    survivors = countSurvivors(memory, server.index);
    if (survivors === 0) break;
  }
  return { done: true, matched: ended + survivors, ended, survivors };
}

/** Sessions in the table that chose the server before its last cut: must be none. */
function countSurvivors(memory: SharedMemory, server: number): number {
  const generation = Atomics.load(memory.serversI32, server * SERVER_WORDS + V_CUT_GENERATION);
  const { sessions } = memory;
  let count = 0;
  for (let thread = 0; thread < memory.threads; thread++) {
    const used = memory.countersF64[threadCounters(memory, thread) + CT_ROWS_USED];
    const first = thread * memory.rowsPerThread * SESSION_WORDS;
    for (let base = first; base < first + used * SESSION_WORDS; base += SESSION_WORDS) {
      if (sessions[base + S_SERVER] !== server) continue;
      const state = sessions[base + S_STATE];
      if (state === SessionState.FREE || state === SessionState.ABANDONED) continue;
      if (sessions[base + S_CUT_GENERATION] !== generation) count++;
    }
  }
  return count;
}

async function cutSession(context: CommitContext, id: number): Promise<Receipt> {
  const { memory, orders } = context;
  const row = rowOfSessionId(id);
  const generation = generationOfSessionId(id);
  const thread = Math.floor(row / memory.rowsPerThread);
  const isLive = thread < memory.threads && memory.sessions[row * SESSION_WORDS + S_GENERATION] === generation;
  if (!Number.isSafeInteger(id) || !isLive || (generation & 1) === 0) return refuse("no-such-session");
  const answer = await orders.order({ kind: "cut-session", row, generation }, thread);
  return answer.ended === 0 ? refuse("no-such-session") : done(1, 1);
}

async function clearCounters(context: CommitContext, all: boolean): Promise<Receipt> {
  const { memory, registry } = context;
  await context.orders.order({ kind: "clear-counters", all });
  Atomics.store(memory.words, W_CONNECTIONS_MAX, 0);
  for (const proxy of registry.proxies) {
    const row = proxy.index * PROXY_WORDS;
    for (const word of [P_FRONT_SESSIONS_MAX, P_BACK_SESSIONS_MAX, P_QUEUE_MAX])
      Atomics.store(memory.proxiesI32, row + word, 0);
    for (const server of proxy.servers) {
      const own = server.index * SERVER_WORDS;
      for (const word of [V_SERVED_MAX, V_QUEUE_MAX]) Atomics.store(memory.serversI32, own + word, 0);
    }
  }
  return done();
}
