// The rows of `show stat`: one for each frontend, server and backend, read from the counters of all threads.

import type { Program } from "../control/program.ts";
import { usableServers } from "../control/reconcile/fence.ts";
import { shownWeight, throttlePercent } from "../control/reconcile/slow-start.ts";
import type { ProxyEntry, ServerEntry } from "../control/registry.ts";
import { statsOf } from "../control/stats/program-stats.ts";
import { CounterBlocks } from "../control/stats/sums.ts";
import {
  CB_ASSIGNED,
  CB_BYTES_IN,
  CB_BYTES_OUT,
  CB_CLIENT_ABORTS,
  CB_CONNECT_ATTEMPTS,
  CB_CONNECT_FAILED,
  CB_CONNECT_MS_AVG,
  CB_CONNECT_MS_MAX,
  CB_CUTS,
  CB_LAST_SESSION_WALL,
  CB_QUEUE_MS_AVG,
  CB_QUEUE_MS_MAX,
  CB_REDISPATCHES,
  CB_RESPONSE_ERRORS,
  CB_RETRIES,
  CB_SERVER_ABORTS,
  CB_SESSIONS,
  CB_TOTAL_MS_AVG,
  CB_TOTAL_MS_MAX,
  CF_BYTES_IN,
  CF_BYTES_OUT,
  CF_CONNECTIONS,
  CF_CUTS,
  CF_SESSIONS,
  CS_ASSIGNED,
  CS_BYTES_IN,
  CS_BYTES_OUT,
  CS_CLIENT_ABORTS,
  CS_CONNECT_ATTEMPTS,
  CS_CONNECT_FAILED,
  CS_CONNECT_MS_AVG,
  CS_CONNECT_MS_MAX,
  CS_CUTS,
  CS_LAST_SESSION_WALL,
  CS_QUEUE_MS_AVG,
  CS_QUEUE_MS_MAX,
  CS_REDISPATCHES,
  CS_RESPONSE_ERRORS,
  CS_RETRIES,
  CS_SERVER_ABORTS,
  CS_SESSIONS,
  CS_TOTAL_MS_AVG,
  CS_TOTAL_MS_MAX,
} from "../memory/counters.ts";
import {
  P_BACK_SESSIONS,
  P_BACK_SESSIONS_MAX,
  P_FRONT_MAXCONN,
  P_FRONT_SESSIONS,
  P_FRONT_SESSIONS_MAX,
  P_QUEUE_LENGTH,
  P_QUEUE_MAX,
  PROXY_WORDS,
} from "../memory/proxy-row.ts";
import {
  ADMIN_DRAIN,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_LOAD_WEIGHT,
  V_MAXCONN,
  V_OPER,
  V_QUEUE_LENGTH,
  V_QUEUE_MAX,
  V_SERVED,
  V_SERVED_MAX,
  V_WEIGHT,
} from "../memory/server-row.ts";
import { healthColumns } from "./check-fields.ts";
import { CUT_COLUMNS, type RowKind } from "./stat-fields.ts";
import { backendFullconn, isDown, isUsable, serverStatus, shownEndpoint } from "./state-text.ts";

export interface StatRow {
  readonly kind: RowKind;
  readonly iid: number;
  readonly sid: number;
  /** Values by column; a column that is not here is 0 where the kind of row has a number, and empty otherwise, as "" is. */
  readonly values: Readonly<Record<string, string | number>>;
}

const ROW_TYPES: Readonly<Record<RowKind, number>> = { F: 0, B: 1, S: 2 };

const secondsSince = (wallMs: number): number => Math.max(0, Math.floor((Date.now() - wallMs) / 1000));
/** -1: never. */
const lastSession = (wallMs: number): number => (wallMs === 0 ? -1 : secondsSince(wallMs));
const common = (proxy: ProxyEntry, kind: RowKind, name: string, sid: number) => ({
  pxname: proxy.name,
  svname: name,
  pid: 1,
  iid: proxy.id,
  sid,
  type: ROW_TYPES[kind],
  mode: "tcp",
});
/** HAProxy counts bytes at both ends of each direction; here what came in is what went out. */
const bytes = (bin: number, bout: number) => ({ bin, bout, reqbin: bin, reqbout: bin, resbin: bout, resbout: bout });

