import { describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import { EVICT_NOW } from "../control/reconcile/eviction.ts";
import { EVERY_SESSION } from "../memory/selector.ts";
import { parseEvictSessions, parseEvictWords } from "./evict-words.ts";
import { askedText } from "./eviction-receipt.ts";

const parse = (line: string) => parseEvictWords(line === "" ? [] : line.split(" "));

describe("the words of evict server", () => {
  it.each([
    ["", {}, "at once"],
    ["drain 30s", { drainMs: 30_000 }, "drain 30s"],
    ["idle 200ms deadline 1m", { idleMs: 200, deadlineMs: 60_000 }, "idle 200ms, deadline 1m"],
    ["over 10s", { overMs: 10_000 }, "over 10s, order random"],
    ["rate 50 order oldest", { ratePerSecond: 50, order: "oldest" }, "rate 50, order oldest"],
    ["deadline 0", { deadlineMs: 0 }, "deadline 0"],
    ["client rst", { resetClients: true }, "client rst"],
    ["client fin", {}, "at once"],
    // Who goes first makes no difference where all go at once.
    ["order oldest", { order: "oldest" }, "at once"],
    ["dry-run delete json", { deleteServer: true }, "delete"],
    ["delete destroy-foreign json", { deleteServer: true, destroyForeign: true }, "delete, destroy-foreign"],
  ])("%j", (line, request, text) => {
    const { found } = parse(line);
    expect(found?.request).toEqual({ ...EVICT_NOW, ...request });
    expect(askedText(found!.request)).toBe(text);
  });

  it.each([
    ["drain", "'drain' expects a time with its unit, such as 30s."],
    ["drain 30", "'drain' expects a time with its unit, such as 30s."],
    ["drain 30y", "'drain': unknown time unit 'y' (known: us, ms, s, m, h, d)."],
    ["over 0", "'over' expects a time above 0."],
    ["deadline 99999d", "'deadline': time out of range: the longest is 2147483647 ms (about 24.8 days)."],
    ["rate 0", "'rate' expects a number of sessions a second from 1 to 1000000."],
    ["rate 1.5", "'rate' expects a number of sessions a second from 1 to 1000000."],
    ["order newest", "'order' expects 'idle', 'oldest' or 'random'."],
    ["client reset", "'client' expects 'fin' or 'rst'."],
    ["over 1s rate 5", "'over' and 'rate' say the same thing in two ways: give one of them."],
    ["drain 10s deadline 5s", "The deadline is before the end of the drain."],
    ["drain 1s drain 2s", "'drain' may be given once."],
  ])("%s is refused", (line, error) => {
    expect(parse(line)).toEqual({ error });
  });

  it("an unknown word is refused, with the usage; names of JavaScript's own are no words", () => {
    for (const word of ["nope", "constructor", "toString"]) {
      expect(parse(`${word} 1s`).error).toMatch(new RegExp(`^Unknown word '${word}'\\. Usage: evict server `));
    }
  });
});

describe("the words of evict sessions", () => {
  const parseSessions = async (line: string) => {
    const program = await InMemoryProgram.start();
    return parseEvictSessions(program.registry, line === "" ? [] : line.split(" "));
  };

  it.each([
    ["backend be", {}, "backend be", "at once"],
    ["server be/s1 from 10.0.0.0/8 rate 5", { phases: 0 }, "server be/s1 and from 10.0.0.0/8", "rate 5, order random"],
    ["idle 10m", { idleMs: 600_000 }, "idle 10m", "at once"],
    ["idle 60 idle 200ms", { idleMs: 60_000 }, "idle 60", "idle 200ms"],
    ["frontend fe and idle 10s drain 1s", { idleMs: 10_000 }, "frontend fe and idle 10s", "drain 1s"],
    ["frontend fe idle 10s drain 1s", { idleMs: 0 }, "frontend fe", "drain 1s, idle 10s"],
    [
      "older 1h and state established client rst",
      { olderMs: 3_600_000 },
      "older 1h and state established",
      "client rst",
    ],
  ])("%j", async (line, selector, filter, asked) => {
    const { found } = await parseSessions(line);
    expect(found!.selector).toMatchObject(selector);
    expect(found!.selector).not.toEqual(EVERY_SESSION);
    expect(found!.filter).toBe(filter);
    expect(askedText(found!.request)).toBe(asked);
  });

  it.each([
    ["", /^Which sessions\? At least one filter is needed: .* Usage: evict sessions /],
    ["over 10s", /^Which sessions\? At least one filter is needed: /],
    ["over 10s backend be", /^Which sessions\? At least one filter is needed: /],
    ["backend be over 10s from 10.0.0.1", /^Filters come before options: 'from'\.$/],
    ["backend be delete", /^'delete' and 'destroy-foreign' are for 'evict server'\.$/],
    ["backend be destroy-foreign", /^'delete' and 'destroy-foreign' are for 'evict server'\.$/],
    ["backend be idle 10", /^'idle' expects a time with its unit/],
    ["backend be nonsense", /^Unknown word 'nonsense'\. Usage: evict sessions /],
    ["server be/none", /^No such server\.$/],
    ["backend be and over 10s", /^'and' stands between two filters\.$/],
  ])("%j is refused", async (line, error) => {
    expect((await parseSessions(line)).error).toMatch(error);
  });
});
