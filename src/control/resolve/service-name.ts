// The servers of one backend that stand for the places of one service: SRV records to names, ports, weights and, where the answer has
// them, addresses. Control thread. A place without an address has its target resolved like any other name.

import { SERVER_WORDS, V_WEIGHT } from "../../memory/server-row.ts";
import type { ServerEntry } from "../registry.ts";
import type { ServiceRecord } from "./message.ts";
import { heldUntilMs, type Resolution } from "./resolution.ts";
import type { Requester } from "./resolver.ts";
import type { NameContext } from "./server-name.ts";
import { assignSlots, removeSlot, type SlotTable, serverWeight } from "./srv-slots.ts";

const REMOVED = "entry removed from SRV record";

export interface ServiceContext extends NameContext {
  /** Resolves a server's name from now on, or no longer (undefined). */
  readonly resolveTarget: (server: ServerEntry, target: string | undefined) => void;
}

export class ServiceName implements Requester {
  private readonly context: ServiceContext;
  private readonly servers = new Map<number, ServerEntry>();
  /** What each server stands for, as it was last told. */
  private readonly placed = new Map<number, ServiceRecord>();
  private slots: SlotTable;

  constructor(servers: readonly ServerEntry[], context: ServiceContext) {
    this.context = context;
    for (const server of servers) this.servers.set(server.index, server);
    // Those that stand for a place already keep it, as long as it is there.
    const held = new Map(
      servers.flatMap(({ index, fqdn, port }) => (fqdn === undefined ? [] : [[index, `${fqdn}:${port}`]])),
    );
    const free = servers.filter(({ index }) => !held.has(index)).map(({ index }) => index);
    this.slots = { held, free };
  }

  /** A server is deleted. True if none is left. */
  remove(server: ServerEntry): boolean {
    this.servers.delete(server.index);
    this.placed.delete(server.index);
    this.slots = removeSlot(this.slots, server.index);
    return this.servers.size === 0;
  }

  onResolved(resolution: Resolution): boolean {
    const { table, freed, assigned } = assignSlots(this.slots, resolution.records);
    this.slots = table;
    for (const slot of freed) this.release(slot, true);
    for (const { slot, record } of assigned) {
      const server = this.servers.get(slot);
      if (server !== undefined && record.record.kind === "service") this.place(server, record.record);
    }
    return false;
  }

  onFailed(resolution: Resolution, nowMs: number): boolean {
    if (nowMs < heldUntilMs(resolution, this.context.hold)) return true;
    const { held, free } = this.slots;
    for (const slot of held.keys()) this.release(slot, resolution.status === "nx");
    this.slots = { held: new Map(), free: [...free, ...held.keys()] };
    return false;
  }

  private release(slot: number, isGone: boolean): void {
    const server = this.servers.get(slot);
    if (server === undefined) return;
    this.placed.delete(slot);
    this.context.resolveTarget(server, undefined);
    this.context.apply({ kind: "lose-address", server, cause: REMOVED, isGone, forgetsName: true });
  }

  private place(server: ServerEntry, record: ServiceRecord): void {
    const { apply, memory, resolveTarget } = this.context;
    const { target, port, address } = record;
    const before = this.placed.get(server.index);
    this.placed.set(server.index, record);
    if (before === undefined) apply({ kind: "set-fqdn", server, fqdn: target, port, by: "SRV record" });
    if (address !== undefined && (before?.address !== address || server.host !== address)) {
      apply({ kind: "set-address", server, host: address, port, by: "DNS additional record", resolved: false });
    }
    const weight = serverWeight(record.weight);
    const isNewWeight = memory.serversI32[server.index * SERVER_WORDS + V_WEIGHT] !== weight;
    if (isNewWeight && server.config.resolution?.ignoreWeight !== true) apply({ kind: "set-weight", server, weight });
    if (before === undefined || before.address !== address) {
      resolveTarget(server, address === undefined ? target : undefined);
    }
  }
}