/** Sessions that did not end by themselves, by column; `first` is the counter of CutReason 0. */
const cuts = (blocks: CounterBlocks, first: number): Record<string, number> =>
  Object.fromEntries(CUT_COLUMNS.map(({ name, reason }) => [name, blocks.sum(first + reason)]));

/** The FRONTEND row of a proxy. */
export function frontendRow(program: Program, proxy: ProxyEntry): StatRow {
  const { proxiesI32 } = program.memory;
  const row = proxy.index * PROXY_WORDS;
  const blocks = CounterBlocks.ofProxy(program.memory, proxy.index);
  const { connections, sessions } = statsOf(program).rates.frontend(proxy);
  const values = {
    ...common(proxy, "F", "FRONTEND", 0),
    ...bytes(blocks.sum(CF_BYTES_IN), blocks.sum(CF_BYTES_OUT)),
    scur: Atomics.load(proxiesI32, row + P_FRONT_SESSIONS),
    smax: proxiesI32[row + P_FRONT_SESSIONS_MAX],
    slim: proxiesI32[row + P_FRONT_MAXCONN],
    stot: blocks.sum(CF_SESSIONS),
    status: proxy.stopped || program.stopping ? "STOP" : proxy.paused ? "PAUSED" : "OPEN",
    rate: sessions.now,
    rate_max: sessions.max,
    conn_rate: connections.now,
    conn_rate_max: connections.max,
    conn_tot: blocks.sum(CF_CONNECTIONS),
    sess_other: blocks.sum(CF_SESSIONS),
    ...cuts(blocks, CF_CUTS),
  };
  return { kind: "F", iid: proxy.id, sid: 0, values };
}

/** `counted`: `up` or `no-maint` was asked for, and the status tells how many of the servers are up. */
export function backendRow(program: Program, proxy: ProxyEntry, counted: boolean): StatRow {
  const { memory } = program;
  const { proxiesI32, serversI32 } = memory;
  const row = proxy.index * PROXY_WORDS;
  const blocks = CounterBlocks.ofProxy(memory, proxy.index);
  const rate = statsOf(program).rates.backend(proxy);
  const usable = proxy.servers.filter((server) => isUsable(memory, server));
  const eligible = usableServers(memory, proxy);
  const sumOf = (word: number): number =>
    eligible.reduce((sum, { index }) => sum + serversI32[index * SERVER_WORDS + word], 0);
  const userWeight = sumOf(V_WEIGHT);
  const weight = shownWeight(sumOf(V_LOAD_WEIGHT));
  const isUp = weight > 0 || proxy.servers.length === 0;
  const up = proxy.leaving !== undefined ? "DOWN (leaving)" : isUp ? "UP" : "DOWN";
  const upServers = proxy.servers.filter((server) => !isDown(memory, server)).length;
  const downMs = proxy.downMs + (proxy.downSinceMs === undefined ? 0 : Date.now() - proxy.downSinceMs);
  const values = {
    ...common(proxy, "B", "BACKEND", 0),
    ...bytes(blocks.sum(CB_BYTES_IN), blocks.sum(CB_BYTES_OUT)),
    qcur: Atomics.load(proxiesI32, row + P_QUEUE_LENGTH),
    qmax: proxiesI32[row + P_QUEUE_MAX],
    scur: Atomics.load(proxiesI32, row + P_BACK_SESSIONS),
    smax: proxiesI32[row + P_BACK_SESSIONS_MAX],
    slim: backendFullconn(program, proxy),
    stot: blocks.sum(CB_SESSIONS),
    econ: blocks.sum(CB_CONNECT_FAILED),
    eresp: blocks.sum(CB_RESPONSE_ERRORS),
    wretr: blocks.sum(CB_RETRIES),
    wredis: blocks.sum(CB_REDISPATCHES),
    status: counted ? `${up} (${upServers}/${proxy.servers.length})` : up,
    weight,
    uweight: userWeight,
    act: usable.filter((server) => !server.config.backup).length,
    bck: usable.filter((server) => server.config.backup).length,
    chkdown: proxy.downTransitions,
    lastchg: secondsSince(proxy.lastChangeMs),
    downtime: proxy.servers.length === 0 ? "" : Math.floor(downMs / 1000),
    lbtot: blocks.sum(CB_ASSIGNED),
    rate: rate.now,
    rate_max: rate.max,
    cli_abrt: blocks.sum(CB_CLIENT_ABORTS),
    srv_abrt: blocks.sum(CB_SERVER_ABORTS),
    lastsess: lastSession(blocks.max(CB_LAST_SESSION_WALL)),
    qtime: blocks.average(CB_QUEUE_MS_AVG),
    ctime: blocks.average(CB_CONNECT_MS_AVG),
    ttime: blocks.average(CB_TOTAL_MS_AVG),
    algo: proxy.config.balance.algorithm,
    connect: blocks.sum(CB_CONNECT_ATTEMPTS),
    qtime_max: Math.round(blocks.max(CB_QUEUE_MS_MAX)),
    ctime_max: Math.round(blocks.max(CB_CONNECT_MS_MAX)),
    ttime_max: Math.round(blocks.max(CB_TOTAL_MS_MAX)),
    ...cuts(blocks, CB_CUTS),
  };
  return { kind: "B", iid: proxy.id, sid: 0, values };
}

