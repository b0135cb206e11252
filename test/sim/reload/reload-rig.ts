// A simulated Headgate that can be reloaded: any number of sections and listening sockets, made of configuration texts, with the real
// parser, registry, preparation and commit. Only sockets are the simulated kernel's.

import { loadConfigText } from "../../../src/config/load.ts";
import type { Config, ProxyConfig } from "../../../src/config/model.ts";
import { buildRegistry } from "../../../src/control/build-registry.ts";
import type { Change, Receipt } from "../../../src/control/change.ts";
import type { CommitEvents, MutableRegistry } from "../../../src/control/commit-context.ts";
import type { BoundListener } from "../../../src/control/listeners.ts";
import { Evictions } from "../../../src/control/reconcile/eviction.ts";
import type { ListenerEntry, ProxyEntry } from "../../../src/control/registry.ts";
import type { ListenerPlan, PlannedListener, ReloadReport } from "../../../src/control/reload/model.ts";
import type { ReloadPlan } from "../../../src/control/reload/plan/model.ts";
import { planReload } from "../../../src/control/reload/plan/plan.ts";
import type { ListenerPlanning } from "../../../src/control/reload/plan-listeners.ts";
import { prepareReload } from "../../../src/control/reload/prepare.ts";
import { W_MAXCONN } from "../../../src/memory/control-words.ts";
import { allocateSharedMemory, type SharedMemory } from "../../../src/memory/shared-memory.ts";
import { SimThreads, TURNS_MAX } from "../sim-threads.ts";
import { FIRST_PORT, UPSTREAM_PORTS } from "./reload-config.ts";

const ROWS_PER_THREAD = 24;
const BACKLOG = 10;

/** What a configuration's text means; throws where it is not valid. */
export function loadText(text: string): Config {
  const { config, diagnostics } = loadConfigText(text, "sim.cfg", {}, () => undefined);
  if (config === undefined) throw new Error(diagnostics.map(({ message }) => message).join("; "));
  return config;
}

const portOf = ({ bind: { endpoint } }: Pick<ListenerEntry, "bind">): number =>
  endpoint.kind === "inet" ? endpoint.port : -1;

export class ReloadRig extends SimThreads {
  readonly registry: MutableRegistry;
  /** No `-n`. */
  readonly maxconn = undefined;
  readonly evictions = new Evictions();
  readonly commit: (change: Change) => Promise<Receipt>;
  /** When `reconcile` wants its next turn for a section; undefined: evictions do. */
  readonly due = new Map<ProxyEntry | undefined, number>();

  private constructor(memory: SharedMemory, registry: MutableRegistry, seed: number) {
    super(memory, { seed });
    this.registry = registry;
    memory.words[W_MAXCONN] = memory.rowsPerThread;
    for (const port of UPSTREAM_PORTS) this.world.addUpstream(port, false);
    // Threads read the tables at any time: amid a reload too.
    const amid = (): void => {
      if (this.world.random.chance(30)) this.turnAny();
    };
    const events: Partial<CommitEvents> = {
      onServerState: amid,
      onServerAdded: amid,
      onServerDeleted: amid,
      onServerReloaded: amid,
      onPolicy: amid,
      onReconcileAt: (backend, atMs) => {
        this.due.set(backend, Math.min(atMs, this.due.get(backend) ?? Number.POSITIVE_INFINITY));
      },
    };
    this.commit = this.commitTo(registry, this.evictions, events);
  }

  protected override onEmptied(): void {
    this.due.set(undefined, this.world.now);
  }

  static async start(text: string, setup: { readonly seed: number; readonly threads: number }): Promise<ReloadRig> {
    const memory = allocateSharedMemory({
      threads: setup.threads,
      rowsPerThread: ROWS_PER_THREAD,
      records: 256,
      proxies: 16,
      servers: 64,
    });
    const registry = await buildRegistry(loadText(text), memory, ROWS_PER_THREAD);
    const rig = new ReloadRig(memory, registry, setup.seed);
    for (const proxy of registry.proxies) rig.#listenAtStart(proxy);
    rig.#lookForListeners();
    for (const proxy of registry.proxies) await rig.commit({ kind: "reconcile", backend: proxy });
    return rig;
  }

  get proxies(): readonly ProxyEntry[] {
    return this.registry.proxies;
  }

  /** Rows of listeners are spread over the whole table, so they are looked up after each reload only. */
  listeners: readonly ListenerEntry[] = [];

