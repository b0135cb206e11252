// Listening sockets under a new configuration: each goes to the frontend that names it, without being closed. Relays are told by the
// caller. Control thread, only within `commit`.

import { compareBinds } from "../../config/diff/proxy-settings.ts";
import { L_MAXCONN, LISTENER_WORDS } from "../../memory/listener-row.ts";
import { SHUT_RD } from "../../sys/constants.ts";
import { c } from "../../sys/libc.ts";
import type { ListenerEntry, ProxyEntry } from "../registry.ts";
import { freeListenerRow } from "../rows.ts";
import type { PlannedListener } from "./model.ts";
import { namedListener } from "./plan/parts.ts";
import { staysShut } from "./plan-listeners.ts";
import type { ReloadRun } from "./run.ts";

/** For the order of the new generation: listener, descriptor and frontend of each socket that relays are to look at. */
export function applyListeners(run: ReloadRun, frontends: readonly ProxyEntry[]): number[] {
  const { listeners: plan } = run.prepared;
  const orders: number[] = [];
  for (const { bind, proxy } of plan.closing) {
    run.deeds.listeners.closed.push(namedListener({ bind, proxy: proxy.config }));
  }
  for (const frontend of frontends) {
    if (staysShut(plan, frontend.config)) continue;
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
  const { listeners } = run.deeds;
  const named = namedListener({ bind, proxy: frontend.config });
  let entry: ListenerEntry;
  if (socket.kind === "new") {
    const index = freeListenerRow(memory, registry);
    entry = { index, id, bind, proxy: frontend, backlog, ...socket.bound };
    registry.listenersByIndex[index] = entry;
    listeners.opened.push(named);
    if (frontend.paused) giveUp(run, entry);
  } else {
    entry = socket.entry;
    const changes = compareBinds(entry.bind, bind);
    if (entry.proxy === frontend) {
      listeners.kept++;
      if (changes.length > 0) listeners.changed.push({ ...named, changes });
    } else {
      listeners.moved.push({ ...named, changes, from: entry.proxy.config.name });
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