/** Only of a server that starts slowly. */
const throttleOf = (serversI32: Int32Array, row: number): number | "" =>
  serversI32[row + V_OPER] === OperState.STARTING &&
  serversI32[row + V_WEIGHT] > 0 &&
  (serversI32[row + V_ADMIN] & ADMIN_DRAIN) === 0
    ? throttlePercent(serversI32[row + V_LOAD_WEIGHT], serversI32[row + V_WEIGHT])
    : "";

/** The row of a server. */
export function serverRow(program: Program, server: ServerEntry): StatRow {
  const { serversI32 } = program.memory;
  const row = server.index * SERVER_WORDS;
  const blocks = CounterBlocks.ofServer(program.memory, server.index);
  const rate = statsOf(program).rates.server(server);
  const values = {
    ...common(server.backend, "S", server.name, server.id),
    ...bytes(blocks.sum(CS_BYTES_IN), blocks.sum(CS_BYTES_OUT)),
    qcur: Atomics.load(serversI32, row + V_QUEUE_LENGTH),
    qmax: serversI32[row + V_QUEUE_MAX],
    scur: Atomics.load(serversI32, row + V_SERVED),
    smax: serversI32[row + V_SERVED_MAX],
    slim: serversI32[row + V_MAXCONN] === 0 ? "" : serversI32[row + V_MAXCONN],
    stot: blocks.sum(CS_SESSIONS),
    econ: blocks.sum(CS_CONNECT_FAILED),
    eresp: blocks.sum(CS_RESPONSE_ERRORS),
    wretr: blocks.sum(CS_RETRIES),
    wredis: blocks.sum(CS_REDISPATCHES),
    status: serverStatus(program.memory, server),
    weight: shownWeight(serversI32[row + V_LOAD_WEIGHT]),
    uweight: serversI32[row + V_WEIGHT],
    throttle: throttleOf(serversI32, row),
    act: server.config.backup ? 0 : 1,
    bck: server.config.backup ? 1 : 0,
    lastchg: secondsSince(server.lastChangeMs),
    lbtot: blocks.sum(CS_ASSIGNED),
    rate: rate.now,
    rate_max: rate.max,
    cli_abrt: blocks.sum(CS_CLIENT_ABORTS),
    srv_abrt: blocks.sum(CS_SERVER_ABORTS),
    lastsess: lastSession(blocks.max(CS_LAST_SESSION_WALL)),
    qtime: blocks.average(CS_QUEUE_MS_AVG),
    ctime: blocks.average(CS_CONNECT_MS_AVG),
    ttime: blocks.average(CS_TOTAL_MS_AVG),
    ...healthColumns(server),
    addr: shownEndpoint(server),
    connect: blocks.sum(CS_CONNECT_ATTEMPTS),
    qtime_max: Math.round(blocks.max(CS_QUEUE_MS_MAX)),
    ctime_max: Math.round(blocks.max(CS_CONNECT_MS_MAX)),
    ttime_max: Math.round(blocks.max(CS_TOTAL_MS_MAX)),
    ...cuts(blocks, CS_CUTS),
  };
  return { kind: "S", iid: server.backend.id, sid: server.id, values };
}
