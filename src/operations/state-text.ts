// How states and addresses of servers and backends are worded, and which servers of a backend count. One place for `show stat`,
// `show servers` and `show sess`.

import { checkedServer } from "../control/health/health-entry.ts";
import { statusWord } from "../control/health/state-machine.ts";
import type { Program } from "../control/program.ts";
import type { ProxyEntry, ServerEntry } from "../control/registry.ts";
import { NO_ADDRESS } from "../control/resolve/changes.ts";
import { healthStateOf } from "../control/server-state.ts";
import {
  ADMIN_MAINT,
  AdminState,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_OPER,
  V_USABLE,
  V_WEIGHT,
} from "../memory/server-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";

const adminOf = (memory: SharedMemory, server: ServerEntry): number =>
  memory.serversI32[server.index * SERVER_WORDS + V_ADMIN];

export const isInMaintenance = (memory: SharedMemory, server: ServerEntry): boolean =>
  (adminOf(memory, server) & ADMIN_MAINT) !== 0;

export const isDown = (memory: SharedMemory, server: ServerEntry): boolean =>
  memory.serversI32[server.index * SERVER_WORDS + V_OPER] === OperState.STOPPED;

/** The server that this one tracks, as shown; undefined without `track`. */
function trackedName(server: ServerEntry): string | undefined {
  const { tracked } = server.health;
  return tracked === undefined ? undefined : `${tracked.backend.name}/${tracked.name}`;
}

/** `status` in `show stat`. */
export function serverStatus(memory: SharedMemory, server: ServerEntry): string {
  const admin = adminOf(memory, server);
  if (server.leaving !== undefined) return "MAINT (leaving)";
  if ((admin & AdminState.RESOLUTION_MAINT) !== 0) return "MAINT (resolution)";
  if ((admin & AdminState.INHERITED_MAINT) !== 0) return `MAINT (via ${trackedName(server)})`;
  if ((admin & ADMIN_MAINT) !== 0) return "MAINT";
  return statusWord(healthStateOf(memory, server), healthStateOf(memory, checkedServer(server)));
}

/** May be given sessions by load balancing. */
export function isUsable(memory: SharedMemory, server: ServerEntry): boolean {
  const row = server.index * SERVER_WORDS;
  return memory.serversI32[row + V_USABLE] !== 0 && memory.serversI32[row + V_WEIGHT] > 0;
}

/** `fullconn`, or a tenth of the limits of the frontends that reach the backend, rounded up, at least 1. */
export function backendFullconn(program: Program, backend: ProxyEntry): number {
  if (backend.config.fullconn !== undefined) return backend.config.fullconn;
  const limits = program.registry.proxies
    .filter((proxy) => proxy.isFrontend && (proxy === backend || proxy.config.defaultBackend === backend.name))
    .map((proxy) => Math.min(proxy.config.maxconn ?? program.maxconn, program.maxconn));
  const total = limits.reduce((sum, limit) => sum + limit, 0);
  return Math.max(1, Math.ceil(total / 10));
}

/** "127.0.0.1:80", "[::1]:80", or "unix"; "" while it has no address. */
export function shownEndpoint(server: ServerEntry): string {
  if (server.config.endpoint.kind !== "inet") return "unix";
  if (server.host === NO_ADDRESS) return "";
  const port = server.mapsPort && server.port >= 0 ? `+${server.port}` : `${server.port}`;
  return server.host.includes(":") ? `[${server.host}]:${port}` : `${server.host}:${port}`;
}

/** The two largest units that are not zero: "59s", "1m", "59m39s", "1d2h", "0s". */
export function shortTime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).slice(0, 2);
  return shown.length === 0 ? "0s" : shown.map(([count, unit]) => `${count}${unit}`).join("");
}