  #lookForListeners(): void {
    this.listeners = this.registry.listenersByIndex.filter((listener) => listener !== undefined);
  }

  get listenerRows(): readonly number[] {
    return this.listeners.map(({ index }) => index);
  }

  /** Of the sockets that are open. */
  get listenerFds(): readonly number[] {
    return this.listeners.map(({ fd }) => fd).filter((fd) => fd >= 0);
  }

  #listenAtStart(proxy: ProxyEntry): void {
    for (const [i, bind] of proxy.config.binds.entries()) {
      const index = this.registry.listenersByIndex.length;
      const entry = { index, id: i + 1, bind, proxy, backlog: BACKLOG, ...this.#bind(portOf({ bind })) };
      proxy.listeners.push(entry);
      this.registry.listenersByIndex.push(entry);
      this.order({ kind: "listen", listener: index, fd: entry.fd, frontend: proxy.index });
    }
  }

  #bind(port: number): BoundListener {
    const address = `127.0.0.1:${port}`;
    return { fd: this.world.openListener(), key: address, protocol: "tcpv4", address, path: undefined };
  }

  /** A client connects to a port, if somebody listens there. */
  connect(port: number): void {
    const listener = this.listeners.find((other) => other.fd >= 0 && portOf(other) === FIRST_PORT + port);
    if (listener !== undefined) this.world.connectClient(listener.fd);
  }

  /** A reload as the real one does it, and the plan of it just before; between its steps the world goes on, and clients come to sockets that are open already. */
  async reload(text: string): Promise<{ readonly plan: ReloadPlan; readonly report: ReloadReport }> {
    const config = loadText(text);
    const fresh: number[] = [];
    const planning = { plan: async () => this.#planListeners(config, fresh) } as unknown as ListenerPlanning;
    const prepared = await prepareReload(this, config, planning, () => {});
    for (const fd of fresh) if (this.world.random.chance(50)) this.world.connectClient(fd);
    if (this.world.random.chance(50)) this.turnAny();
    const plan = planReload(this.registry, this.memory, config, this.world.now);
    const receipt = await this.commit({ kind: "reload", prepared });
    if (!receipt.done) throw new Error(`the reload is refused: ${receipt.code} ${receipt.detail}`);
    this.#lookForListeners();
    await this.#close(receipt.closing ?? []);
    return { plan, report: receipt.reload! };
  }

  /** As `ListenerPlanning`, on simulated sockets. */
  #planListeners(config: Config, fresh: number[]): ListenerPlan {
    const left = this.listeners.filter(({ fd }) => fd >= 0);
    const byFrontend = new Map<ProxyConfig, (PlannedListener | undefined)[]>();
    const take = (isTaken: (entry: ListenerEntry, proxy: ProxyConfig) => boolean): void => {
      for (const proxy of config.proxies.filter(({ kind }) => kind !== "backend")) {
        const own = byFrontend.get(proxy) ?? proxy.binds.map(() => undefined);
        byFrontend.set(proxy, own);
        for (const [i, bind] of proxy.binds.entries()) {
          const at = left.findIndex((entry) => portOf(entry) === portOf({ bind }) && isTaken(entry, proxy));
          if (own[i] !== undefined || at < 0) continue;
          own[i] = { bind, backlog: BACKLOG, socket: { kind: "open", entry: left.splice(at, 1)[0]! } };
        }
      }
    };
    take(({ proxy }, { kind, name }) => proxy.config.kind === kind && proxy.config.name === name);
    take(() => true);
    for (const [proxy, own] of byFrontend) {
      for (const [i, bind] of proxy.binds.entries()) {
        if (own[i] !== undefined) continue;
        const bound = this.#bind(portOf({ bind }));
        fresh.push(bound.fd);
        own[i] = { bind, backlog: BACKLOG, socket: { kind: "new", bound } };
      }
    }
    return { byFrontend: byFrontend as Map<ProxyConfig, PlannedListener[]>, closing: left };
  }

  /** As `closeListeners`: who waits is accepted, then the socket is closed. */
  async #close(closing: readonly ListenerEntry[]): Promise<void> {
    for (const listener of closing) this.order({ kind: "unlisten", listener: listener.index, drain: true });
    for (const listener of closing) {
      this.world.close(listener.fd, "orderly");
      listener.fd = -1;
      listener.proxy.listeners = listener.proxy.listeners.filter((other) => other !== listener);
    }
    for (const backend of new Set(closing.map(({ proxy }) => proxy))) {
      if (backend.leaving !== undefined && !backend.isDeleted) await this.commit({ kind: "reconcile", backend });
    }
  }

  /** Control's timers. */
  async reconcileDue(): Promise<void> {
    for (let rounds = 0; ; rounds++) {
      const due = [...this.due].find(([, atMs]) => atMs <= this.world.now);
      if (due === undefined) return;
      if (rounds > TURNS_MAX) throw new Error("there is no end to what policies have to do");
      const [backend] = due;
      this.due.delete(backend);
      await this.commit(backend === undefined ? { kind: "continue-evictions" } : { kind: "reconcile", backend });
    }
  }
}
