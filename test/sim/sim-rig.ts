// One simulated Headgate: relay threads on a `SimWorld` (sim-threads.ts), one `listen` or a frontend and a backend, and the real `commit`
// in front of them.

import { resolveServerAddress } from "../../src/control/addresses.ts";
import type { Change, Receipt } from "../../src/control/change.ts";
import type { CommitEvents } from "../../src/control/commit-context.ts";
import { Evictions } from "../../src/control/reconcile/eviction.ts";
import type { ProxyEntry, ServerEntry } from "../../src/control/registry.ts";
import { writeProxyRow, writeServerRow } from "../../src/control/tables.ts";
import { W_MAXCONN } from "../../src/memory/control-words.ts";
import { ADMIN_DRAIN, ADMIN_MAINT, OperState } from "../../src/memory/server-row.ts";
import { allocateSharedMemory } from "../../src/memory/shared-memory.ts";
import { type ProxyWishes, proxyEntry, registryOf, type ServerWishes, serverConfig, serverEntry } from "./registry.ts";
import { SimThreads, TURNS_MAX } from "./sim-threads.ts";

export interface RigSetup {
  readonly seed: number;
  readonly threads: number;
  readonly maxconn?: number;
  readonly rowsPerThread?: number;
  readonly records?: number;
  readonly buffersMax?: number;
  readonly proxy?: ProxyWishes;
  /** True: a frontend and a backend; false: one `listen`. */
  readonly isSplit?: boolean;
  /** True: all threads share one listening socket; false: each has its own. */
  readonly sharesListener?: boolean;
  readonly servers: readonly ServerWishes[];
}

/** Rows of the server table: some free ones for `add server`. */
const SERVER_ROWS = 8;
const PROXY_ROWS = 2;

const isInMaintenance = (admin: number): boolean => (admin & ADMIN_MAINT) !== 0;
const isDraining = (admin: number): boolean => !isInMaintenance(admin) && (admin & ADMIN_DRAIN) !== 0;

export class SimRig extends SimThreads {
  readonly frontend: ProxyEntry;
  readonly backend: ProxyEntry;
  readonly proxies: readonly ProxyEntry[];
  readonly listenerRows = [0];
  readonly listenerFds: number[] = [];
  readonly commit: (change: Change) => Promise<Receipt>;
  /** Servers that went down since the start. */
  readonly wasMarkedDown = new Set<ServerEntry>();
  /** When servers entered maintenance, and drain, last. */
  readonly maintenanceSince = new Map<ServerEntry, number>();
  readonly drainSince = new Map<ServerEntry, number>();
  /** What policies said in the log. */
  readonly said: string[] = [];
  /** When `reconcile` wants its next turn. */
  reconcileAtMs = Number.POSITIVE_INFINITY;

  /** Use `createRig`. */
  constructor(setup: RigSetup) {
    const { threads, maxconn = 1000, rowsPerThread = 12, records = 64 } = setup;
    super(allocateSharedMemory({ threads, rowsPerThread, records, proxies: PROXY_ROWS, servers: SERVER_ROWS }), setup);
    this.memory.words[W_MAXCONN] = maxconn;
    this.frontend = proxyEntry(0, setup.isSplit ? "frontend" : "listen", setup.proxy ?? {});
    this.backend = setup.isSplit ? proxyEntry(1, "backend", setup.proxy ?? {}) : this.frontend;
    this.proxies = [...new Set([this.frontend, this.backend])];
    writeProxyRow(this.memory, this.frontend, setup.proxy?.maxconn ?? maxconn, this.backend.index);
    if (setup.isSplit) writeProxyRow(this.memory, this.backend, maxconn, -1);
    for (let thread = 0; thread < threads; thread++) {
      const isShared = thread > 0 && setup.sharesListener;
      this.listenerFds.push(isShared ? this.listenerFds[0] : this.world.openListener());
    }
    const events: Partial<CommitEvents> = {
      onServerState: (server, { before, after }) => {
        if (before.oper !== OperState.STOPPED && after.oper === OperState.STOPPED) this.wasMarkedDown.add(server);
        const { maintenanceSince, drainSince, world } = this;
        if (isInMaintenance(after.admin) && !isInMaintenance(before.admin)) maintenanceSince.set(server, world.now);
        if (isDraining(after.admin) && !isDraining(before.admin)) drainSince.set(server, world.now);
      },
      onPolicy: (_backend, _level, text) => void this.said.push(text),
      onReconcileAt: (_backend, atMs) => {
        this.reconcileAtMs = Math.min(this.reconcileAtMs, atMs);
      },
    };
    const registry = registryOf(this.proxies, SERVER_ROWS);
    this.commit = this.commitTo(registry, this.evictions, events);
    this.registry = registry;
  }

  /** A server that is being emptied has lost its last session. */
  protected override onEmptied(): void {
    this.reconcileAtMs = this.world.now;
  }

  readonly evictions = new Evictions();
  private readonly registry: ReturnType<typeof registryOf>;

  /** Puts a configured server in place. */
  async addConfiguredServer(wishes: ServerWishes): Promise<ServerEntry> {
    const id = this.backend.servers.length + 1;
    const entry = serverEntry(id - 1, this.backend, serverConfig(id, wishes));
    this.backend.servers.push(entry);
    this.registry.serversByIndex[entry.index] = entry;
    const { sockaddr } = await resolveServerAddress(entry.config.endpoint);
    writeServerRow(this.memory, entry, sockaddr, wishes.disabled ? 1 : 0, wishes.disabled ? 0 : OperState.RUNNING, 0);
    return entry;
  }

  /** Orders every thread to listen. */
  listen(): void {
    for (const [thread, fd] of this.listenerFds.entries()) {
      this.order({ kind: "listen", listener: 0, fd, frontend: 0 }, thread);
    }
  }

  /** Control's timers: what policies have due by now is done, and what that makes due. */
  async reconcileDue(): Promise<void> {
    for (let rounds = 0; this.reconcileAtMs <= this.world.now; rounds++) {
      if (rounds > TURNS_MAX) throw new Error("there is no end to what policies have to do");
      this.reconcileAtMs = Number.POSITIVE_INFINITY;
      await this.commit({ kind: "reconcile", backend: this.backend });
      await this.commit({ kind: "continue-evictions" });
    }
  }
}

/** A rig that listens, with an upstream for each of its servers (ports 7001 and up). */
export async function createRig(setup: RigSetup): Promise<SimRig> {
  const rig = new SimRig(setup);
  for (const wishes of setup.servers) {
    await rig.addConfiguredServer(wishes);
    const { endpoint } = wishes;
    const port = endpoint?.kind === "unix" ? Number(endpoint.path) : 7000 + rig.backend.servers.length;
    rig.world.addUpstream(port, endpoint?.kind === "unix");
  }
  await rig.commit({ kind: "reconcile", backend: rig.backend });
  rig.listen();
  return rig;
}
