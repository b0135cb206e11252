import { describe, expect, it } from "vitest";
import type { AnswerFault, AnswerResult, DnsRecord } from "./message.ts";
import {
  asked,
  dueMs,
  heldUntilMs,
  newResolution,
  onAnswer,
  onDue,
  type Resolution,
  type ResolutionTimes,
  remember,
  type Stepped,
} from "./resolution.ts";

const TIMES: ResolutionTimes = {
  resolveTimeoutMs: 1000,
  retryTimeoutMs: 100,
  retries: 3,
  hold: { valid: 10_000, nx: 30_000, refused: 20_000, timeout: 15_000, other: 12_000, obsolete: 0 },
};

const address = (text: string): DnsRecord => ({ kind: "address", type: "A", address: text });
const good = (...texts: string[]): AnswerResult => ({ ok: true, records: texts.map(address) });
const bad = (fault: AnswerFault): AnswerResult => ({ ok: false, fault });

/** Begins a round at `now`, asking `nameservers`. */
function begin(resolution: Resolution, now: number, nameservers = 1): Resolution {
  const step = onDue(resolution, TIMES, now);
  expect(step.next).toBe("ask");
  return asked(step.resolution, nameservers);
}

const next = (step: Stepped, nameservers = 1): Resolution => asked(step.resolution, nameservers);

describe("a round", () => {
  it("begins at once for a new name, and `timeout resolve` after the end of the last one", () => {
    const first = newResolution("db.test", "A", 5);
    expect(dueMs(first, TIMES)).toBe(0);
    const { resolution } = onAnswer(begin(first, 10), good("127.0.0.1"), TIMES, 30);
    expect(dueMs(resolution, TIMES)).toBe(1030);
  });

  it("ends with the first useful answer", () => {
    const step = onAnswer(begin(newResolution("db.test", "A", 0), 10, 3), good("127.0.0.1"), TIMES, 30);
    expect(step.next).toBe("resolved");
    expect(step.resolution).toMatchObject({ status: "valid", lastValidMs: 30, round: undefined });
    expect(step.resolution.records.map(({ key }) => key)).toEqual(["127.0.0.1"]);
  });

  it("waits for all nameservers before a useless answer counts, then asks for the other family", () => {
    const asking = begin(newResolution("db.test", "AAAA", 0), 10, 2);
    const one = onAnswer(asking, bad("nx"), TIMES, 20);
    expect(one.next).toBe("wait");
    const two = onAnswer(one.resolution, bad("any_err"), TIMES, 30);
    expect(two.next).toBe("ask");
    expect(two.resolution.round).toMatchObject({ asked: "A", triesLeft: 2 });
  });

  it("spends a try on silence, and fails as a timeout when none is left", () => {
    let resolution = begin(newResolution("db.test", "A", 0), 0);
    for (const now of [100, 200]) {
      expect(dueMs(resolution, TIMES)).toBe(now);
      resolution = begin(resolution, now);
    }
    const last = onDue(resolution, TIMES, 300);
    expect(last.next).toBe("failed");
    expect(last.resolution).toMatchObject({ status: "timeout", round: undefined, lastRoundMs: 300 });
  });

  it("fails with what was heard last, both families having been asked each time", () => {
    let resolution = begin(newResolution("db.test", "A", 0), 0);
    for (const now of [0, 100, 200]) {
      const other = onAnswer(resolution, bad("nx"), TIMES, now);
      expect(other.next).toBe("ask");
      const both = onAnswer(next(other), bad("refused"), TIMES, now + 10);
      if (now === 200) {
        expect(both.next).toBe("failed");
        expect(both.resolution.status).toBe("refused");
        return;
      }
      expect(both.next).toBe("wait");
      resolution = begin(both.resolution, now + 110);
      expect(resolution.round?.asked).toBe("A");
    }
  });

  it("for a service has no other family: the next try comes with time", () => {
    let resolution = begin(newResolution("_pg._tcp.test", "SRV", 0), 0);
    for (const now of [0, 100]) {
      const step = onAnswer(resolution, bad("nx"), TIMES, now);
      expect(step.next).toBe("wait");
      resolution = begin(step.resolution, now + 100);
      expect(resolution.round?.asked).toBe("SRV");
    }
    const step = onAnswer(resolution, bad("nx"), TIMES, 210);
    expect(onDue(step.resolution, TIMES, 300)).toMatchObject({ next: "failed", resolution: { status: "nx" } });
  });

  it("tries the other family when only some nameservers answered, without spending a try", () => {
    const asking = begin(newResolution("db.test", "A", 0), 0, 2);
    const { resolution } = onAnswer(asking, bad("other"), TIMES, 10);
    expect(onDue(resolution, TIMES, 100)).toMatchObject({
      next: "ask",
      resolution: { round: { asked: "AAAA", triesLeft: 2 } },
    });
  });

  it("hears nothing between rounds", () => {
    const idle = newResolution("db.test", "A", 0);
    expect(onAnswer(idle, good("127.0.0.1"), TIMES, 5)).toEqual({ resolution: idle, next: "wait" });
  });
});

describe("what is held", () => {
  it.each([
    ["nx", 30_000],
    ["refused", 20_000],
    ["timeout", 15_000],
    ["other", 12_000],
    ["valid", 0],
  ] as const)("after %s lasts from the last good answer on", (status, holdMs) => {
    const resolution = { ...newResolution("db.test", "A", 0), status, lastValidMs: 400 };
    expect(heldUntilMs(resolution, TIMES.hold)).toBe(400 + holdMs);
  });
});

describe("records", () => {
  const keys = (known: ReturnType<typeof remember>): string[] => known.map(({ key }) => key);

  it("that an answer no longer has count until they are obsolete", () => {
    const first = remember([], [address("127.0.0.2"), address("127.0.0.1")], 50, 100);
    expect(keys(first)).toEqual(["127.0.0.1", "127.0.0.2"]);
    const second = remember(first, [address("127.0.0.3")], 50, 150);
    expect(keys(second)).toEqual(["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    expect(keys(remember(second, [address("127.0.0.3")], 50, 151))).toEqual(["127.0.0.3"]);
  });

  it("of a service keep an additional address until it is obsolete", () => {
    const place = (address?: string): DnsRecord => ({
      kind: "service",
      target: "n1.test",
      port: 1,
      weight: 5,
      ...(address === undefined ? {} : { address }),
    });
    const first = remember([], [place("127.0.0.1")], 50, 100);
    const second = remember(first, [place()], 50, 140);
    expect(second[0]?.record).toMatchObject({ address: "127.0.0.1" });
    expect(remember(second, [place()], 50, 151)[0]?.record).not.toHaveProperty("address");
  });

  it("of a service are one each for target and port; the weight is the newest", () => {
    const place = (port: number, weight: number): DnsRecord => ({ kind: "service", target: "n1.test", port, weight });
    const first = remember([], [place(1, 5), place(2, 6)], 0, 100);
    expect(remember(first, [place(2, 9)], 0, 101)).toMatchObject([{ key: "n1.test:2", record: { weight: 9 } }]);
  });
});
