// Gives back at once what a reload removed and nobody used: all of it with one order. What has sessions left is for `reconcile`. Control
// thread, only within `commit`.

import { sessionsOfProxy, sessionsOfServer } from "../reconcile/leaving.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { unlinkServer } from "../remove-server.ts";
import { fullName } from "./apply-servers.ts";
import { removalPolicyText } from "./removal-policy.ts";
import type { ReloadRun } from "./run.ts";

/** Also says in the report who is gone, and who leaves. */
export async function releaseEmpty(run: ReloadRun): Promise<void> {
  const { context, report, departing } = run;
  const { memory, registry, orders } = context;
  const changed = new Set<ProxyEntry>();
  for (const server of departing.servers) {
    if (run.isLong) await run.nextTurn();
    // What follows for single servers may have taken it away already.
    const sessions = server.isDeleted ? 0 : sessionsOfServer(memory, server);
    if (server.isDeleted) report.servers.removed.push(fullName(server));
    else if (sessions === 0 && isFree(run, server)) {
      report.servers.removed.push(fullName(server));
      unlinkServer(context, server);
      changed.add(server.backend);
    } else {
      const policy = removalPolicyText(server.leaving!.policy);
      report.servers.leaving.push({ name: fullName(server), sessions, policy });
    }
  }
  const gone: ProxyEntry[] = [];
  for (const proxy of departing.proxies) {
    const sessions = sessionsOfProxy(memory, proxy);
    const isUsed = sessions > 0 || proxy.servers.length > 0 || proxy.listeners.some(({ fd }) => fd >= 0);
    // What only waits for its sockets to be closed is as good as gone.
    if (isUsed && (sessions > 0 || proxy.servers.length > 0))
      report.proxies.leaving.push({ name: proxy.name, sessions, policy: removalPolicyText(proxy.leaving!.policy) });
    else {
      report.proxies.removed.push(proxy.name);
      if (!isUsed) gone.push(proxy);
    }
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

/** Nobody follows it, and in a backend that goes as a whole nobody waits. */
function isFree({ context }: ReloadRun, server: ServerEntry): boolean {
  const { health, backend } = server;
  const isNeeded = backend.leaving !== undefined && sessionsOfProxy(context.memory, backend) > 0;
  return !isNeeded && health.policy.eviction === undefined && health.trackers.length === 0;
}
