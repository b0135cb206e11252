// Which listening sockets a new configuration keeps, takes over from another frontend, or needs: the new ones are bound here, before
// anything changes, and closed again if the reload comes to nothing. Control thread.

import { Turns } from "../../base/turns.ts";
import type { BindConfig, Config, ProxyConfig } from "../../config/model.ts";
import { allowOverlap } from "../../sys/listening-socket.ts";
import { backlogOf } from "../build-registry.ts";
import { type BoundListener, bindListener, closeBound, listenerKey } from "../listeners.ts";
import type { ListenerEntry, ProxyEntry, Registry } from "../registry.ts";
import { keyOf } from "./match.ts";
import type { ListenerPlan, PlannedListener } from "./model.ts";

interface Wanted {
  readonly proxy: ProxyConfig;
  readonly bind: BindConfig;
  readonly key: string;
  readonly backlog: number;
  socket: PlannedListener["socket"] | undefined;
}

/** Sockets that were bound for a reload, and options that were set for it. */
export class ListenerPlanning {
  readonly #bound: BoundListener[] = [];
  readonly #overlapping: number[] = [];

  /** Binds what is missing. Throws AppError "cannot-bind" or "cannot-resolve"; then `undo` is the caller's. */
  async plan(registry: Registry, config: Config, maxconn: number): Promise<ListenerPlan> {
    const open = registry.proxies.flatMap((proxy) => proxy.listeners).filter(({ fd }) => fd >= 0);
    const wanted: Wanted[] = [];
    const byFrontend = new Map<ProxyConfig, Wanted[]>();
    const shut = shutDown(registry);
    const turns = new Turns();
    for (const proxy of config.proxies) {
      if (turns.isLong) await turns.next();
      if (proxy.kind === "backend" || proxy.disabled || (await staysShutDown(shut.get(keyOf(proxy)), proxy))) continue;
      const own: Wanted[] = [];
      for (const bind of proxy.binds) {
        const key = await listenerKey(bind);
        own.push({ proxy, bind, key, backlog: backlogOf(proxy, bind, maxconn), socket: undefined });
      }
      byFrontend.set(proxy, own);
      wanted.push(...own);
    }
    const closing = keepFurther(byFrontend, assign(wanted, open));
    await this.#bindMissing(wanted, closing);
    const planned = ([proxy, own]: [ProxyConfig, Wanted[]]): [ProxyConfig, PlannedListener[]] => [
      proxy,
      own.map(({ bind, backlog, socket }) => ({ bind, backlog, socket: socket! })),
    ];
    return { byFrontend: new Map([...byFrontend].map(planned)), closing };
  }

  /** The reload comes to nothing: closes what was bound. */
  undo(): void {
    for (const bound of this.#bound) closeBound(bound);
    this.forbidOverlap();
  }

  /** Once the sockets that were in the way are closed, none may be bound beside ours any more. */
  forbidOverlap(): void {
    for (const fd of this.#overlapping) allowOverlap(fd, false);
    this.#overlapping.length = 0;
  }

  /** Those that stand in each other's way come last: between them and the reload nothing can fail any more. */
  async #bindMissing(wanted: readonly Wanted[], closing: readonly ListenerEntry[]): Promise<void> {
    const blocked: Wanted[] = [];
    for (const want of wanted) {
      if (want.socket !== undefined) continue;
      const rivals = rivalsOf(want, closing);
      if (rivals.length > 0) blocked.push(want);
      else await this.#bind(want, []);
    }
    for (const want of blocked) await this.#bind(want, rivalsOf(want, closing));
  }

  async #bind(want: Wanted, rivals: readonly ListenerEntry[]): Promise<void> {
    for (const { fd } of rivals) {
      if (allowOverlap(fd, true) === 0) this.#overlapping.push(fd);
    }
    const bound = await bindListener(want.proxy.name, want.bind, want.backlog, { reusePort: rivals.length > 0 });
    this.#bound.push(bound);
    if (rivals.length > 0) this.#overlapping.push(bound.fd);
    want.socket = { kind: "new", bound };
  }
}

/** Gives open sockets to those who want their address, to the same frontend first; those that are left. */
function assign(wanted: readonly Wanted[], open: readonly ListenerEntry[]): ListenerEntry[] {
  const left = new Map<string, ListenerEntry[]>();
  for (const listener of open) {
    const same = left.get(listener.key);
    if (same === undefined) left.set(listener.key, [listener]);
    else same.push(listener);
  }
  const take = (want: Wanted, isOwn: (proxy: ProxyEntry) => boolean): void => {
    const same = left.get(want.key) ?? [];
    const index = same.findIndex(({ proxy }) => isOwn(proxy));
    if (want.socket === undefined && index >= 0) want.socket = { kind: "open", entry: same.splice(index, 1)[0]! };
  };
  for (const want of wanted) {
    take(want, ({ config }) => config.kind === want.proxy.kind && config.name === want.proxy.name);
  }
  for (const want of wanted) take(want, () => true);
  const still = new Set([...left.values()].flat());
  return open.filter((listener) => still.has(listener));
}

/**
 * Several sockets on one address came from another process: whoever has the address goes on listening on all of them. Those that are
 * really left.
 */
function keepFurther(byFrontend: ReadonlyMap<ProxyConfig, Wanted[]>, left: readonly ListenerEntry[]): ListenerEntry[] {
  if (left.length === 0) return [];
  const owners = new Map<string, { readonly own: Wanted[]; readonly want: Wanted }>();
  for (const own of byFrontend.values()) for (const want of own) owners.set(want.key, { own, want });
  return left.filter((entry) => {
    const owner = owners.get(entry.key);
    owner?.own.push({ ...owner.want, socket: { kind: "open", entry } });
    return owner === undefined;
  });
}

/** Sockets to be closed that the kernel will not let a new one be bound beside: another address, the same port. */
function rivalsOf({ bind }: Wanted, closing: readonly ListenerEntry[]): ListenerEntry[] {
  const { endpoint } = bind;
  if (endpoint.kind !== "inet" || endpoint.port === 0) return [];
  return closing.filter((other) => other.bind.endpoint.kind === "inet" && other.bind.endpoint.port === endpoint.port);
}

/** Frontends that an operator shut down, by kind and name. */
function shutDown({ proxies }: Registry): ReadonlyMap<string, ProxyEntry> {
  const shut = proxies.filter(({ stopped, leaving }) => stopped && leaving === undefined);
  return new Map(shut.map((proxy) => [keyOf(proxy.config), proxy]));
}

/** `shutdown frontend` holds for as long as the file says the same about where it listens. */
async function staysShutDown(entry: ProxyEntry | undefined, config: ProxyConfig): Promise<boolean> {
  if (entry === undefined || entry.config.disabled !== config.disabled) return false;
  if (entry.config.binds.length !== config.binds.length) return false;
  for (const [i, bind] of config.binds.entries()) {
    if ((await listenerKey(bind)) !== (await listenerKey(entry.config.binds[i]!))) return false;
  }
  return true;
}

/** For a frontend that the plan leaves shut. */
export const staysShut = (plan: ListenerPlan, config: ProxyConfig): boolean =>
  config.kind !== "backend" && !config.disabled && !plan.byFrontend.has(config);
