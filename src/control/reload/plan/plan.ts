// What a reload would do: the differences of the configurations, with what only the running process knows: sessions, and what operators
// changed. Reads registry and tables, changes nothing. Control thread; `program.settled` around it, so that no change is half done.

import { formatEndpoint } from "../../../config/address.ts";
import { diffConfigs } from "../../../config/diff/diff.ts";
import type { BindOf, ConfigDiff, Kept, KeptBind, KeptProxy, ListDiff } from "../../../config/diff/model.ts";
import type { RemovalPolicy } from "../../../config/health-model.ts";
import type { Config, ProxyConfig, ServerConfig } from "../../../config/model.ts";
import { P_FRONT_SESSIONS, PROXY_WORDS } from "../../../memory/proxy-row.ts";
import { SERVER_WORDS, V_ATTACHED, V_QUEUE_LENGTH } from "../../../memory/server-row.ts";
import type { SharedMemory } from "../../../memory/shared-memory.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../../registry.ts";
import type {
  ChangedListener,
  Fate,
  LeavingServer,
  NamedListener,
  PlannedList,
  PlannedProxy,
  PlannedServer,
  ReloadPlan,
} from "./model.ts";
import { frontendStories, processStories, type RuntimeValues, serverStories, sortStories } from "./runtime-values.ts";

/** The plan of a reload to `next`. `diff`: from the registry's configuration to it, if the caller has it already. */
export function planReload(
  registry: Registry,
  memory: SharedMemory,
  next: Config,
  diff: ConfigDiff = diffConfigs(registry.config, next),
): ReloadPlan {
  const entries = new Map(registry.proxies.map((proxy) => [proxy.config, proxy]));
  const look: Look = { registry, memory, next, entries };
  const { proxies, binds } = diff;
  return {
    hasChanges: diff.hasChanges,
    needsRestart: diff.global.some(({ effect }) => effect === "needs a restart"),
    proxies: {
      added: proxies.added.map(plannedProxy),
      changed: proxies.kept.filter(hasChanges).map(({ new: now, changes }) => ({ ...named(now), changes })),
      leaving: proxies.removed.map((proxy) => ({ ...plannedProxy(proxy), ...proxyFate(look, proxy) })),
    },
    servers: {
      added: [
        ...proxies.kept.flatMap(({ new: now, servers }) =>
          addedServers(servers).map((server) => plannedServer(now, server)),
        ),
        ...proxies.added.flatMap((proxy) => proxy.servers.map((server) => plannedServer(proxy, server))),
      ],
      changed: proxies.kept.flatMap(({ new: now, servers }) =>
        servers.kept.filter(hasChanges).map((kept) => ({ ...plannedServer(now, kept.new), changes: kept.changes })),
      ),
      leaving: [
        ...proxies.kept.flatMap((proxy) => leavingServers(look, proxy)),
        ...proxies.removed.flatMap((proxy) =>
          serversOf(look, proxy).map((server) => leavingServer(look, server, "section")),
        ),
      ],
    },
    listeners: {
      opened: binds.opened.map(namedListener),
      changed: binds.kept.filter(hasChanges).map(changedListener),
      moved: binds.moved.map((bind) => ({ ...changedListener(bind), from: bind.old.proxy.name })),
      closed: binds.closed.map(namedListener),
    },
    global: diff.global,
    resolvers: plannedList(diff.resolvers, ({ name }) => name),
    logTargets: plannedList(diff.logTargets, ({ target }) =>
      target.kind === "udp"
        ? `${target.host}:${target.port}`
        : target.kind === "unix"
          ? target.path
          : `fd@${target.fd}`,
    ),
    statsSockets: plannedList(diff.statsSockets, ({ endpoint }) => formatEndpoint(endpoint)),
    statsSections: plannedList(diff.statsSections, ({ name }) => name),
    ...runtimeValues(look, proxies.kept),
  };
}

const hasChanges = ({ changes }: { readonly changes: readonly unknown[] }): boolean => changes.length > 0;

const named = ({ kind, name, place }: ProxyConfig): Omit<PlannedProxy, "servers"> => ({ kind, name, place });
const plannedProxy = (proxy: ProxyConfig): PlannedProxy => ({ ...named(proxy), servers: proxy.servers.length });

const plannedServer = ({ name: backend }: ProxyConfig, { name, endpoint, place }: ServerConfig): PlannedServer => ({
  backend,
  server: name,
  address: formatEndpoint(endpoint),
  place,
});

