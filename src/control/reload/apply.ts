// Puts a new configuration in force: rows are written while relays work, then one order tells them of all of it, then follows what single
// servers need. Nothing here can fail. Control thread, only called by `commit`.

import { LISTENERS_MAX } from "../../base/limits.ts";
import { Turns } from "../../base/turns.ts";
import type { ProxyConfig } from "../../config/model.ts";
import { W_MAXCONN, W_THREADS } from "../../memory/control-words.ts";
import { P_FRONT_MAXCONN, PROXY_WORDS } from "../../memory/proxy-row.ts";
import { SERVER_WORDS, V_IN_USE } from "../../memory/server-row.ts";
import { threadsInService } from "../../memory/shared-memory.ts";
import { noteBackendTimes } from "../backend-times.ts";
import { frontendLimit } from "../build-registry.ts";
import type { Receipt } from "../change.ts";
import { type CommitContext, refuse } from "../commit-context.ts";
import { newProxyEntry } from "../proxy-entry.ts";
import { nameFirstLeader } from "../reconcile/fence.ts";
import { beginLeaving, sessionsOfProxy } from "../reconcile/leaving.ts";
import { reconcile } from "../reconcile/reconcile.ts";
import { settleLoad } from "../reconcile/server-load.ts";
import type { ProxyEntry } from "../registry.ts";
import { freeProxyRow } from "../rows.ts";
import { bumpEpoch, writeProxyRow, writeProxySettings } from "../tables.ts";
import { followTracks } from "./apply-health.ts";
import { applyListeners } from "./apply-listeners.ts";
import { applyServers, removeServer } from "./apply-servers.ts";
import { nameLeaving } from "./leaving-names.ts";
import { type Match, type MatchedProxy, matchSteps } from "./match.ts";
import type { PreparedReload } from "./model.ts";
import { leavingThreads } from "./plan/leaving-threads.ts";
import { policyCuts } from "./plan/policy-cuts.ts";
import { runtimeValues } from "./plan/runtime-values.ts";
import { releaseEmpty } from "./release.ts";
import { removalPolicyOf } from "./removal-policy.ts";
import { type Foreseen, reportOf } from "./report.ts";
import { ReloadRun } from "./run.ts";

/** The receipt says what was done, and which sockets are to be closed now. Refused where the tables have no room. */
export async function applyReload(context: CommitContext, prepared: PreparedReload): Promise<Receipt> {
  const { registry, orders } = context;
  const turns = new Turns();
  const match = await turns.run(matchSteps(registry, prepared.config));
  const lack = lackOfRoom(context, prepared, match);
  if (lack !== undefined) return refuse("no-room", lack);
  const run = new ReloadRun(context, prepared, turns);
  const limits = { old: registry.maxconn, new: prepared.maxconn };
  // Before anything changes.
  const before: Foreseen = {
    ...(await turns.run(runtimeValues(context.memory, match, limits))),
    cuts: policyCuts(context.memory, match, context.nowMs()),
    leavingThreads: leavingThreads(context.memory, prepared.threads),
  };
  const proxies: ProxyEntry[] = [];
  for (const matched of match.proxies) {
    if (run.isLong) await run.nextTurn();
    proxies.push(await applyProxy(run, matched));
  }
  const removed = match.others.filter(({ leaving }) => leaving === undefined);
  for (const proxy of removed) removeProxy(run, proxy);
  await applySettings(run, proxies);
  followTracks(run, proxies);
  const listeners = applyListeners(run, proxies);
  registry.config = prepared.config;
  registry.proxies = [...proxies, ...match.others.filter(({ isDeleted }) => !isDeleted)];
  await turns.run(nameLeaving(registry));
  const backends = Int32Array.from(run.touched, ({ index }) => index);
  for (const { index } of run.touched) bumpEpoch(context.memory, index);
  const generation = { kind: "generation", backends, listeners: Int32Array.from(listeners) } as const;
  const beginMs = performance.now();
  const isFewer = prepared.threads < threadsInService(context.memory);
  // From now on connections are handed to those threads only.
  Atomics.store(context.memory.words, W_THREADS, prepared.threads);
  await orders.order(generation);
  run.deeds.relaysMs = performance.now() - beginMs;
  if (isFewer) await orders.order({ kind: "look-again" }, 0);
  // Once more, so that nothing of what leaves is on its way between threads any more (see server-state.ts).
  await orders.order({ ...generation, listeners: new Int32Array() });
  for (const follow of run.afterwards) {
    if (run.isLong) await run.nextTurn();
    await follow();
  }
  await settle(run);
  const report = await turns.run(reportOf(prepared.diff, match, before, run.deeds));
  return {
    done: true,
    matched: 0,
    ended: run.deeds.ended,
    survivors: 0,
    reload: report,
    closing: prepared.listeners.closing,
  };
}

