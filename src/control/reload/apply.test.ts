// What a reload makes of the registry and the rows, without relay threads: who is kept, what follows from changed words, who leaves.

import { beforeEach, describe, expect, it } from "vitest";
import { reloadNames } from "../../../test/harness/reload-names.ts";
import { InMemoryProgram } from "../../../test/unit/in-memory-program.ts";
import { diffConfigs } from "../../config/diff/diff.ts";
import { loadConfigText } from "../../config/load.ts";
import { P_DEFAULT_BACKEND, PROXY_WORDS } from "../../memory/proxy-row.ts";
import {
  AdminState,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_FLAGS,
  V_ID,
  V_OPER,
  V_USABLE,
  VF_BACKUP,
} from "../../memory/server-row.ts";
import { resolveServerAddress } from "../addresses.ts";
import type { MutableRegistry } from "../commit-context.ts";
import type { ServerEntry } from "../registry.ts";
import { matchConfig } from "./match.ts";

const HEAD = "defaults\n  mode tcp\n  timeout client 1m\n  timeout server 1m\n  timeout connect 5s\n";
const backend = (name: string, ...lines: string[]) => `backend ${name}\n${lines.map((line) => `  ${line}\n`).join("")}`;

let program: InMemoryProgram;

async function start(...sections: string[]): Promise<void> {
  program = await InMemoryProgram.start(HEAD + sections.join(""));
}

/** As the reloader does it, but for sockets. */
async function reload(...sections: string[]): Promise<ReturnType<typeof reloadNames>> {
  const { config, diagnostics } = loadConfigText(HEAD + sections.join(""), "test.cfg", {});
  if (config === undefined) throw new Error(JSON.stringify(diagnostics));
  const registry = program.registry as MutableRegistry;
  const addresses = new Map();
  for (const { servers } of matchConfig(registry, config).proxies) {
    for (const { config: server, entry } of servers) {
      if (entry === undefined) addresses.set(server, await resolveServerAddress(server.endpoint));
    }
  }
  const listeners = { byFrontend: new Map(config.proxies.map((proxy) => [proxy, []])), closing: [] };
  const diff = diffConfigs(registry.config, config);
  const receipt = await program.commit({
    kind: "reload",
    prepared: { config, diff, maxconn: registry.maxconn, threads: 2, addresses, resolvers: [], listeners },
  });
  if (!receipt.done || receipt.reload === undefined) throw new Error(JSON.stringify(receipt));
  return reloadNames(receipt.reload);
}

