// What a reload would do: the differences of the configurations, with what only the running process knows: sessions, and what operators
// changed. Reads registry and tables, changes nothing. Control thread; `program.settled` around it, so that no change is half done.

import { AppError } from "../../../base/errors.ts";
import { formatEndpoint } from "../../../config/address.ts";
import { diffConfigs } from "../../../config/diff/diff.ts";
import type { BindOf, ConfigDiff, Kept, KeptBind, KeptProxy, ListDiff } from "../../../config/diff/model.ts";
import type { RemovalPolicy } from "../../../config/health-model.ts";
import type { Config, ProxyConfig, ServerConfig } from "../../../config/model.ts";
import { P_FRONT_SESSIONS, PROXY_WORDS } from "../../../memory/proxy-row.ts";
import { SERVER_WORDS, V_FLAGS, VF_DYNAMIC } from "../../../memory/server-row.ts";
import type { SharedMemory } from "../../../memory/shared-memory.ts";
import { sessionsOfServer } from "../../reconcile/leaving.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../../registry.ts";
import { type Match, type MatchedServer, matchConfig } from "../match.ts";
import { checkFiles, checkRoom, wantedThreads } from "../prepare.ts";
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
import {
  frontendStories,
  processLimits,
  processStories,
  type RuntimeValues,
  serverStories,
  sortStories,
} from "./runtime-values.ts";

/** The plan of a reload to `next`. `diff`: from the registry's configuration to it, if the caller has it already. */
export function planReload(
  registry: Registry,
  memory: SharedMemory,
  next: Config,
  diff: ConfigDiff = diffConfigs(registry.config, next),
): ReloadPlan {
  const look: Look = { registry, memory, next, match: matchConfig(registry, next) };
  const { proxies, binds } = diff;
  const gone = look.match.others.filter(({ leaving }) => leaving === undefined);
  return {
    refusal: refusalOf(look),
    hasChanges: diff.hasChanges,
    needsRestart: diff.global.some(({ effect }) => effect === "needs a restart"),
    proxies: {
      added: look.match.proxies.filter(({ entry }) => entry === undefined).map(({ config }) => plannedProxy(config)),
      changed: proxies.kept.filter(hasChanges).map(({ new: now, changes }) => ({ ...named(now), changes })),
      leaving: gone.map((proxy) => ({ ...plannedProxy(proxy.config), ...proxyFate(look, proxy) })),
    },
    servers: plannedServers(look, proxies.kept, gone),
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
    ...runtimeValues(look),
  };
}

/** Who is who is the reload's own judgement (`match.ts`): it knows of what leaves, and of what operators added and deleted. */
function plannedServers(look: Look, kept: readonly KeptProxy[], gone: readonly ProxyEntry[]): ReloadPlan["servers"] {
  const matched = look.match.proxies.flatMap(({ config, servers }) => servers.map((server) => ({ config, server })));
  const those = (isMeant: (server: MatchedServer) => boolean): readonly PlannedServer[] =>
    matched.filter(({ server }) => isMeant(server)).map(({ config, server }) => plannedServer(config, server.config));
  const others = look.match.proxies.map((proxy) => ({
    ...proxy,
    named: new Set(proxy.config.servers.map(({ name }) => name)),
  }));
  const isStaying = (server: ServerEntry, names: ReadonlySet<string>): boolean =>
    isDynamic(look, server) && !names.has(server.config.name);
  const present = ({ leaving, isDeleted }: ServerEntry): boolean => leaving === undefined && !isDeleted;
  return {
    added: those(({ entry, staysDeleted }) => entry === undefined && !staysDeleted),
    changed: kept.flatMap(({ new: now, servers }) =>
      servers.kept.filter(hasChanges).map((server) => ({ ...plannedServer(now, server.new), changes: server.changes })),
    ),
    leaving: [
      ...others.flatMap(({ others: left, named: names }) =>
        left
          .filter((server) => present(server) && !isStaying(server, names))
          .map((server) => leavingServer(look, server, names.has(server.config.name) ? "readdressed" : "removed")),
      ),
      ...gone.flatMap(({ servers }) => servers.filter(present).map((server) => leavingServer(look, server, "section"))),
    ],
    adopted: those(({ entry }) => entry !== undefined && (entry.leaving !== undefined || isDynamic(look, entry))),
    dynamic: others.flatMap(({ config, others: left, named: names }) =>
      left
        .filter((server) => present(server) && isStaying(server, names))
        .map((server) => plannedServer(config, server.config)),
    ),
    staysDeleted: those(({ staysDeleted }) => staysDeleted),
  };
}

const isDynamic = ({ memory }: Look, { index }: ServerEntry): boolean =>
  (memory.serversI32[index * SERVER_WORDS + V_FLAGS] & VF_DYNAMIC) !== 0;

/** What `prepareReload` refuses before it opens anything. `-n` of the command line, where it is in force, outdoes the file. */
function refusalOf({ registry, memory, next }: Look): string | null {
  try {
    wantedThreads(registry, memory, next);
    checkRoom(memory, processLimits(registry, next).new);
    checkFiles(next);
    return null;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
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
  readonly match: Match;
}

function proxyFate(look: Look, proxy: ProxyEntry): Fate {
  const { onRemoved } = proxy.config;
  if (!proxy.isFrontend) return fateOf(look, 0, onRemoved);
  const sessions = Atomics.load(look.memory.proxiesI32, proxy.index * PROXY_WORDS + P_FRONT_SESSIONS);
  return fateOf(look, sessions, onRemoved);
}

function leavingServer(look: Look, server: ServerEntry, why: LeavingServer["why"]): LeavingServer {
  const { config, backend } = server;
  const sessions = sessionsOfServer(look.memory, server);
  return { ...plannedServer(backend.config, config), why, ...fateOf(look, sessions, config.policy.onRemoved) };
}

/** What was changed at runtime in what stays, and in servers whose name goes to one with another address. */
function runtimeValues({ registry, memory, next, match }: Look): RuntimeValues {
  const values: RuntimeValues = { overruled: [], staying: [] };
  const limits = processLimits(registry, next);
  sortStories("global", processStories(memory, limits), values);
  for (const { config: now, entry: proxy, servers, others } of match.proxies) {
    if (proxy === undefined) continue;
    if (proxy.isFrontend) sortStories(`${now.kind} ${now.name}`, frontendStories(memory, proxy, now, limits), values);
    for (const { entry, config } of servers) {
      if (entry !== undefined) sortStories(`${now.name}/${config.name}`, serverStories(memory, entry, config), values);
    }
    const successors = new Map(servers.map(({ config }) => [config.name, config]));
    for (const server of others) {
      const successor = successors.get(server.config.name);
      if (successor === undefined || server.leaving !== undefined) continue;
      sortStories(`${now.name}/${server.name}`, serverStories(memory, server, successor), values, true);
    }
  }
  return values;
}

function fateOf(look: Look, sessions: number, policy: RemovalPolicy = { kind: "keep" }): Fate {
  const own = policy.kind === "keep" ? Number.POSITIVE_INFINITY : policy.kind === "drain" ? policy.timeMs : 0;
  const endsAfterMs = Math.min(own, look.next.global.hardStopAfterMs ?? Number.POSITIVE_INFINITY);
  return { sessions, policy, endsAfterMs: endsAfterMs === Number.POSITIVE_INFINITY ? null : endsAfterMs };
}
