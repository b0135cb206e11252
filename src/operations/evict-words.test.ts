import { describe, expect, it } from "vitest";
import { EVICT_NOW } from "../control/reconcile/eviction.ts";
import { parseEvictWords } from "./evict-words.ts";
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
    ["order oldest", "'order' needs 'over' or 'rate'."],
    ["client reset", "'client' expects 'fin' or 'rst'."],
    ["over 1s rate 5", "'over' and 'rate' say the same thing in two ways: give one of them."],
    ["drain 10s deadline 5s", "The deadline is before the end of the drain."],
    ["drain 1s drain 2s", "'drain' may be given once."],
    ["dry-run delete", "'dry-run' changes nothing: 'delete' and 'destroy-foreign' do not go with it."],
  ])("%s is refused", (line, error) => {
    expect(parse(line)).toEqual({ error });
  });

  it("an unknown word is refused, with the usage; names of JavaScript's own are no words", () => {
    for (const word of ["nope", "constructor", "toString"]) {
      expect(parse(`${word} 1s`).error).toMatch(new RegExp(`^Unknown word '${word}'\\. Usage: evict server `));
    }
  });
});
