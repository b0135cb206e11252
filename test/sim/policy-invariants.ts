// What the policies promise, judged by sockets and rows alone: a server whose sessions were ended has none, and under `option fence` at
// most one server has any.

import { maintenanceDecides } from "../../src/control/reconcile/out-of-service.ts";
import type { ServerEntry } from "../../src/control/registry.ts";
import { P_LEADER, PROXY_WORDS } from "../../src/memory/proxy-row.ts";
import {
  ADMIN_DRAIN,
  ADMIN_MAINT,
  LOAD_WEIGHT_SCALE,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_ATTACHED,
  V_LIMIT,
  V_LOAD_WEIGHT,
  V_MAXCONN,
  V_OPER,
  V_SERVED,
  V_WEIGHT,
} from "../../src/memory/server-row.ts";
import { must } from "./invariants.ts";
import type { SimRig } from "./sim-rig.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** Between any two turns. */
export function checkPolicies(rig: SimRig): void {
  for (const server of rig.backend.servers) {
    checkLoad(rig, server);
    checkEnded(rig, server);
  }
  checkFence(rig, -1);
}

/** Weight and limit in force are what was asked for, less only in a slow start. */
function checkLoad({ memory, world }: SimRig, { index, name, config, health }: ServerEntry): void {
  const word = (at: number): number => memory.serversI32[index * SERVER_WORDS + at];
  const isStarting = word(V_OPER) === OperState.STARTING;
  const full = word(V_WEIGHT) * LOAD_WEIGHT_SCALE;
  must(
    word(V_LOAD_WEIGHT) > 0 === word(V_WEIGHT) > 0,
    `${name}: weight ${word(V_WEIGHT)}, load ${word(V_LOAD_WEIGHT)}`,
  );
  must(isStarting || word(V_LOAD_WEIGHT) === full, `${name} does not start slowly, but has not its full weight`);
  must(isStarting || word(V_LIMIT) === word(V_MAXCONN), `${name} does not start slowly, but has not its full limit`);
  must(word(V_LIMIT) > 0 === word(V_MAXCONN) > 0, `${name}: maxconn ${word(V_MAXCONN)}, limit ${word(V_LIMIT)}`);
  const since = health.policy.startingSinceMs;
  must(isStarting === (since !== undefined), `${name}: state ${word(V_OPER)}, starting since ${since}`);
  must(since === undefined || since <= world.now, `${name} starts in the future`);
  must(!isStarting || config.policy.slowStartMs > 0, `${name} starts slowly, but nobody asked for it`);
}

/** A server that is down, with nothing left to wait for. */
function checkEnded(rig: SimRig, server: ServerEntry): void {
  const row = server.index * SERVER_WORDS;
  const { onMarkedDown } = server.config.policy;
  if (onMarkedDown === undefined || rig.memory.serversI32[row + V_OPER] !== OperState.STOPPED) return;
  if (!rig.wasMarkedDown.has(server) || maintenanceDecides(server, rig.memory.serversI32[row + V_ADMIN])) return;
  // While a server is evicted the operator says who ends; and who stayed when that was called off stays.
  if (rig.evictions.all.some((eviction) => eviction.server === server && eviction.outcome !== "done")) return;
  const { down } = server.health.policy;
  if (down === undefined) {
    must(rig.memory.serversI32[row + V_ATTACHED] === 0, `${server.name} is down and was cut, and has sessions`);
    must(rig.memory.serversI32[row + V_SERVED] === 0, `${server.name} is down and was cut, and serves sessions`);
    return;
  }
  const immediately = onMarkedDown.afterMs + onMarkedDown.overMs + server.config.policy.cutGuardPercent === 0;
  must(!immediately, `${server.name} is down, and its sessions wait for nothing`);
}

/** After control did what was due: who is out of service by somebody's word has the sessions that its words leave it, and no longer. */
export function checkOutOfService(rig: SimRig): void {
  for (const server of rig.backend.servers) {
    const row = server.index * SERVER_WORDS;
    const admin = rig.memory.serversI32[row + V_ADMIN];
    const held = rig.memory.serversI32[row + V_ATTACHED] + rig.memory.serversI32[row + V_SERVED];
    const { onMaint, onDrain } = server.config.policy.sessions ?? {};
    const { maintenance, draining } = server.health.policy;
    const isIn = (admin & ADMIN_MAINT) !== 0;
    const drains = !isIn && (admin & ADMIN_DRAIN) !== 0;
    must(isIn || maintenance === undefined, `${server.name} is not in maintenance, but its sessions are to end by it`);
    must(drains || draining === undefined, `${server.name} does not drain, but its sessions are to end by it`);
    // Who stayed when an eviction was called off stays.
    const wasEvicted = rig.evictions.all.some((eviction) => eviction.server === server && eviction.outcome !== "done");
    if (isIn && onMaint !== undefined && onMaint !== "keep" && !wasEvicted) {
      const endsMs = (rig.maintenanceSince.get(server) ?? rig.world.now) + onMaint.afterMs;
      must(
        rig.world.now < endsMs || held === 0,
        `${server.name} is in maintenance for too long to have ${held} sessions`,
      );
    }
    if (!drains || onDrain === undefined || onDrain === "keep") continue;
    must(draining !== undefined || held === 0, `${server.name} drains and is done with it, and has ${held} sessions`);
    const endsMs = "overMs" in onDrain ? (rig.drainSince.get(server) ?? rig.world.now) + onDrain.overMs : NEVER;
    must(rig.world.now < endsMs || held === 0, `${server.name} drains for too long to have ${held} sessions`);
  }
}

/** `connecting`: the server that a thread is about to connect to, -1 if none. */
export function checkFence({ backend, memory }: SimRig, connecting: number): void {
  if (!backend.config.fence) return;
  const leader = memory.proxiesI32[backend.index * PROXY_WORDS + P_LEADER];
  for (const { index, name } of backend.servers) {
    const row = index * SERVER_WORDS;
    const held = Atomics.load(memory.serversI32, row + V_SERVED) + Atomics.load(memory.serversI32, row + V_ATTACHED);
    must(held === 0 || index === leader, `${name} has sessions, but server ${leader} leads`);
    must(
      connecting < 0 || held === 0 || index === connecting,
      `server ${connecting} is connected to while ${name} has sessions`,
    );
  }
}
