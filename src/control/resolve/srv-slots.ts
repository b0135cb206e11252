// Which server stands for which place of a service (SRV record). A server keeps its place as long as the record is there; new
// records take the servers that have been free longest; what finds no free server has to wait. Pure.

import type { KnownRecord } from "./resolution.ts";

/** The servers of one backend that share one SRV name, by number. */
export interface SlotTable {
  /** Record key of each server that has one. */
  readonly held: ReadonlyMap<number, string>;
  /** Servers without, the next one to be used first. */
  readonly free: readonly number[];
}

export interface SlotChanges {
  readonly table: SlotTable;
  /** Servers whose record is gone. */
  readonly freed: readonly number[];
  /** Every server with a record, the new ones among them. */
  readonly assigned: readonly { readonly slot: number; readonly record: KnownRecord; readonly isNew: boolean }[];
  /** Records that no server is left for. */
  readonly unassigned: number;
}

export const emptySlots = (servers: readonly number[]): SlotTable => ({ held: new Map(), free: [...servers] });

/** The table after an answer. `records` are all that are known now. */
export function assignSlots(table: SlotTable, records: readonly KnownRecord[]): SlotChanges {
  const byKey = new Map(records.filter(({ record }) => record.kind === "service").map((entry) => [entry.key, entry]));
  const held = new Map<number, string>();
  const freed: number[] = [];
  const assigned: { slot: number; record: KnownRecord; isNew: boolean }[] = [];
  for (const [slot, key] of table.held) {
    const record = byKey.get(key);
    if (record === undefined) freed.push(slot);
    else {
      byKey.delete(key);
      held.set(slot, key);
      assigned.push({ slot, record, isNew: false });
    }
  }
  const free = [...table.free, ...freed];
  for (const [key, record] of byKey) {
    const slot = free.shift();
    if (slot === undefined) break;
    byKey.delete(key);
    held.set(slot, key);
    assigned.push({ slot, record, isNew: true });
  }
  return { table: { held, free }, freed, assigned, unassigned: byKey.size };
}

/** Takes a server out that is no more. */
export function removeSlot(table: SlotTable, slot: number): SlotTable {
  const held = new Map(table.held);
  held.delete(slot);
  return { held, free: table.free.filter((other) => other !== slot) };
}

/** SRV weights go to 65535, a server's to 256; only 0 becomes 0. */
export const serverWeight = (srvWeight: number): number => Math.floor((srvWeight + 255) / 256);
