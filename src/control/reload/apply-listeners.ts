// Listening sockets under a new configuration: each goes to the frontend that names it, without being closed. Relays are told by the
// caller. Control thread, only within `commit`.

import { L_MAXCONN, LISTENER_WORDS } from "../../memory/listener-row.ts";
import { SHUT_RD } from "../../sys/constants.ts";
import { c } from "../../sys/libc.ts";
import type { ListenerEntry, ProxyEntry } from "../registry.ts";
import { freeListenerRow } from "../rows.ts";
import type { PlannedListener } from "./model.ts";
import { staysShut } from "./plan-listeners.ts";
import type { ReloadRun } from "./run.ts";

/** For the order of the new generation: listener, descriptor and frontend of each socket that relays are to look at. */
export function applyListeners(run: ReloadRun, frontends: readonly ProxyEntry[]): number[] {
  const { listeners: plan } = run.prepared;
  const orders: number[] = [];
  for (const listener of plan.closing) {
    run.report.listeners.closed.push(listener.address);
  }
  for (const frontend of frontends) {
    if (staysShut(plan, frontend.config)) {
      run.report.listeners.staysShut.push(frontend.name);
      continue;
    }
    const planned = plan.byFrontend.get(frontend.config) ?? [];
    const own = planned.map((listener, i) => settle(run, frontend, listener, i + 1));
    frontend.stopped = false;
    frontend.listeners = own;
    for (const { index, fd } of frontend.paused ? [] : own) orders.push(index, fd, frontend.index);
  }
  return orders;
}

function settle(run: ReloadRun, frontend: ProxyEntry, planned: PlannedListener, id: number): ListenerEntry {
  const { registry, memory } = run.context;
  const { bind, backlog, socket } = planned;
  const { opened, moved } = run.report.listeners;
  let entry: ListenerEntry;
  if (socket.kind === "new") {
    const index = freeListenerRow(memory, registry);
    entry = { index, id, bind, proxy: frontend, backlog, ...socket.bound };
    registry.listenersByIndex[index] = entry;
    opened.push(entry.address);
    if (frontend.paused) giveUp(run, entry);
  } else {
    entry = socket.entry;
    if (entry.proxy !== frontend) {
      moved.push({ address: entry.address, from: entry.proxy.name, to: frontend.name });
      entry.proxy.listeners = entry.proxy.listeners.filter((other) => other !== entry);
    }
    if (frontend.paused && !entry.proxy.paused) giveUp(run, entry);
    else if (!frontend.paused && (entry.proxy.paused || entry.backlog !== backlog)) c.listen(entry.fd, backlog);
    entry.proxy = frontend;
    entry.bind = bind;
    entry.id = id;
    entry.backlog = backlog;
  }
  Atomics.store(memory.listenersI32, entry.index * LISTENER_WORDS + L_MAXCONN, bind.maxconn);
  return entry;
}

/** Its frontend is paused: the port is given up as soon as no relay looks at the socket any more. */
function giveUp({ context, afterwards }: ReloadRun, { index, fd, bind }: ListenerEntry): void {
  afterwards.push(async () => {
    await context.orders.order({ kind: "unlisten", listener: index });
    if (bind.endpoint.kind === "inet") c.shutdown(fd, SHUT_RD);
  });
}
