// All of a reload that can fail, before anything changes: names to addresses, files that have to be there, threads to be
// started, sockets to be bound. What was opened is closed again if it comes to nothing. Control thread.

import { accessSync, constants } from "node:fs";
import { AppError, systemReason } from "../../base/errors.ts";
import { Turns } from "../../base/turns.ts";
import { diffSteps } from "../../config/diff/diff.ts";
import type { Config, ProxyConfig, ServerConfig } from "../../config/model.ts";
import { type SharedMemory, threadsInService } from "../../memory/shared-memory.ts";
import { initialServerAddress, NameLookup, resolveNameservers } from "../addresses.ts";
import type { ResolvedAddress } from "../change.ts";
import type { MutableRegistry } from "../commit-context.ts";
import { defaultThreads, fitMaxconn } from "../process-size.ts";
import type { Registry } from "../registry.ts";
import type { ThreadKeeper } from "../thread-service.ts";
import { matchSteps } from "./match.ts";
import type { PreparedReload } from "./model.ts";
import type { ListenerPlanning } from "./plan-listeners.ts";

/** What runs, as far as a reload has to fit into it. */
interface Running {
  readonly registry: MutableRegistry;
  readonly memory: SharedMemory;
  readonly threads: Pick<ThreadKeeper, "prepare">;
  /** `-n` of the command line. */
  readonly maxconn: number | undefined;
}

/** Throws AppError; what `planning` has opened is the caller's to undo. `warn`: something that does not stop it. */
export async function prepareReload(
  running: Running,
  config: Config,
  planning: ListenerPlanning,
  warn: (text: string) => void,
): Promise<PreparedReload> {
  const { registry, memory } = running;
  const threads = wantedThreads(registry, memory, config);
  const maxconn = limitOf(running, config, threads);
  const turns = new Turns();
  const diff = await turns.run(diffSteps(registry.config, config));
  checkFiles(config);
  const resolvers = await resolveNameservers(config.resolvers);
  const addresses = await lookUpAddresses(registry, config, turns, warn);
  await running.threads.prepare(threads);
  // Last, because clients may come as soon as a socket listens.
  const listeners = await planning.plan(registry, config, maxconn);
  return { config, diff, maxconn, threads, addresses, resolvers, listeners };
}

/** The process's limit of sessions; where neither command line nor configuration names one, it stays what it is. */
function limitOf({ registry, memory, maxconn: fixed }: Running, config: Config, threads: number): number {
  const wanted = fixed ?? config.global.maxconn;
  const isAsBefore = wanted === registry.maxconn && threads <= threadsInService(memory);
  if (wanted === undefined || isAsBefore) return registry.maxconn;
  checkRoom(memory, wanted);
  // Raises the file limit, or says why that does not do.
  return fitMaxconn(config, threads, wanted).maxconn;
}

/** Throws AppError where something listens, and nothing would any more: HAProxy does not start with such a file, which may be cut off. */
export function checkListening(old: Config, next: Config): void {
  const listens = ({ proxies }: Config): boolean =>
    proxies.some(({ disabled, binds }) => !disabled && binds.length > 0);
  if (!listens(old) || listens(next)) return;
  const hint = "a file that was cut off? To end the program stop it; to pause a frontend there is 'disable frontend'";
  throw new AppError("no-listener", "nothing would listen any more: there is no 'bind' line.", hint);
}

/** Throws AppError where so many sessions do not fit into the tables. */
export function checkRoom(memory: SharedMemory, maxconn: number): void {
  if (maxconn <= memory.rowsPerThread) return;
  throw new AppError(
    "maxconn-too-high",
    `maxconn ${maxconn} needs a restart: this process was started with room for ${memory.rowsPerThread} sessions.`,
  );
}

/**
 * Relay threads in service under a new configuration. Where it does not name them they stay, or are one for each core if the one before
 * did.
 */
export function namedThreads({ config: { global } }: Registry, memory: SharedMemory, next: Config): number {
  const { nbthread } = next.global;
  if (nbthread !== undefined) return nbthread;
  return global.nbthread === undefined ? threadsInService(memory) : Math.min(defaultThreads(), memory.slots);
}

/** The same. Throws AppError where there is no room for so many. */
export function wantedThreads(registry: Registry, memory: SharedMemory, next: Config): number {
  const threads = namedThreads(registry, memory, next);
  if (threads <= memory.slots) return threads;
  throw new AppError(
    "nbthread-too-high",
    `nbthread ${threads} needs a restart: this process was started with room for ${memory.slots} relay threads.`,
    `set nbthread to ${memory.slots} or less, or restart`,
  );
}

/** Throws AppError where a file that checks read is not there: it would take servers down. */
export function checkFiles(config: Config): void {
  const seen = new Set<string>();
  for (const { servers } of config.proxies) {
    for (const { health, place } of servers) {
      if (health?.tls === undefined) continue;
      for (const file of [health.tls.caFile, health.tls.crtFile]) {
        if (file === undefined || seen.has(file)) continue;
        seen.add(file);
        try {
          accessSync(file, constants.R_OK);
        } catch (error) {
          throw new AppError("unreadable", `cannot read '${file}': ${systemReason(error)}`, undefined, place);
        }
      }
    }
  }
}

/** First addresses of the servers that are not there yet. */
async function lookUpAddresses(
  registry: MutableRegistry,
  config: Config,
  turns: Turns,
  warn: (text: string) => void,
): Promise<ReadonlyMap<ServerConfig, ResolvedAddress | undefined>> {
  const names = new NameLookup();
  const found = new Map<ServerConfig, ResolvedAddress | undefined>();
  const missing: { readonly proxy: ProxyConfig; readonly server: ServerConfig }[] = [];
  const { proxies } = await turns.run(matchSteps(registry, config));
  for (const { config: proxy, servers } of proxies) {
    for (const { entry, staysDeleted, config: server } of servers) {
      if (entry === undefined && !staysDeleted) missing.push({ proxy, server });
    }
  }
  for (const { proxy, server } of missing) {
    if (turns.isLong) await turns.next();
    const { file, line } = server.place;
    const where = `[${file}:${line}] : 'server ${proxy.name}/${server.name}' :`;
    const address = await initialServerAddress(server, names, (host) =>
      warn(`${where} could not resolve address '${host}', disabling server.`),
    ).catch((error: Error) => {
      const what = `server ${proxy.name}/${server.name}: ${error.message}`;
      throw new AppError("cannot-resolve", what, undefined, server.place);
    });
    found.set(server, address);
  }
  return found;
}
