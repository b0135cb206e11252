import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../../test/unit/in-memory-program.ts";
import { AdminState } from "../../memory/server-row.ts";
import { EVICT_NOW, noneByState } from "../reconcile/eviction.ts";
import { type OwnState, ownStateParts, readOwnState } from "./own-format.ts";
import { configuredBinds } from "./own-frontend.ts";
import { saysTheSame } from "./own-servers.ts";

async function example() {
  const program = await InMemoryProgram.start();
  const s1 = program.registry.proxies.find(({ name }) => name === "be")?.servers[0];
  await program.commit({ kind: "set-weight", server: s1!, weight: 3 });
  await program.commit({ kind: "set-maxconn", server: s1!, maxconn: 44 });
  await program.commit({ kind: "set-address", server: s1!, host: "127.0.0.9", port: 99 });
  const request = { ...EVICT_NOW, drainMs: 60_000, deadlineMs: 1_000, order: "oldest", deleteServer: true } as const;
  const eviction = program.evictions.begin(s1!, request, program.nowMs());
  eviction.matched = 9;
  eviction.byState.established = 8;
  eviction.byState.queued = 1;
  eviction.cutPaced = 4;
  eviction.discardedBytes = 1234;
  return { text: textOf(program, false), eviction };
}

const textOf = (program: InMemoryProgram, isEnding: boolean): string => {
  const { memory, registry, evictions, version } = program;
  const s1 = registry.proxies.find(({ name }) => name === "be")?.servers[0];
  const writing = { isOperators: (server: unknown) => server === s1, isEnding };
  return [...ownStateParts({ memory, registry, evictions, version }, writing)].join("");
};

const stateOf = (text: string): OwnState => {
  const read = readOwnState(text);
  if ("refused" in read) throw new Error(read.refused.reason);
  return read.state;
};

describe("the text of a state file", () => {
  it("is read as it was written", async () => {
    const { text, eviction } = await example();
    const { servers, evictions, lastEviction } = stateOf(text);
    expect(servers.map(({ record }) => `${record.backend}/${record.server}`)).toEqual(["be/s1", "be/s2", "other/s1"]);
    expect(servers[0]).toMatchObject({
      record: { weight: 3, initialWeight: 10, host: "127.0.0.9", port: 99 },
      maxconn: { value: 44, configured: 0 },
      configuredAddress: "127.0.0.1:28901",
    });
    expect(servers[1]).toMatchObject({ record: { admin: 5 } });
    expect(servers[1]?.maxconn).toBeUndefined();
    const { id, request, startedWallMs, matched, byState, cutIdle, cutPaced, cutAtDeadline, discardedBytes } = eviction;
    expect(evictions).toEqual([
      {
        id,
        request,
        startedWallMs,
        matched,
        byState,
        cutIdle,
        cutPaced,
        cutAtDeadline,
        discardedBytes,
        left: 0,
        backend: "be",
        server: "s1",
      },
    ]);
    expect(lastEviction).toBe(1);
  });

  it("has servers that were added and deleted, frontends, limits, and evictions of sessions", async () => {
    const program = await InMemoryProgram.start();
    const { proxies } = program.registry;
    const [fe, be, other] = [proxies[0]!, proxies[1]!, proxies[2]!];
    const words = ["127.0.0.1:80", "weight", "7", "source", "a b,c%20=ü"];
    const server = { ...be.servers[0]!.config, name: "new", id: 44 };
    await program.commit({ kind: "add-server", backend: be, server, words });
    const [s1] = other.servers;
    await program.commit({ kind: "set-admin", server: s1!, set: AdminState.FORCED_MAINT, clear: 0 });
    await program.commit({ kind: "delete-server", server: s1! });
    await program.commit({ kind: "pause-frontend", proxy: fe });
    await program.commit({ kind: "set-frontend-maxconn", proxy: fe, maxconn: 5 });
    await program.commit({ kind: "set-process-maxconn", maxconn: 50 });
    const byState = { ...noneByState(), established: 2 };
    const filter = "from 127.0.0.0/8 and idle 1s";
    program.evictions.beginOfSessions({ ids: [] }, filter, EVICT_NOW, byState, program.nowMs());

    const state = stateOf(textOf(program, false));
    expect(state.added).toEqual([{ backend: "be", server: "new", id: 44, words }]);
    expect(state.deleted).toMatchObject([{ backend: "other", server: "s1", address: "unix@/nowhere/s1.sock" }]);
    const [line] = state.deleted;
    const { config } = s1!;
    expect(saysTheSame(line!, { ...config, id: 9 }, program.version)).toBe(true);
    expect(saysTheSame(line!, { ...config, weight: 9 }, program.version)).toBe(false);
    expect(saysTheSame(line!, { ...config, weight: 9 }, "other version")).toBe(true);
    expect(state.frontends).toEqual([{ name: "fe", paused: true, maxconn: { value: 5, configured: 100 } }]);
    expect(state.maxconn).toEqual({ value: 50, configured: 1000 });
    expect(state.evictions).toMatchObject([{ id: 1, filter, byState, left: 0 }]);
  });

  it("says that a frontend was shut down, but for an orderly end; ports that were lent are no intent", async () => {
    const program = await InMemoryProgram.start();
    const fe = program.registry.proxies[0]!;
    await program.commit({ kind: "pause-frontend", proxy: fe, lendsPorts: true });
    expect(stateOf(textOf(program, false)).frontends).toEqual([]);
    await program.commit({ kind: "shutdown-frontend", proxy: fe });
    expect(stateOf(textOf(program, false)).frontends).toEqual([
      { name: "fe", paused: false, shutAt: configuredBinds(fe) },
    ]);
    expect(stateOf(textOf(program, true)).frontends).toEqual([]);
  });

  it("is a server state file of HAProxy: what it has no columns for stands in comments", async () => {
    const { text } = await example();
    const lines = text.trimEnd().split("\n");
    expect(lines[0]).toBe("1");
    expect(
      lines
        .slice(1)
        .filter((line) => !line.startsWith("#"))
        .map((line) => line.split(" ").length),
    ).toEqual([25, 25, 25]);
  });
});

