import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimerWheel } from "./timer-wheel.ts";

describe("timer wheel", () => {
  it("fires every member once, never early, in the first advance at or after its deadline", () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant("set" as const),
        member: fc.nat(31),
        delay: fc.oneof(fc.nat(20), fc.nat(600), fc.nat(200_000), fc.nat(40_000_000)),
      }),
      fc.record({ kind: fc.constant("remove" as const), member: fc.nat(31), delay: fc.constant(0) }),
      fc.record({
        kind: fc.constant("advance" as const),
        member: fc.constant(0),
        delay: fc.oneof(fc.nat(10), fc.nat(500), fc.nat(300_000)),
      }),
    );
    fc.assert(
      fc.property(fc.nat(100_000_000), fc.array(action, { maxLength: 120 }), (start, actions) => {
        const clock = Float64Array.of(start + 0.25);
        const wheel = new TimerWheel(32, clock);
        const model = new Map<number, number>();
        for (const { kind, member, delay } of actions) {
          const now = clock[0]!;
          if (kind === "set") {
            wheel.set(member, now + delay);
            model.set(member, Math.max(Math.ceil(now + delay), Math.floor(now) + 1));
          } else if (kind === "remove") {
            wheel.remove(member);
            model.delete(member);
          } else {
            const wait = wheel.waitMs();
            const earliest = Math.min(...model.values());
            if (model.size === 0) expect(wait).toBe(-1);
            else expect(now + wait).toBeLessThan(earliest + 1);
            clock[0] = now + delay;
            const fired = new Set<number>();
            wheel.advance((m) => {
              expect(fired.has(m)).toBe(false);
              fired.add(m);
            });
            const due = new Set([...model].filter(([, at]) => at <= now + delay).map(([m]) => m));
            expect(fired).toEqual(due);
            for (const m of due) model.delete(m);
          }
          expect(wheel.size).toBe(model.size);
        }
      }),
      { numRuns: 300 },
    );
  });
});
