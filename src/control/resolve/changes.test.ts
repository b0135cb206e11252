import { beforeEach, describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../../test/unit/in-memory-program.ts";
import { AdminState, SERVER_WORDS, V_ADDR, V_ADMIN, V_CUT_GENERATION, V_USABLE } from "../../memory/server-row.ts";
import type { Change } from "../change.ts";
import type { ServerEntry } from "../registry.ts";

const CONFIG = `
resolvers dns
    nameserver ns1 127.0.0.1:53
defaults
    mode tcp
    timeout server 1m
    timeout connect 5s
    default-server resolvers dns init-addr none
backend be
    server keeps db.test:80
    server cuts db.test:80 on-address-change shutdown-sessions
`;

let program: InMemoryProgram;
let keeps: ServerEntry;
let cuts: ServerEntry;
beforeEach(async () => {
  program = await InMemoryProgram.start(CONFIG);
  [keeps, cuts] = program.registry.proxies[0]!.servers as [ServerEntry, ServerEntry];
});

const word = (server: ServerEntry, at: number): number => program.memory.serversI32[server.index * SERVER_WORDS + at]!;

async function commit(change: Change): Promise<void> {
  expect((await program.commit(change)).done).toBe(true);
}

const setAddress = (server: ServerEntry, host: string, by = "dns/ns1"): Promise<void> =>
  commit({ kind: "set-address", server, host, by, resolved: true });
const lose = (server: ServerEntry, isGone: boolean, forgetsName = false): Promise<void> =>
  commit({ kind: "lose-address", server, cause: "DNS NX status", isGone, forgetsName });

describe("a server's address", () => {
  it("takes it out of maintenance, and is logged first", async () => {
    expect(word(keeps, V_ADMIN)).toBe(AdminState.RESOLUTION_MAINT);
    await setAddress(keeps, "127.0.0.1");
    expect(word(keeps, V_ADMIN)).toBe(0);
    expect(word(keeps, V_USABLE)).toBe(1);
    expect(program.told).toEqual([
      "keeps from - to 127.0.0.1 by dns/ns1",
      "keeps changes state",
      "keeps resolves again",
    ]);
  });

  it("is in force on all threads before the server leaves maintenance", async () => {
    const change = program.commit({ kind: "set-address", server: keeps, host: "127.0.0.1" });
    const before = word(keeps, V_ADDR);
    await Promise.resolve();
    expect(word(keeps, V_ADDR)).not.toBe(before);
    expect(word(keeps, V_USABLE)).toBe(0);
    await change;
    expect(word(keeps, V_USABLE)).toBe(1);
  });

  it("that is the same changes nothing but the maintenance", async () => {
    await setAddress(keeps, "127.0.0.1");
    await lose(keeps, true);
    program.told.length = 0;
    const place = word(keeps, V_ADDR);
    await setAddress(keeps, "127.0.0.1");
    expect(word(keeps, V_ADDR)).toBe(place);
    expect(word(keeps, V_ADMIN)).toBe(0);
  });

  it("must be one", async () => {
    const receipt = await program.commit({ kind: "set-address", server: keeps, host: "db.test" });
    expect(receipt).toMatchObject({ done: false, code: "bad-address" });
  });
});

describe("a lost address", () => {
  it("puts the server into maintenance, with the cause, and is shown as none", async () => {
    await setAddress(keeps, "127.0.0.1");
    program.told.length = 0;
    await lose(keeps, true);
    expect(keeps).toMatchObject({ host: "-", port: 80, fqdn: "db.test" });
    expect(word(keeps, V_USABLE)).toBe(0);
    expect(program.told).toEqual(["keeps changes state (DNS NX status)"]);
  });

  it("of a service's place takes name and port along", async () => {
    await setAddress(keeps, "127.0.0.1");
    await lose(keeps, true, true);
    expect(keeps).toMatchObject({ host: "-", port: 0, fqdn: undefined });
  });
});

describe("on-address-change shutdown-sessions", () => {
  const cutsOf = async (server: ServerEntry, act: () => Promise<void>): Promise<number> => {
    const before = word(server, V_CUT_GENERATION);
    program.orders.length = 0;
    await act();
    return word(server, V_CUT_GENERATION) - before;
  };

  it("cuts when the address changes or is gone, and not otherwise", async () => {
    await setAddress(cuts, "127.0.0.1");
    expect(await cutsOf(cuts, () => setAddress(cuts, "127.0.0.2"))).toBe(1);
    expect(program.orders).toEqual(["server-changed", "cut-server"]);
    expect(await cutsOf(cuts, () => setAddress(cuts, "127.0.0.2"))).toBe(0);
    expect(await cutsOf(cuts, () => lose(cuts, false))).toBe(0);
    expect(await cutsOf(cuts, () => setAddress(cuts, "127.0.0.2"))).toBe(0);
    expect(await cutsOf(cuts, () => lose(cuts, true))).toBe(1);
    await setAddress(cuts, "127.0.0.2");
    await lose(cuts, false);
    expect(await cutsOf(cuts, () => setAddress(cuts, "127.0.0.3"))).toBe(1);
  });

  it("is needed for any of it", async () => {
    await setAddress(keeps, "127.0.0.1");
    expect(await cutsOf(keeps, () => setAddress(keeps, "127.0.0.2"))).toBe(0);
    expect(await cutsOf(keeps, () => lose(keeps, true))).toBe(0);
  });
});

describe("a server's name", () => {
  it("is set with its port, told once, and marked as changed", async () => {
    const change: Change = { kind: "set-fqdn", server: keeps, fqdn: "n1.test", port: 5001, by: "SRV record" };
    await commit(change);
    await commit(change);
    expect(keeps).toMatchObject({ fqdn: "n1.test", port: 5001, host: "-" });
    expect(program.told).toEqual(["keeps named n1.test after db.test by SRV record"]);
    expect(word(keeps, V_ADMIN) & AdminState.FQDN_CHANGED).not.toBe(0);
  });
});
