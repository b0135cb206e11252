import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KnownRecord } from "./resolution.ts";
import { assignSlots, emptySlots, removeSlot, serverWeight } from "./srv-slots.ts";

const known = (...ports: number[]): KnownRecord[] =>
  ports.map((port) => ({
    key: `n.test:${port}`,
    record: { kind: "service", target: "n.test", port, weight: 0 },
    lastSeenMs: 0,
  }));

const held = (table: { held: ReadonlyMap<number, string> }): Record<string, string> =>
  Object.fromEntries([...table.held].map(([slot, key]) => [slot, key]));

describe("servers of a service", () => {
  it("take records in order, and what is left over waits", () => {
    const { table, assigned, unassigned } = assignSlots(emptySlots([5, 6]), known(1, 2, 3));
    expect(held(table)).toEqual({ 5: "n.test:1", 6: "n.test:2" });
    expect(assigned.map(({ isNew }) => isNew)).toEqual([true, true]);
    expect(unassigned).toBe(1);
  });

  it("keep their record; the server that is free longest takes a new one", () => {
    const first = assignSlots(emptySlots([5, 6, 7]), known(1, 2));
    const second = assignSlots(first.table, known(2, 3));
    expect(second.freed).toEqual([5]);
    expect(held(second.table)).toEqual({ 6: "n.test:2", 7: "n.test:3" });
    expect(second.table.free).toEqual([5]);
  });

  it("use a place again in the same answer if no other is free", () => {
    const first = assignSlots(emptySlots([5]), known(1));
    const second = assignSlots(first.table, known(2));
    expect(second).toMatchObject({ freed: [5], unassigned: 0 });
    expect(held(second.table)).toEqual({ 5: "n.test:2" });
  });

  it("are not given records once they are removed", () => {
    const { table } = assignSlots(emptySlots([5, 6]), known(1));
    const smaller = removeSlot(removeSlot(table, 5), 6);
    expect(assignSlots(smaller, known(1))).toMatchObject({ assigned: [], unassigned: 1 });
  });

  it("whatever the answers say: no record twice, no server twice, none idle while a record waits", () => {
    const answers = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 8 }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), answers, (servers, rounds) => {
        let table = emptySlots(Array.from({ length: servers }, (_, i) => i));
        for (const ports of rounds) {
          const before = table;
          const changes = assignSlots(table, known(...ports));
          table = changes.table;
          const keys = [...table.held.values()];
          expect(new Set(keys).size).toBe(keys.length);
          expect(new Set([...table.held.keys(), ...table.free]).size).toBe(servers);
          expect(keys.length).toBe(Math.min(servers, ports.length));
          expect(changes.unassigned).toBe(Math.max(0, ports.length - servers));
          for (const [slot, key] of before.held) {
            if (ports.includes(Number(key.split(":")[1]))) expect(table.held.get(slot)).toBe(key);
          }
        }
      }),
    );
  });
});

describe("weights", () => {
  it.each([
    [0, 0],
    [1, 1],
    [256, 1],
    [257, 2],
    [65_535, 256],
  ])("%i becomes %i", (srv, server) => expect(serverWeight(srv)).toBe(server));
});
