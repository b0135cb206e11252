import { describe, expect, it } from "vitest";
import { type AddressPreference, chooseAddress } from "./choose-address.ts";
import type { KnownRecord } from "./resolution.ts";

const PREFERENCE: AddressPreference = { prefer: "ipv4", networks: [], allowDuplicates: false };

const known = (...addresses: string[]): KnownRecord[] =>
  addresses.map((address) => ({
    key: address,
    record: { kind: "address", type: address.includes(":") ? "AAAA" : "A", address },
    lastSeenMs: 0,
  }));

function choose(
  addresses: string[],
  preference: Partial<AddressPreference> = {},
  more: { taken?: string[]; current?: string } = {},
): string | undefined {
  return chooseAddress({
    records: known(...addresses),
    preference: { ...PREFERENCE, ...preference },
    taken: new Set(more.taken),
    current: more.current,
  });
}

describe("the address of a server", () => {
  it("is the first one where nothing else decides", () => {
    expect(choose(["127.0.0.1", "127.0.0.2"])).toBe("127.0.0.1");
  });

  it("is the one it has, if that is as good", () => {
    expect(choose(["127.0.0.1", "127.0.0.2"], {}, { current: "127.0.0.2" })).toBe("127.0.0.2");
  });

  it("is of the preferred family before all", () => {
    const addresses = ["127.0.0.1", "2001:db8::1"];
    expect(choose(addresses, { prefer: "ipv6", networks: ["127.0.0.0/8"] }, { current: "127.0.0.1" })).toBe(
      "2001:db8::1",
    );
    expect(choose(["2001:db8::1"], { prefer: "ipv4" })).toBe("2001:db8::1");
  });

  it("is in a preferred network before it is free or the present one", () => {
    const networks = ["10.0.0.0/8", "2001:db8::/32"];
    expect(choose(["127.0.0.1", "10.1.2.3"], { networks }, { current: "127.0.0.1" })).toBe("10.1.2.3");
    expect(choose(["127.0.0.1"], { networks })).toBe("127.0.0.1");
  });

  it("is not one that another server of the backend has", () => {
    expect(choose(["127.0.0.1", "127.0.0.2"], {}, { taken: ["127.0.0.1"], current: "127.0.0.1" })).toBe("127.0.0.2");
    expect(choose(["127.0.0.1"], {}, { taken: ["127.0.0.1"] })).toBeUndefined();
  });

  it("with allow-dup-ip is a free one as long as there is one", () => {
    const allowDuplicates = true;
    expect(choose(["127.0.0.1", "127.0.0.2"], { allowDuplicates }, { taken: ["127.0.0.1"] })).toBe("127.0.0.2");
    expect(choose(["127.0.0.1"], { allowDuplicates }, { taken: ["127.0.0.1"] })).toBe("127.0.0.1");
  });

  it("is none where there is no address", () => {
    expect(choose([])).toBeUndefined();
  });
});
