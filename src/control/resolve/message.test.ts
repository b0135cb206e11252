import { type Answer, decode, encode, type Packet, TRUNCATED_RESPONSE } from "dns-packet";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalName, encodeQuery, isTruncated, messageId, type QueryType, readAnswer } from "./message.ts";

const a = (name: string, data: string): Answer => ({ type: "A", name, data, ttl: 1 });
const aaaa = (name: string, data: string): Answer => ({ type: "AAAA", name, data, ttl: 1 });
const cname = (name: string, data: string): Answer => ({ type: "CNAME", name, data, ttl: 1 });
const srv = (name: string, target: string, port: number, weight = 0): Answer => ({
  type: "SRV",
  name,
  ttl: 1,
  data: { target, port, weight, priority: 1 },
});

function message(type: QueryType, answers: Answer[], more: Packet = {}): Uint8Array {
  return encode({ type: "response", id: 7, questions: [{ type, name: "db.test" }], answers, ...more });
}

const read = (bytes: Uint8Array, type: QueryType, name = "db.test", payload = 512) =>
  readAnswer(bytes, name, type, payload);

describe("queries", () => {
  it("have one question, want recursion, and tell the size that is taken", () => {
    const query = encodeQuery(0xabcd, "db.test", "AAAA", 1234);
    const packet = decode(Buffer.from(query));
    expect(messageId(query)).toBe(0xabcd);
    expect(packet).toMatchObject({ type: "query", flag_rd: true, questions: [{ name: "db.test", type: "AAAA" }] });
    expect(packet.additionals).toMatchObject([{ type: "OPT", udpPayloadSize: 1234 }]);
  });
});

describe("answers", () => {
  it("give addresses in their canonical form", () => {
    const bytes = message("AAAA", [aaaa("db.test", "2001:DB8:0::0001"), aaaa("DB.test", "::ffff:1.2.3.4")]);
    expect(read(bytes, "AAAA")).toEqual({
      ok: true,
      records: [
        { kind: "address", type: "AAAA", address: "2001:db8::1" },
        { kind: "address", type: "AAAA", address: "::ffff:1.2.3.4" },
      ],
    });
  });

  it("follow a chain of aliases", () => {
    const bytes = message("A", [cname("db.test", "x.test"), cname("x.test", "y.test"), a("y.test", "127.0.0.1")]);
    expect(read(bytes, "A")).toMatchObject({ ok: true, records: [{ address: "127.0.0.1" }] });
  });

  it("give places of a service, each once, with the address sent along", () => {
    const answers = [
      srv("db.test", "N1.test.", 1, 9),
      srv("db.test", "n2.test", 2),
      srv("db.test", "n1.test", 1, 5),
      srv("db.test", ".", 3),
    ];
    const bytes = message("SRV", answers, { additionals: [a("n1.test", "127.0.0.1"), aaaa("n1.test", "::1")] });
    expect(read(bytes, "SRV")).toEqual({
      ok: true,
      records: [
        { kind: "service", target: "n1.test", port: 1, weight: 5, address: "127.0.0.1" },
        { kind: "service", target: "n2.test", port: 2, weight: 0 },
      ],
    });
  });

  it.each([
    ["nx", message("A", [], { flags: 3 }), "A"],
    ["refused", message("A", [], { flags: 5 }), "A"],
    ["other", message("A", [], { flags: 2 }), "A"],
    ["any_err", message("A", []), "A"],
    ["truncated", message("A", [a("db.test", "127.0.0.1")], { flags: TRUNCATED_RESPONSE }), "A"],
    ["cname_error", message("A", [cname("db.test", "x.test")]), "A"],
    ["cname_error", message("A", [cname("db.test", "x.test"), a("y.test", "127.0.0.1")]), "A"],
    ["invalid", message("A", [a("other.test", "127.0.0.1")]), "A"],
    ["invalid", message("AAAA", [aaaa("db.test", "::1")]), "A"],
    ["invalid", message("A", [a("db.test", "127.0.0.1")], { questions: [{ type: "A", name: "x.test" }] }), "A"],
    ["invalid", message("A", [a("db.test", "127.0.0.1")], { type: "query" }), "A"],
    ["invalid", message("A", [a("db.test", "127.0.0.1")]).subarray(0, 30), "A"],
    ["invalid", new Uint8Array(11), "A"],
  ] as const)("that are of no use are called %s", (fault, bytes, type) => {
    expect(read(bytes, type)).toEqual({ ok: false, fault });
  });

  it("are refused with more records than their size can hold", () => {
    const answers = Array.from({ length: 4 }, (_, i) => a("db.test", `127.0.0.${i + 1}`));
    expect(read(message("A", answers), "A", "db.test", 12 + 3 * 6)).toEqual({ ok: false, fault: "invalid" });
    expect(read(message("A", answers), "A", "db.test", 12 + 4 * 6)).toMatchObject({ ok: true });
  });

  it("that were cut off still give the places of a service", () => {
    const bytes = message("SRV", [srv("db.test", "n1.test", 1)], { flags: TRUNCATED_RESPONSE });
    expect(isTruncated(bytes)).toBe(true);
    expect(read(bytes, "SRV")).toMatchObject({ ok: true });
  });

  it("never throw, whatever comes", () => {
    const good = message("SRV", [srv("db.test", "n1.test", 1)], { additionals: [a("n1.test", "127.0.0.1")] });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(good.length),
        (edits, end) => {
          const bytes = Uint8Array.from(good);
          for (const [at, value] of edits) bytes[at] = value;
          const result = read(bytes.subarray(0, end), "SRV");
          expect(typeof result.ok).toBe("boolean");
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("names", () => {
  it("are compared without case and final dot", () => {
    expect(canonicalName("DB.Example.Org.")).toBe("db.example.org");
  });
});