function server(name: string, of = "be"): ServerEntry {
  const found = program.registry.proxies.find((proxy) => proxy.name === of)?.servers.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no server ${of}/${name}`);
  return found;
}

const word = ({ index }: ServerEntry, offset: number): number =>
  program.memory.serversI32[index * SERVER_WORDS + offset]!;
const names = (of = "be"): string[] =>
  (program.registry.proxies.find((proxy) => proxy.name === of)?.servers ?? []).map((each) => each.name);

describe("servers that are kept", () => {
  beforeEach(() => start(backend("be", "server a 127.0.0.1:1", "server b 127.0.0.1:2", "server c 127.0.0.1:3")));

  it("keep entry and row in another order, with new numbers and words", async () => {
    const before = [server("a"), server("b"), server("c")];
    await reload(backend("be", "server c 127.0.0.1:3 backup", "server a 127.0.0.1:1", "server b 127.0.0.1:2 id 9"));
    expect([server("a"), server("b"), server("c")]).toEqual(before);
    expect(names()).toEqual(["c", "a", "b"]);
    expect(["a", "b", "c"].map((name) => word(server(name), V_ID))).toEqual([2, 9, 1]);
    expect(word(server("c"), V_FLAGS) & VF_BACKUP).toBe(VF_BACKUP);
  });

  it("one order tells the relays, twice, however much changes", async () => {
    program.orders.length = 0;
    await reload(
      backend("be", "server a 127.0.0.1:1 weight 3", "server b 127.0.0.1:2 weight 4", "server d 127.0.0.1:4"),
    );
    expect(program.orders).toEqual(["generation", "generation", "generation"]);
    expect(names(), "c is gone at once, which the third order says").toEqual(["a", "b", "d"]);
  });

  it("nothing is ordered for servers where nothing changes", async () => {
    program.orders.length = 0;
    const report = await reload(backend("be", "server a 127.0.0.1:1", "server b 127.0.0.1:2", "server c 127.0.0.1:3"));
    expect(program.orders).toEqual(["generation", "generation"]);
    expect(report.servers).toMatchObject({ kept: 3, changed: [], added: [], removed: [] });
  });
});

describe("checks", () => {
  it("go on where their words stay, start anew where they change, and free a server that only they held down", async () => {
    await start(backend("be", "server a 127.0.0.1:1 check", "server b 127.0.0.1:2 check", "server c 127.0.0.1:3"));
    for (const name of ["a", "b"]) {
      await program.commit({ kind: "set-health", server: server(name), source: "check", oper: OperState.STOPPED });
    }
    const counter = server("a").health.check.counter;
    await reload(
      backend(
        "be",
        "server a 127.0.0.1:1 check weight 2",
        "server b 127.0.0.1:2",
        "server c 127.0.0.1:3 check rise 5 fall 7",
      ),
    );
    expect(server("a").health.check.counter).toBe(counter);
    expect(word(server("a"), V_OPER)).toBe(OperState.STOPPED);
    expect([word(server("b"), V_OPER), word(server("b"), V_USABLE)]).toEqual([OperState.RUNNING, 1]);
    expect(server("c").health.check.counter).toMatchObject({
      rise: 5,
      fall: 7,
      health: 11,
      configured: true,
      enabled: true,
    });
  });

  it("an operator's disabled check stays disabled while its line is the same", async () => {
    await start(backend("be", "server a 127.0.0.1:1 check", "server b 127.0.0.1:2 check"));
    await program.commit({ kind: "enable-check", server: server("a"), source: "check", enabled: false });
    await reload(backend("be", "server a 127.0.0.1:1 check inter 5s", "server b 127.0.0.1:2 check"));
    expect(server("a").health.check.counter.enabled).toBe(false);
  });
});

describe("track", () => {
  const tracked = (...lines: string[]) => backend("be", "server main 127.0.0.1:1 check", ...lines);

  it("comes, moves and goes with the file; who follows is in its state", async () => {
    await start(tracked("server other 127.0.0.1:2 check", "server f 127.0.0.1:3"));
    await program.commit({ kind: "set-admin", server: server("main"), set: AdminState.FORCED_MAINT, clear: 0 });
    await reload(
      tracked(
        "server other 127.0.0.1:2 check",
        "server f 127.0.0.1:3 track be/main",
        "server g 127.0.0.1:4 track be/main",
      ),
    );
    for (const name of ["f", "g"]) expect(word(server(name), V_ADMIN) & AdminState.INHERITED_MAINT).toBeGreaterThan(0);
    await reload(
      tracked("server other 127.0.0.1:2 check", "server f 127.0.0.1:3 track be/other", "server g 127.0.0.1:4"),
    );
    expect(server("f").health.tracked).toBe(server("other"));
    for (const name of ["f", "g"]) expect([word(server(name), V_ADMIN), word(server(name), V_USABLE)]).toEqual([0, 1]);
    expect(server("main").health.trackers).toEqual([]);
  });

  it("a tracked server with a new address is followed at the new one", async () => {
    await start(tracked("server f 127.0.0.1:3 track be/main"));
    const old = server("main");
    await reload(backend("be", "server main 127.0.0.1:9 check", "server f 127.0.0.1:3 track be/main"));
    expect(server("f").health.tracked).toBe(server("main"));
    expect(server("main")).not.toBe(old);
    expect(old.isDeleted, "nobody used or followed it any more").toBe(true);
  });
});

describe("proxies", () => {
  it("rows are found again by name, frontends lead to their new backend, numbers follow the file", async () => {
    const frontend = (to: string) => `frontend fe\n  bind 127.0.0.1:9\n  default_backend ${to}\n`;
    await start(frontend("one"), backend("one", "server s 127.0.0.1:1"));
    const { index } = program.registry.proxies[0]!;
    await reload(backend("two", "server s 127.0.0.1:1"), frontend("two"));
    expect(program.registry.proxies.map(({ name, id }) => [name, id])).toEqual([
      ["two", 2],
      ["fe", 3],
    ]);
    const two = program.registry.proxies[0]!;
    expect(program.registry.proxies[1]!.index).toBe(index);
    expect(program.memory.proxiesI32[index * PROXY_WORDS + P_DEFAULT_BACKEND]).toBe(two.index);
  });

  it("what cannot fit changes nothing", async () => {
    await start(backend("be", "server a 127.0.0.1:1"));
    const many = Array.from({ length: 70 }, (_, i) => `server s${i} 127.0.0.1:${i + 1}`);
    await expect(reload(backend("be", ...many))).rejects.toThrow("no-room");
    expect(names()).toEqual(["a"]);
  });
});
