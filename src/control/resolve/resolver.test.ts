import { decode, encode, type Packet } from "dns-packet";
import { beforeEach, describe, expect, it } from "vitest";
import type { ResolversConfig } from "../../config/resolvers-model.ts";
import { newCounters } from "./counters.ts";
import type { Nameserver } from "./nameserver.ts";
import type { Resolution } from "./resolution.ts";
import { type Clock, type Requester, Resolver } from "./resolver.ts";

const CONFIG: ResolversConfig = {
  name: "dns",
  nameservers: [],
  hold: { valid: 10_000, nx: 1000, refused: 1000, timeout: 1000, other: 1000, obsolete: 0 },
  retries: 2,
  resolveTimeoutMs: 1000,
  retryTimeoutMs: 100,
  payloadBytes: 512,
};

/** Time that goes on when told, to each moment that something waits for. */
class TestClock implements Clock {
  private nowMs = 1000;
  private readonly calls = new Set<{ readonly atMs: number; readonly call: () => void }>();

  now(): number {
    return this.nowMs;
  }

  at(atMs: number, call: () => void): () => void {
    const entry = { atMs, call };
    this.calls.add(entry);
    return () => this.calls.delete(entry);
  }

  get timers(): number {
    return this.calls.size;
  }

  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = [...this.calls].filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.calls.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.call();
    }
    this.nowMs = end;
  }
}

interface Sent {
  readonly id: number;
  readonly name: string;
  readonly type: string;
}

class TestNameserver implements Nameserver {
  readonly counters = newCounters();
  readonly sent: Sent[] = [];
  readonly id: string;
  closed = false;
  private readonly listen: (message: Uint8Array, nameserver: Nameserver) => void;

  constructor(id: string, listen: (message: Uint8Array, nameserver: Nameserver) => void) {
    this.id = id;
    this.listen = listen;
  }

  send(query: Uint8Array): void {
    const { id = 0, questions } = decode(Buffer.from(query));
    const question = questions?.[0];
    this.sent.push({ id, name: question?.name ?? "", type: question?.type ?? "" });
  }

  close(): void {
    this.closed = true;
  }

  /** Answers the last question, or another one, with A records or a code. */
  answer(addresses: readonly string[], more: Packet = {}, question = this.sent.at(-1)): void {
    const { id = 0, name = "", type = "A" } = question ?? {};
    this.listen(
      encode({
        type: "response",
        id,
        questions: [{ type: type as "A", name }],
        answers: addresses.map((data) => ({ type: "A", name, data, ttl: 1 })),
        ...more,
      }),
      this,
    );
  }

  say(bytes: Uint8Array): void {
    this.listen(bytes, this);
  }
}

class TestRequester implements Requester {
  readonly heard: string[] = [];
  keeps = true;
  changes = true;

  onResolved(resolution: Resolution, by: string): boolean {
    this.heard.push(`${resolution.records.map(({ key }) => key).join(",")} by ${by}`);
    return this.changes;
  }

  onFailed(resolution: Resolution): boolean {
    this.heard.push(`failed: ${resolution.status}`);
    return this.keeps;
  }
}

const NX = { flags: 3 } as const;

let clock: TestClock;
let nameservers: TestNameserver[];
let resolver: Resolver;

function build(count: number): TestNameserver {
  clock = new TestClock();
  resolver = new Resolver(CONFIG, clock, (listen) => {
    nameservers = Array.from({ length: count }, (_, i) => new TestNameserver(`ns${i + 1}`, listen));
    return nameservers;
  });
  return nameservers[0]!;
}

