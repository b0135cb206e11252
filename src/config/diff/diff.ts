// Old configuration and new one to what differs. Pure; any thread. Time and memory grow with the number of things, not with
// its square: tens of thousands of servers are compared in milliseconds.

import { runThrough, type Steps } from "../../base/turns.ts";
import type { BindConfig, Config, LogTarget, ProxyConfig, ServerConfig } from "../model.ts";
import type {
  BindOf,
  BindsDiff,
  ConfigDiff,
  Kept,
  KeptBind,
  KeptProxy,
  ListDiff,
  ServersDiff,
  SettingChange,
} from "./model.ts";
import {
  compareBinds,
  compareGlobals,
  compareProxies,
  compareResolvers,
  compareStatsSections,
  compareStatsSockets,
} from "./proxy-settings.ts";
import { endpointKey, sameEndpoint, serverComparison } from "./server-settings.ts";
import { changeOf } from "./settings.ts";
import { logTargetText } from "./value-text.ts";

/** What a reload from `old` to `now` changes. Sections are the same by kind and name, servers by name and endpoint too. */
export const diffConfigs = (old: Config, now: Config): ConfigDiff => runThrough(diffSteps(old, now));

/** The same in parts. */
export function* diffSteps(old: Config, now: Config): Steps<ConfigDiff> {
  const proxies = yield* diffProxies(old, now);
  const binds = diffBinds(old.proxies, now.proxies);
  const rest = {
    global: compareGlobals(old.global, now.global),
    resolvers: diffLists(old.resolvers, now.resolvers, ({ name }) => name, compareResolvers),
    logTargets: diffLists(old.global.logs, now.global.logs, logTargetText, () => []),
    statsSockets: diffLists(
      old.global.statsSockets,
      now.global.statsSockets,
      ({ endpoint }) => endpointKey(endpoint),
      compareStatsSockets,
    ),
    statsSections: diffLists(old.statsSections, now.statsSections, ({ name }) => name, compareStatsSections),
  };
  const hasChanges =
    proxies.added.length > 0 ||
    proxies.removed.length > 0 ||
    proxies.kept.some(proxyChanges) ||
    bindsChange(binds) ||
    rest.global.length > 0 ||
    [rest.resolvers, rest.logTargets, rest.statsSockets, rest.statsSections].some(listChanges);
  return { hasChanges, proxies, binds, ...rest };
}

const hasOwnChanges = ({ changes }: { readonly changes: readonly unknown[] }): boolean => changes.length > 0;

function listChanges({ added, kept, removed }: ListDiff<unknown>): boolean {
  return added.length > 0 || removed.length > 0 || kept.some(hasOwnChanges);
}

function proxyChanges({ changes, servers }: KeptProxy): boolean {
  return changes.length > 0 || servers.readdressed.length > 0 || listChanges(servers);
}

function bindsChange({ kept, moved, opened, closed }: BindsDiff): boolean {
  return moved.length > 0 || opened.length > 0 || closed.length > 0 || kept.some(hasOwnChanges);
}

const proxyKey = ({ kind, name }: ProxyConfig): string => `${kind} ${name}`;

function* diffProxies(old: Config, now: Config): Steps<ConfigDiff["proxies"]> {
  const oldLogs: ReadonlySet<LogTarget> = new Set(old.global.logs);
  const nowLogs: ReadonlySet<LogTarget> = new Set(now.global.logs);
  const compare = (before: ProxyConfig, after: ProxyConfig) => compareProxies(before, after, oldLogs, nowLogs);
  const { added, kept, removed } = yield* listSteps(old.proxies, now.proxies, proxyKey, compare);
  const whole: KeptProxy[] = [];
  for (const proxy of kept) {
    yield;
    whole.push(yield* keptProxy(proxy));
  }
  return { added, kept: whole, removed };
}

function* keptProxy({ old, new: now, changes }: Kept<ProxyConfig>): Steps<KeptProxy> {
  const hasSameNames = sameNames(old, now);
  const servers = hasSameNames ? yield* diffSameNames(old, now) : yield* diffServers(old, now);
  if (hasSameNames) return { old, new: now, changes, servers };
  return { old, new: now, changes: [...changes, ...orderChange(servers.kept, old, now)], servers };
}

/** How many names of servers that changed places are shown. */
const ORDER_NAMES = 5;

/** Whether the servers that stay stand in another order, which `balance first` and others go by. */
function orderChange(kept: ServersDiff["kept"], old: ProxyConfig, now: ProxyConfig): readonly SettingChange[] {
  const names = new Set(kept.map((server) => server.new.name));
  const before = old.servers.filter(({ name }) => names.has(name));
  const first = kept.findIndex((server, index) => server.new.name !== before[index]?.name);
  if (first < 0) return [];
  const shown = (servers: readonly ServerConfig[]): string =>
    servers
      .slice(first, first + ORDER_NAMES)
      .map(({ name }) => name)
      .join(", ");
  const after = kept.map((server) => server.new);
  return [changeOf("order of servers", shown(before), shown(after), now.place)];
}