async function applyProxy(run: ReloadRun, matched: MatchedProxy): Promise<ProxyEntry> {
  const { memory, registry } = run.context;
  const { config } = matched;
  let { entry } = matched;
  if (entry === undefined) {
    entry = newProxyEntry(freeProxyRow(memory, registry), config);
    registry.proxiesByIndex[entry.index] = entry;
    // Its backend may have no row yet.
    writeProxyRow(memory, entry, frontendLimit(config, run.prepared.maxconn), -1);
  }
  run.former.set(entry, entry.config);
  entry.config = config;
  if (entry.isBackend) await applyServers(run, entry, matched);
  if (matched.entry === undefined) nameFirstLeader(memory, entry);
  return entry;
}

/** After all proxies are there, so that each can name its backend; what a frontend named before goes on until then. */
async function applySettings(run: ReloadRun, proxies: readonly ProxyEntry[]): Promise<void> {
  const { memory, registry } = run.context;
  const { config, maxconn } = run.prepared;
  const table = memory.proxiesI32;
  if (maxconn !== registry.maxconn) Atomics.store(memory.words, W_MAXCONN, maxconn);
  const backends = new Map(proxies.filter(({ isBackend }) => isBackend).map((proxy) => [proxy.config.name, proxy]));
  for (const [i, proxy] of proxies.entries()) {
    if (run.isLong) await run.nextTurn();
    const now = config.proxies[i]!;
    const old = run.former.get(proxy)!;
    const before = frontendLimit(old, registry.maxconn);
    const current = table[proxy.index * PROXY_WORDS + P_FRONT_MAXCONN];
    const limit = frontendLimit(now, maxconn);
    proxy.id = now.id;
    proxy.name = now.name;
    proxy.leaving = undefined;
    const backend = now.defaultBackend === undefined ? undefined : backends.get(now.defaultBackend);
    const own = proxy.isBackend && now.defaultBackend === undefined ? proxy.index : -1;
    writeProxySettings(memory, proxy, limit === before ? current : limit, backend?.index ?? own);
    if (proxy.isBackend && run.isChanged(now)) reviewServers(run, proxy, old);
  }
  registry.maxconn = maxconn;
}

/** What servers go by has changed for all of the section. */
function reviewServers({ context, touched }: ReloadRun, backend: ProxyEntry, old: ProxyConfig): void {
  touched.add(backend);
  const { balance, disabled } = backend.config;
  for (const server of backend.servers) {
    if (balance.algorithm !== old.balance.algorithm) settleLoad(context.memory, server, context.nowMs());
    if (disabled !== old.disabled) context.events.onServerReloaded(server, { checks: true, name: true });
  }
}

function removeProxy(run: ReloadRun, proxy: ProxyEntry): void {
  const { memory, nowMs } = run.context;
  const { hardStopAfterMs } = run.prepared.config.global;
  const policy = removalPolicyOf(proxy.config.onRemoved);
  proxy.leaving = beginLeaving(policy, sessionsOfProxy(memory, proxy), nowMs(), hardStopAfterMs);
  proxy.stopped = true;
  run.departing.proxies.push(proxy);
  // Nobody new comes to a backend that no frontend names: those who are in it may still be served.
  for (const server of proxy.servers) if (server.leaving === undefined) removeServer(run, server, false);
  if (proxy.isBackend) run.touched.add(proxy);
}

/** What is empty is gone; what is not begins to leave; and every policy has its say. */
async function settle(run: ReloadRun): Promise<void> {
  const { context } = run;
  await releaseEmpty(run);
  for (const backend of run.touched) {
    if (run.isLong) await run.nextTurn();
    if (backend.isDeleted) continue;
    if (backend.leaving === undefined && noteBackendTimes(context.memory, backend))
      context.events.onBackendDown(backend);
    await reconcile(context, backend);
  }
  for (const proxy of run.departing.proxies) {
    if (!proxy.isDeleted && !run.touched.has(proxy)) await reconcile(context, proxy);
  }
  for (const { leaving } of [...run.departing.servers, ...run.departing.proxies])
    run.deeds.ended += leaving?.ended ?? 0;
}

/** What does not fit into the tables; undefined if all does. */
function lackOfRoom(context: CommitContext, prepared: PreparedReload, match: Match): string | undefined {
  const { memory, registry } = context;
  const proxies = match.proxies.filter(({ entry }) => entry === undefined).length;
  const freeProxies = memory.proxies - registry.proxies.length;
  if (proxies > freeProxies) return `${proxies} proxies are new, and there is room for ${freeProxies}`;
  let servers = 0;
  for (const proxy of match.proxies) for (const { entry } of proxy.servers) if (entry === undefined) servers++;
  let freeServers = 0;
  for (let row = 0; row < memory.servers && freeServers < servers; row++) {
    if (memory.serversI32[row * SERVER_WORDS + V_IN_USE] === 0) freeServers++;
  }
  if (servers > freeServers) return `${servers} servers are new, and there is room for ${freeServers}`;
  const sockets = [...prepared.listeners.byFrontend.values()].reduce((sum, listeners) => sum + listeners.length, 0);
  const all = sockets + prepared.listeners.closing.length;
  return all > LISTENERS_MAX ? `${all} listening addresses, and there is room for ${LISTENERS_MAX}` : undefined;
}
