// Gives back at once what a reload removed and nobody used: all of it with one order. What has sessions left is for `reconcile`. Control
// thread, only within `commit`.

import { sessionsOfProxy, sessionsOfServer } from "../reconcile/leaving.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { unlinkServer } from "../remove-server.ts";
import type { LeavingServer } from "./plan/model.ts";
import { leavingProxy, leavingServer } from "./plan/plan.ts";
import type { ReloadRun } from "./run.ts";

/** Also notes who leaves, and with how many sessions. */
export async function releaseEmpty(run: ReloadRun): Promise<void> {
  const { context, deeds, departing, prepared } = run;
  const { memory, registry, orders } = context;
  const changed = new Set<ProxyEntry>();
  for (const server of departing.servers) {
    if (run.isLong) await run.nextTurn();
    deeds.servers.leaving.push(leavingServer(memory, prepared.config, server, reasonOf(server)));
    // What follows for single servers may have taken it away already.
    if (server.isDeleted || sessionsOfServer(memory, server) > 0 || !isFree(run, server)) continue;
    unlinkServer(context, server);
    changed.add(server.backend);
  }
  const gone: ProxyEntry[] = [];
  const present = new Set(departing.servers);
  for (const proxy of departing.proxies) {
    deeds.proxies.leaving.push(leavingProxy(memory, prepared.config, proxy, (server) => present.has(server)));
    const isUsed = sessionsOfProxy(memory, proxy) > 0 || proxy.servers.length > 0;
    // Else it only waits for its sockets to be closed, or not even that.
    if (!isUsed && !proxy.listeners.some(({ fd }) => fd >= 0)) gone.push(proxy);
  }
  if (changed.size > 0) {
    await orders.order({
      kind: "generation",
      backends: Int32Array.from(changed, ({ index }) => index),
      listeners: new Int32Array(),
    });
  }
  for (const proxy of gone) proxy.isDeleted = true;
  if (gone.length > 0) registry.proxies = registry.proxies.filter(({ isDeleted }) => !isDeleted);
}

/** Why it leaves, as the plan has it. */
function reasonOf({ backend, config }: ServerEntry): LeavingServer["why"] {
  if (backend.leaving !== undefined) return "section";
  return backend.config.servers.some(({ name }) => name === config.name) ? "readdressed" : "removed";
}

/** Nobody follows it, and in a backend that goes as a whole nobody waits. */
function isFree({ context }: ReloadRun, server: ServerEntry): boolean {
  const { health, backend } = server;
  const isNeeded = backend.leaving !== undefined && sessionsOfProxy(context.memory, backend) > 0;
  return !isNeeded && health.policy.eviction === undefined && health.trackers.length === 0;
}
