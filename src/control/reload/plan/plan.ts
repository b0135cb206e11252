// What a reload would do: the differences of the configurations, with what only the running process knows: sessions, and what operators
// changed. Reads registry and tables, changes nothing. Control thread; `program.settled` around it, so that no change is half done.

import { AppError } from "../../../base/errors.ts";
import { runThrough } from "../../../base/turns.ts";
import { diffConfigs } from "../../../config/diff/diff.ts";
import type { BindOf, BindsDiff, ConfigDiff, KeptBind } from "../../../config/diff/model.ts";
import type { Config, ProxyConfig } from "../../../config/model.ts";
import { P_BACK_SESSIONS, P_FRONT_SESSIONS, PROXY_WORDS } from "../../../memory/proxy-row.ts";
import { SERVER_WORDS, V_FLAGS, VF_DYNAMIC } from "../../../memory/server-row.ts";
import type { SharedMemory } from "../../../memory/shared-memory.ts";
import { attachedTo } from "../../reconcile/eviction.ts";
import { sessionsOfServer } from "../../reconcile/leaving.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../../registry.ts";
import { otherName } from "../leaving-names.ts";
import { type Match, type MatchedServer, matchConfig } from "../match.ts";
import { checkFiles, checkListening, checkRoom, namedThreads, wantedThreads } from "../prepare.ts";
import { leavingThreads } from "./leaving-threads.ts";
import type { ChangedListener, LeavingProxy, LeavingServer, PlannedServer, ReloadPlan } from "./model.ts";
import {
  changedProxies,
  changedServers,
  fateOf,
  hasChanges,
  namedListener,
  otherParts,
  plannedProxy,
  plannedServer,
} from "./parts.ts";
import { policyCuts } from "./policy-cuts.ts";
import { processLimits, runtimeValues, shutStory } from "./runtime-values.ts";

/** The plan of a reload to `next`. `nowMs`: by the relays' clock. */
export function planReload(
  registry: Registry,
  memory: SharedMemory,
  next: Config,
  nowMs: number,
  diff: ConfigDiff = diffConfigs(registry.config, next),
): ReloadPlan {
  const look: Look = { registry, memory, next, match: matchConfig(registry, next) };
  const gone = look.match.others.filter(({ leaving }) => leaving === undefined);
  return {
    refusal: refusalOf(look),
    ...otherParts(diff),
    proxies: {
      kept: look.match.proxies.filter(({ entry }) => entry !== undefined).length,
      added: look.match.proxies.filter(({ entry }) => entry === undefined).map(({ config }) => plannedProxy(config)),
      changed: changedProxies(diff),
      leaving: gone.map((proxy) => leavingProxy(memory, next, proxy, ({ leaving }) => leaving === undefined)),
    },
    servers: plannedServers(look, diff, gone),
    listeners: plannedListeners(look, diff.binds),
    cuts: policyCuts(memory, look.match, nowMs),
    leavingThreads: leavingThreads(memory, namedThreads(registry, memory, next)),
    ...runThrough(runtimeValues(memory, look.match, processLimits(registry, next))),
  };
}