describe("a file that is refused", () => {
  const refusalOf = (text: string) => {
    const read = readOwnState(text);
    return "refused" in read ? read.refused : undefined;
  };

  it("wherever it is cut off, and it is known to be ours", async () => {
    const { text } = await example();
    for (let length = 0; length < text.length; length++) {
      const refused = refusalOf(text.slice(0, length));
      expect(refused, `cut off after ${length} bytes`).toMatchObject({ isForeign: false });
      expect(refused!.line).toBeLessThanOrEqual(text.slice(0, length).split("\n").length);
    }
  });

  it("whatever byte behind the title is altered", async () => {
    const { text } = await example();
    const title = text.split("\n").slice(0, 2).join("\n").length + 1;
    fc.assert(
      fc.property(
        fc.integer({ min: title, max: text.length - 1 }),
        fc.string({ minLength: 1, maxLength: 3 }),
        (at, piece) => {
          const altered = text.slice(0, at) + piece + text.slice(at + piece.length);
          fc.pre(altered !== text);
          expect(refusalOf(altered)).toMatchObject({ isForeign: false });
        },
      ),
    );
  });

  it("says the line and what was expected", async () => {
    const { text } = await example();
    const lines = text.split("\n");
    const withLine = (at: number, line: string): string => lines.with(at, line).join("\n");
    expect(refusalOf(withLine(3, "1 be 2"))).toMatchObject({ line: 4, reason: "expected 20 to 25 fields, found 3" });
    expect(refusalOf(withLine(3, lines[3]!.replace(" 3 10 ", " 300 10 ")))).toMatchObject({
      line: 4,
      reason: "expected values of 'show servers state', found invalid srv_uweight value '300'",
    });
    expect(refusalOf(withLine(6, "# headgate server be nobody maxconn=1"))).toMatchObject({
      line: 7,
      reason: "expected a server of the lines above, found 'be/nobody'",
    });
    const at = lines.findIndex((line) => line.includes("matched=9"));
    expect(refusalOf(withLine(at, lines[at]!.replace("matched=9", "matched=many")))).toMatchObject({
      line: at + 1,
      reason: "expected a number behind 'matched='",
    });
    expect(refusalOf(withLine(at, lines[at]!.replace("order=oldest", "order=\x1b[2J")))).toMatchObject({
      line: at + 1,
      reason: "expected idle, oldest, random behind 'order=', found '\\u001b[2J'",
    });
    expect(refusalOf(withLine(3, lines[3]!.replace(" 3 10 ", " 4 10 ")))?.reason).toMatch(/: the file was altered$/);
    expect(refusalOf(lines.slice(0, 5).join("\n"))?.reason).toMatch(/: the file is cut off$/);
  });

  it("of somebody else is known as such", () => {
    expect(refusalOf("root:x:0:0:root:/root:/bin/bash\n")).toEqual({
      line: 1,
      reason: "expected '1', found 'root:x:0:0:root:/root:/bin/bash'",
      isForeign: true,
    });
    expect(refusalOf("1\n# be_id be_name\n2 be 1 s1\n")).toMatchObject({ line: 2, isForeign: true });
    expect(refusalOf("")).toMatchObject({ line: 1, reason: "expected '1', found an empty file", isForeign: false });
  });
});