describe("a section with one nameserver", () => {
  let ns: TestNameserver;
  beforeEach(() => {
    ns = build(1);
  });

  it("asks for a name at once, once for all who want it, and again after `timeout resolve`", () => {
    const [one, two] = [new TestRequester(), new TestRequester()];
    resolver.link("db.test", "A", one);
    resolver.link("db.test", "A", two);
    clock.pass(0);
    expect(ns.sent).toHaveLength(1);
    ns.answer(["127.0.0.1"]);
    expect(one.heard).toEqual(["127.0.0.1 by dns/ns1"]);
    expect(two.heard).toEqual(["127.0.0.1 by DNS cache"]);
    expect(ns.counters).toMatchObject({ valid: 1, update: 1 });
    clock.pass(999);
    expect(ns.sent).toHaveLength(1);
    clock.pass(1);
    expect(ns.sent).toHaveLength(2);
    expect(ns.sent[1]?.id).not.toBe(ns.sent[0]?.id);
  });

  it("counts an update only where something changed", () => {
    const requester = new TestRequester();
    requester.changes = false;
    resolver.link("db.test", "A", requester);
    clock.pass(0);
    ns.answer(["127.0.0.1"]);
    expect(ns.counters).toMatchObject({ valid: 1, update: 0 });
  });

  it("repeats a question that nobody answers, under the same id, and says when it gives up", () => {
    const requester = new TestRequester();
    resolver.link("db.test", "A", requester);
    clock.pass(150);
    expect(ns.sent).toHaveLength(2);
    expect(ns.sent[1]?.id).toBe(ns.sent[0]?.id);
    clock.pass(100);
    expect(requester.heard).toEqual(["failed: timeout"]);
  });

  it("takes an answer that comes after the repetition, and counts the second one as late", () => {
    const requester = new TestRequester();
    resolver.link("db.test", "A", requester);
    clock.pass(150);
    ns.answer(["127.0.0.1"], {}, ns.sent[0]);
    ns.answer(["127.0.0.2"], {}, ns.sent[1]);
    expect(requester.heard).toEqual(["127.0.0.1 by dns/ns1"]);
    expect(ns.counters).toMatchObject({ valid: 1, outdated: 1 });
  });

  it("asks for the other family under another id, so that a late answer about the first is no answer", () => {
    const requester = new TestRequester();
    resolver.link("db.test", "AAAA", requester);
    clock.pass(0);
    ns.answer([]);
    expect(ns.sent.map(({ type }) => type)).toEqual(["AAAA", "A"]);
    ns.answer([], {}, ns.sent[0]);
    expect(ns.counters).toMatchObject({ any_err: 1, outdated: 1 });
    ns.answer(["127.0.0.1"]);
    expect(requester.heard).toEqual(["127.0.0.1 by dns/ns1"]);
  });

  it("forgets what it knew once nobody relies on it", () => {
    const requester = new TestRequester();
    resolver.link("db.test", "A", requester);
    clock.pass(0);
    ns.answer(["127.0.0.1"]);
    requester.keeps = false;
    clock.pass(1000);
    for (let round = 0; round < 4; round++) {
      ns.answer([], NX);
      clock.pass(50);
    }
    expect(requester.heard.at(-1)).toBe("failed: nx");
    clock.pass(1000);
    ns.answer(["127.0.0.2"]);
    expect(requester.heard.at(-1)).toBe("127.0.0.2 by dns/ns1");
  });

  it("does not listen to what is too big, too short, or not asked for", () => {
    resolver.link("db.test", "A", new TestRequester());
    clock.pass(0);
    ns.say(new Uint8Array(513));
    ns.say(new Uint8Array(1));
    ns.answer(["127.0.0.1"], {}, { id: ((ns.sent[0]?.id ?? 0) + 1) % 65_536, name: "db.test", type: "A" });
    expect(ns.counters).toMatchObject({ too_big: 1, invalid: 1, outdated: 1, valid: 0 });
  });

  it("asks no more for a name that nobody wants, and has no timer then", () => {
    const requester = new TestRequester();
    resolver.link("db.test", "A", requester);
    clock.pass(0);
    resolver.unlink(requester);
    ns.answer(["127.0.0.1"]);
    clock.pass(5000);
    expect(ns.sent).toHaveLength(1);
    expect(requester.heard).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  it("is silent once stopped", () => {
    resolver.link("db.test", "A", new TestRequester());
    clock.pass(0);
    resolver.stop();
    clock.pass(5000);
    expect(ns.sent).toHaveLength(1);
    expect(ns.closed).toBe(true);
    expect(clock.timers).toBe(0);
  });
});

describe("a section with three nameservers", () => {
  it("asks all of them, and takes the first useful answer", () => {
    build(3);
    const requester = new TestRequester();
    resolver.link("db.test", "A", requester);
    clock.pass(0);
    nameservers[0]?.answer([], NX);
    nameservers[2]?.answer(["127.0.0.1"]);
    nameservers[1]?.answer(["127.0.0.2"]);
    expect(requester.heard).toEqual(["127.0.0.1 by dns/ns3"]);
    expect(nameservers.map(({ counters }) => counters)).toMatchObject([{ nx: 1 }, { outdated: 1 }, { valid: 1 }]);
  });
});

describe("a section with many names", () => {
  it("asks for each in its time, with ids that differ", () => {
    const ns = build(1);
    for (let i = 0; i < 500; i++) resolver.link(`n${i}.test`, "A", new TestRequester());
    clock.pass(0);
    expect(ns.sent).toHaveLength(500);
    expect(new Set(ns.sent.map(({ id }) => id)).size).toBe(500);
    for (const question of ns.sent) ns.answer(["127.0.0.1"], {}, question);
    expect(ns.counters.valid).toBe(500);
    clock.pass(1005);
    expect(ns.sent).toHaveLength(1000);
  });
});