/** Servers between two occasions to rest. */
const PART = 64;

function* diffServers(old: ProxyConfig, now: ProxyConfig): Steps<ServersDiff> {
  const compare = serverComparison(old, now);
  const left = new Map(old.servers.map((server) => [server.name, server]));
  const added: ServerConfig[] = [];
  const kept: Kept<ServerConfig>[] = [];
  const readdressed: ServersDiff["readdressed"][number][] = [];
  for (const [i, server] of now.servers.entries()) {
    if (i % PART === PART - 1) yield;
    const before = left.get(server.name);
    left.delete(server.name);
    if (before === undefined) added.push(server);
    else if (!sameEndpoint(before, server)) readdressed.push({ old: before, new: server });
    else kept.push({ old: before, new: server, changes: compare(before, server) });
  }
  return { added, kept, removed: [...left.values()], readdressed };
}

/** The usual case, for which no map is needed: same names in the same order. */
function sameNames(old: ProxyConfig, now: ProxyConfig): boolean {
  return old.servers.length === now.servers.length && now.servers.every(({ name }, i) => old.servers[i]?.name === name);
}

function* diffSameNames(old: ProxyConfig, now: ProxyConfig): Steps<ServersDiff> {
  const compare = serverComparison(old, now);
  const kept: Kept<ServerConfig>[] = [];
  const readdressed: ServersDiff["readdressed"][number][] = [];
  for (const [i, server] of now.servers.entries()) {
    if (i % PART === PART - 1) yield;
    const before = old.servers[i] ?? server;
    if (sameEndpoint(before, server)) kept.push({ old: before, new: server, changes: compare(before, server) });
    else readdressed.push({ old: before, new: server });
  }
  return { added: [], kept, removed: [], readdressed };
}

const diffLists = <T>(...lists: Parameters<typeof listSteps<T>>): ListDiff<T> => runThrough(listSteps(...lists));

/** Things that are the same by a key; of several with one key, the first of both sides, the second and so on. */
function* listSteps<T>(
  old: readonly T[],
  now: readonly T[],
  keyOf: (item: T) => string,
  compare: (old: T, now: T) => Kept<T>["changes"],
): Steps<ListDiff<T>> {
  const left = groupByKey(old, keyOf);
  const added: T[] = [];
  const kept: Kept<T>[] = [];
  for (const item of now) {
    yield;
    const before = takeFirst(left, keyOf(item), () => true);
    if (before === undefined) added.push(item);
    else kept.push({ old: before, new: item, changes: compare(before, item) });
  }
  const still = new Set([...left.values()].flat());
  return { added, kept, removed: old.filter((item) => still.has(item)) };
}

function groupByKey<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function takeFirst<T>(groups: Map<string, T[]>, key: string, matches: (item: T) => boolean): T | undefined {
  const group = groups.get(key) ?? [];
  const index = group.findIndex(matches);
  return index < 0 ? undefined : group.splice(index, 1)[0];
}

const bindKey = ({ bind }: BindOf): string => `${endpointKey(bind.endpoint)} ${bind.v6only}`;

/** What listens: the addresses of the sections that are not disabled. */
function bindsOf(proxies: readonly ProxyConfig[]): readonly BindOf[] {
  return proxies
    .filter(({ disabled }) => !disabled)
    .flatMap((proxy) => proxy.binds.map((bind: BindConfig): BindOf => ({ bind, proxy })));
}

function diffBinds(old: readonly ProxyConfig[], now: readonly ProxyConfig[]): BindsDiff {
  const before = bindsOf(old);
  const left = groupByKey(before, bindKey);
  const kept: KeptBind[] = [];
  const moved: KeptBind[] = [];
  const opened: BindOf[] = [];
  const strangers: BindOf[] = [];
  // First what stays where it is: an address that two sections have must not change places with its twin.
  for (const item of bindsOf(now)) {
    const own = takeFirst(left, bindKey(item), ({ proxy }) => proxyKey(proxy) === proxyKey(item.proxy));
    if (own === undefined) strangers.push(item);
    else kept.push(keptBind(own, item));
  }
  for (const item of strangers) {
    const other = takeFirst(left, bindKey(item), () => true);
    if (other === undefined) opened.push(item);
    else moved.push(keptBind(other, item));
  }
  const still = new Set([...left.values()].flat());
  return { kept, moved, opened, closed: before.filter((item) => still.has(item)) };
}

function keptBind(old: BindOf, now: BindOf): KeptBind {
  return { old, new: now, changes: compareBinds(old.bind, now.bind) };
}