/** Who is who is the reload's own judgement (`match.ts`): it knows of what leaves, and of what operators added and deleted. */
function plannedServers(look: Look, diff: ConfigDiff, gone: readonly ProxyEntry[]): ReloadPlan["servers"] {
  const { memory, next, match } = look;
  const matched = match.proxies.flatMap(({ config, servers }) => servers.map((server) => ({ config, server })));
  const those = (isMeant: (server: MatchedServer) => boolean): readonly PlannedServer[] =>
    matched.filter(({ server }) => isMeant(server)).map(({ config, server }) => plannedServer(config, server.config));
  const others = match.proxies.map((proxy) => ({
    ...proxy,
    named: new Set(proxy.config.servers.map(({ name }) => name)),
  }));
  const isStaying = (server: ServerEntry, names: ReadonlySet<string>): boolean =>
    isDynamic(look, server) && !names.has(server.config.name);
  const present = ({ leaving, isDeleted }: ServerEntry): boolean => leaving === undefined && !isDeleted;
  return {
    kept: matched.filter(({ server }) => server.entry !== undefined).length,
    added: those(({ entry, staysDeleted }) => entry === undefined && !staysDeleted),
    changed: runThrough(changedServers(diff)),
    leaving: [
      ...others.flatMap(({ others: left, named: names }) =>
        left
          .filter((server) => present(server) && !isStaying(server, names))
          .map((server) =>
            names.has(server.config.name)
              ? { ...leavingServer(memory, next, server, "readdressed"), called: otherName(server) }
              : leavingServer(memory, next, server, "removed"),
          ),
      ),
      ...gone.flatMap(({ servers }) =>
        servers.filter(present).map((server) => leavingServer(memory, next, server, "section")),
      ),
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

/** What listens is not what the old file says where an operator shut a frontend down: it stays so until its addresses change. */
function plannedListeners({ match }: Look, { kept, moved, opened, closed }: BindsDiff): ReloadPlan["listeners"] {
  const entries = new Map(match.proxies.map(({ config, entry }) => [config, entry]));
  const shut = new Set(
    [...entries.values(), ...match.others].flatMap((entry) => (isShut(entry) ? [entry.config] : [])),
  );
  const staysShut = (proxy: ProxyConfig): boolean => {
    const entry = entries.get(proxy);
    return entry !== undefined && shutStory(entry, proxy) === "stays";
  };
  const isOpen = ({ old }: KeptBind): boolean => !shut.has(old.proxy);
  const present = kept.filter((bind) => !staysShut(bind.new.proxy));
  const again = [...present, ...moved].filter((bind) => !isOpen(bind)).map((bind) => bind.new);
  return {
    kept: present.filter(isOpen).length,
    opened: inOrder(match, [...opened, ...again]).map(namedListener),
    changed: present.filter((bind) => isOpen(bind) && hasChanges(bind)).map(changedListener),
    moved: moved.filter(isOpen).map((bind) => ({ ...changedListener(bind), from: bind.old.proxy.name })),
    closed: closed.filter(({ proxy }) => !shut.has(proxy)).map(namedListener),
  };
}

const isShut = (entry: ProxyEntry | undefined): entry is ProxyEntry =>
  entry?.stopped === true && entry.leaving === undefined;

/** As the configuration has them. */
function inOrder({ proxies }: Match, binds: readonly BindOf[]): readonly BindOf[] {
  const wanted = new Map(binds.map((each) => [each.bind, each]));
  return proxies.flatMap(({ config }) => config.binds).flatMap((bind) => wanted.get(bind) ?? []);
}

const changedListener = ({ new: now, changes }: KeptBind): ChangedListener => ({ ...namedListener(now), changes });

/** What `prepareReload` refuses before it opens anything. `-n` of the command line, where it is in force, outdoes the file. */
function refusalOf({ registry, memory, next }: Look): string | null {
  try {
    checkListening(registry.config, next);
    wantedThreads(registry, memory, next);
    checkRoom(memory, processLimits(registry, next).new);
    checkFiles(next);
    return null;
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

/** The running process, seen from the configurations. */
interface Look {
  readonly registry: Registry;
  readonly memory: SharedMemory;
  readonly next: Config;
  readonly match: Match;
}

/** A section that leaves, with the sessions that it has now. `isPresent`: of servers that leave with it, and did not before. */
export function leavingProxy(
  memory: SharedMemory,
  next: Config,
  { config, index, isFrontend, servers }: ProxyEntry,
  isPresent: (server: ServerEntry) => boolean,
): LeavingProxy {
  const word = isFrontend ? P_FRONT_SESSIONS : P_BACK_SESSIONS;
  const all = Atomics.load(memory.proxiesI32, index * PROXY_WORDS + word);
  const present = isFrontend ? [] : servers.filter(isPresent);
  const sessions = Math.max(0, all - present.reduce((sum, server) => sum + attachedTo(memory, server), 0));
  return { ...plannedProxy(config), ...fateOf(next, sessions, config.onRemoved) };
}

/** A server that leaves, with the sessions that it has now, and the name that it has now. */
export function leavingServer(
  memory: SharedMemory,
  next: Config,
  server: ServerEntry,
  why: LeavingServer["why"],
): LeavingServer {
  const { config, backend, name: called } = server;
  const sessions = sessionsOfServer(memory, server);
  return { ...plannedServer(backend.config, config), why, called, ...fateOf(next, sessions, config.policy.onRemoved) };
}
