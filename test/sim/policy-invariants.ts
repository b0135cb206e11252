// What the policies promise, judged by sockets and rows alone: a server whose sessions were ended has none, and under `option fence` at
// most one server has any.

import type { ServerEntry } from "../../src/control/registry.ts";
import { P_LEADER, PROXY_WORDS } from "../../src/memory/proxy-row.ts";
import {
  LOAD_WEIGHT_SCALE,
  OperState,
  SERVER_WORDS,
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
  if (!rig.wasMarkedDown.has(server)) return;
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