const addedServers = ({ added, readdressed }: KeptProxy["servers"]): readonly ServerConfig[] => [
  ...added,
  ...readdressed.map(({ new: now }) => now),
];

const namedListener = ({ bind, proxy }: BindOf): NamedListener => ({
  address: formatEndpoint(bind.endpoint),
  frontend: proxy.name,
  place: bind.place,
});

const changedListener = ({ new: now, changes }: KeptBind): ChangedListener => ({ ...namedListener(now), changes });

function plannedList<T>({ added, kept, removed }: ListDiff<T>, nameOf: (item: T) => string): PlannedList {
  const changed = kept.filter(hasChanges).map(({ new: now, changes }: Kept<T>) => ({ name: nameOf(now), changes }));
  return { added: added.map(nameOf), changed, removed: removed.map(nameOf) };
}

/** The running process, seen from the configurations. */
interface Look {
  readonly registry: Registry;
  readonly memory: SharedMemory;
  readonly next: Config;
  /** The registry's proxies hold the very objects of the configuration that is loaded. */
  readonly entries: ReadonlyMap<ProxyConfig, ProxyEntry>;
}

/** All servers of a section, those added at runtime too. */
const serversOf = ({ entries }: Look, proxy: ProxyConfig): readonly ServerEntry[] => entries.get(proxy)?.servers ?? [];

function proxyFate(look: Look, proxy: ProxyConfig): Fate {
  const entry = look.entries.get(proxy);
  if (entry === undefined || !entry.isFrontend) return fateOf(look, 0, proxy.onRemoved);
  const sessions = Atomics.load(look.memory.proxiesI32, entry.index * PROXY_WORDS + P_FRONT_SESSIONS);
  return fateOf(look, sessions, proxy.onRemoved);
}

function leavingServer(look: Look, server: ServerEntry, why: LeavingServer["why"]): LeavingServer {
  const row = server.index * SERVER_WORDS;
  const table = look.memory.serversI32;
  const sessions = Atomics.load(table, row + V_ATTACHED) + Atomics.load(table, row + V_QUEUE_LENGTH);
  const { config, backend } = server;
  return { ...plannedServer(backend.config, config), why, ...fateOf(look, sessions, config.policy.onRemoved) };
}

function leavingServers(look: Look, { old, servers }: KeptProxy): readonly LeavingServer[] {
  if (servers.removed.length === 0 && servers.readdressed.length === 0) return [];
  const entries = new Map(serversOf(look, old).map((entry) => [entry.config, entry]));
  const leaving = (config: ServerConfig, why: LeavingServer["why"]): readonly LeavingServer[] => {
    const entry = entries.get(config);
    // An operator may have deleted it before the file did.
    return entry === undefined ? [] : [leavingServer(look, entry, why)];
  };
  return [
    ...servers.removed.flatMap((server) => leaving(server, "removed")),
    ...servers.readdressed.flatMap((server) => leaving(server.old, "readdressed")),
  ];
}

/** What was changed at runtime in sections that are kept. */
function runtimeValues(look: Look, kept: readonly KeptProxy[]): RuntimeValues {
  const { memory, next } = look;
  const configs = { old: look.registry.config, new: next };
  const values: RuntimeValues = { overruled: [], staying: [] };
  sortStories("global", processStories(memory, configs.old, next), values);
  for (const { old, new: now, servers } of kept) {
    const proxy = look.entries.get(old);
    if (proxy === undefined) continue;
    if (proxy.isFrontend) sortStories(`${now.kind} ${now.name}`, frontendStories(memory, proxy, now, configs), values);
    const successors = new Map([...servers.kept, ...servers.readdressed].map((server) => [server.old, server.new]));
    const readdressed = new Set(servers.readdressed.map((server) => server.old));
    for (const server of proxy.servers) {
      const successor = successors.get(server.config);
      if (successor === undefined) continue;
      const stories = serverStories(memory, server, successor);
      sortStories(`${proxy.name}/${server.name}`, stories, values, readdressed.has(server.config));
    }
  }
  return values;
}

function fateOf(look: Look, sessions: number, policy: RemovalPolicy = { kind: "keep" }): Fate {
  const own = policy.kind === "keep" ? Number.POSITIVE_INFINITY : policy.kind === "drain" ? policy.timeMs : 0;
  const endsAfterMs = Math.min(own, look.next.global.hardStopAfterMs ?? Number.POSITIVE_INFINITY);
  return { sessions, policy, endsAfterMs: endsAfterMs === Number.POSITIVE_INFINITY ? null : endsAfterMs };
}
