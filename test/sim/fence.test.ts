// `option fence` is told of a server's last session by the relay that ends it: no time has to pass before the next server leads.

import { expect, it } from "vitest";
import { P_LEADER } from "../../src/memory/proxy-row.ts";
import { AdminState } from "../../src/memory/server-row.ts";
import { Judge } from "./judge.ts";
import { createRig } from "./sim-rig.ts";

it.each([1, 2])("the next server leads in the moment in which the last session ends, %i thread(s)", async (threads) => {
  const rig = await createRig({ seed: 5, threads, servers: [{}, {}], proxy: { fence: true } });
  const judge = new Judge(rig);
  const clients = Array.from({ length: 2 * threads }, (_, i) => rig.world.connectClient(rig.listenerFds[i % threads]!));
  rig.settle();
  expect(rig.world.servers).toHaveLength(clients.length);
  const leader = (): number => rig.memory.proxiesI32[P_LEADER]!;
  expect(leader()).toBe(0);
  const [old] = rig.backend.servers;
  await rig.commit({ kind: "set-admin", server: old!, set: AdminState.FORCED_DRAIN, clear: 0 });
  for (const client of clients) {
    await rig.reconcileDue();
    expect(leader()).toBe(0);
    client.resetByPeer(rig.world.random);
    rig.settle();
  }
  await rig.reconcileDue();
  expect(leader()).toBe(1);
  await judge.end();
});
