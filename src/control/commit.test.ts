import { describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import { AdminState, SERVER_WORDS, V_ADMIN } from "../memory/server-row.ts";
import { createCommit } from "./commit.ts";
import type { CommitEvents, MutableRegistry } from "./commit-context.ts";
import { Evictions } from "./reconcile/eviction.ts";

/** A door whose relays acknowledge when told to. */
async function heldDoor() {
  const { memory, registry } = await InMemoryProgram.start();
  const held: (() => void)[] = [];
  const nothing = () => {};
  const commit = createCommit({
    memory,
    registry: registry as MutableRegistry,
    orders: {
      order: () => new Promise((resolve) => held.push(() => resolve({ ended: 0, discardedBytes: 0 }))),
    },
    // Whatever it is told of.
    events: new Proxy({} as CommitEvents, { get: () => nothing }),
    nowMs: () => performance.now(),
    random: () => 0,
    evictions: new Evictions(),
    askKernel: async () => undefined,
    listeners: { close: nothing, pause: nothing, resume: () => true },
  });
  let count = 0;
  const acknowledged = () => count;
  const server = registry.serversByIndex.find((entry) => entry !== undefined)!;
  const admin = () => memory.serversI32[server.index * SERVER_WORDS + V_ADMIN];
  /** Lets a change go as far as it can, with every relay answering. */
  const acknowledgeUntil = async (change: Promise<unknown>) => {
    let isOver = false;
    change.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const acknowledge = held.shift();
      if (acknowledge) count++;
      acknowledge?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { commit, server, admin, acknowledged, acknowledgeUntil };
}

describe("settled", () => {
  it("looks at once when nothing is under way", async () => {
    const { commit } = await heldDoor();
    expect(await commit.settled(() => "seen")).toBe("seen");
    expect(await commit.settled(async () => "seen later")).toBe("seen later");
  });

  it("does not look while a state is written whose effects are not there yet", async () => {
    const { commit, server, admin, acknowledged, acknowledgeUntil } = await heldDoor();
    const change = commit({ kind: "set-admin", server, set: AdminState.FORCED_MAINT, clear: 0 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(admin()).toBe(AdminState.FORCED_MAINT);

    const look = commit.settled(acknowledged);
    await acknowledgeUntil(change);
    // Maintenance orders twice.
    expect(await look).toBe(2);
  });

  it("shows the state all the same when a relay does not answer", async () => {
    const { commit, server, admin } = await heldDoor();
    void commit({ kind: "set-admin", server, set: AdminState.FORCED_MAINT, clear: 0 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(await commit.settled(admin)).toBe(AdminState.FORCED_MAINT);
  });
});
