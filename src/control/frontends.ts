// Changes to frontends and to the limits on new sessions: paused, resumed, closed for good; `maxconn` of a frontend and of the
// process. Carried out by `commit`, on the control thread. Sessions that are there go on.

import { W_MAXCONN } from "../memory/control-words.ts";
import { CB_SESSIONS, CF_CONNECTIONS } from "../memory/counters.ts";
import { P_FRONT_MAXCONN, PROXY_WORDS } from "../memory/proxy-row.ts";
import type { Receipt } from "./change.ts";
import { type CommitContext, done, refuse } from "./commit-context.ts";
import type { ProxyEntry } from "./registry.ts";
import { CounterBlocks } from "./stats/sums.ts";

/** Stops accepting and gives up the ports, until `resumeFrontend`. Clients that wait to be accepted are refused. */
export async function pauseFrontend(context: CommitContext, proxy: ProxyEntry, lendsPorts: boolean): Promise<Receipt> {
  if (proxy.stopped) return refuse("already-stopped", proxy.name);
  if (proxy.paused) return refuse("already-paused", proxy.name);
  proxy.paused = true;
  proxy.lendsPorts = lendsPorts;
  await unlisten(context, proxy);
  context.listeners.pause(proxy);
  context.events.onFrontendPaused(proxy);
  return done();
}

/** Accepts again on the same addresses. */
export async function resumeFrontend(context: CommitContext, proxy: ProxyEntry): Promise<Receipt> {
  if (proxy.stopped) return refuse("already-stopped", proxy.name);
  if (!proxy.paused) return refuse("not-paused", proxy.name);
  if (!context.listeners.resume(proxy)) return refuse("cannot-resume", proxy.name);
  proxy.paused = false;
  proxy.lendsPorts = false;
  for (const { index, fd } of proxy.listeners) {
    await context.orders.order({ kind: "listen", listener: index, fd, frontend: proxy.index });
  }
  context.events.onFrontendResumed(proxy);
  return done();
}

/** Closes the listeners for good. */
export async function shutdownFrontend(context: CommitContext, proxy: ProxyEntry): Promise<Receipt> {
  if (proxy.stopped) return refuse("already-stopped", proxy.name);
  proxy.stopped = true;
  await unlisten(context, proxy);
  context.listeners.close(proxy);
  const counters = CounterBlocks.ofProxy(context.memory, proxy.index);
  context.events.onFrontendStopped(proxy, counters.sum(CF_CONNECTIONS), counters.sum(CB_SESSIONS));
  return done();
}

async function unlisten(context: CommitContext, proxy: ProxyEntry): Promise<void> {
  for (const listener of proxy.listeners) await context.orders.order({ kind: "unlisten", listener: listener.index });
}

/** Those above a lowered limit stay; a raised one lets waiting clients in at once. */
export async function setFrontendMaxconn(context: CommitContext, proxy: ProxyEntry, maxconn: number): Promise<Receipt> {
  Atomics.store(context.memory.proxiesI32, proxy.index * PROXY_WORDS + P_FRONT_MAXCONN, maxconn);
  await context.orders.order({ kind: "limits-changed" });
  return done();
}

/** `maxconn` is at most what the process was started with: rows are made for so many. */
export async function setProcessMaxconn(context: CommitContext, maxconn: number): Promise<Receipt> {
  Atomics.store(context.memory.words, W_MAXCONN, maxconn);
  await context.orders.order({ kind: "limits-changed" });
  return done();
}
