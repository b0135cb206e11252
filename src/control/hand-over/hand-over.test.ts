import { describe, expect, it } from "vitest";
import { ipSockaddr, unixSockaddr } from "../../base/address.ts";
import { InheritedSockets } from "./inherited-sockets.ts";
import { decodeSocketRecords, encodeSocketRecords } from "./socket-records.ts";

describe("records of sockets", () => {
  it("are six zero bytes each where nothing is special, as HAProxy sends them", () => {
    const plain = { namespace: "", interface: "" };
    expect([...encodeSocketRecords([plain, plain])]).toEqual(Array.from({ length: 12 }, () => 0));
  });

  it("are read as they were written", () => {
    const records = [
      { namespace: "blue", interface: "eth0" },
      { namespace: "", interface: "" },
      { namespace: "", interface: "lo" },
    ];
    expect(decodeSocketRecords(encodeSocketRecords(records), 3)).toEqual(records);
  });

  it("are refused where they end too early", () => {
    const bytes = encodeSocketRecords([{ namespace: "blue", interface: "eth0" }]);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeSocketRecords(bytes.subarray(0, length), 1)).toBeUndefined();
    }
  });
});

describe("sockets of the process before", () => {
  const plain = { namespace: "", interface: "", v6only: false };
  const inherited = (sockaddr: Uint8Array, more: Partial<typeof plain> = {}) =>
    new InheritedSockets([{ fd: 7, sockaddr, ...plain, ...more }]);

  it("are found by family, address and port, once", () => {
    const sockets = inherited(ipSockaddr("127.0.0.1", 80));
    expect(sockets.take(ipSockaddr("127.0.0.1", 81), false)).toBeUndefined();
    expect(sockets.take(ipSockaddr("127.0.0.2", 80), false)).toBeUndefined();
    expect(sockets.take(ipSockaddr("::ffff:127.0.0.1", 80), false)).toBeUndefined();
    expect(sockets.take(ipSockaddr("127.0.0.1", 80), false)).toBe(7);
    expect(sockets.take(ipSockaddr("127.0.0.1", 80), false)).toBeUndefined();
    expect(sockets.left).toBe(0);
  });

  it("of one address are taken one by one", () => {
    const plain = { namespace: "", interface: "", v6only: false, sockaddr: ipSockaddr("127.0.0.1", 80) };
    const sockets = new InheritedSockets([7, 8].map((fd) => ({ fd, ...plain })));
    const taken: (number | undefined)[] = [];
    while (sockets.has(plain.sockaddr, false)) taken.push(sockets.take(plain.sockaddr, false));
    expect(taken).toEqual([7, 8]);
  });

  it("of IPv6 are found whatever their scope, and only if both or none take IPv6 alone", () => {
    const scoped = ipSockaddr("fe80::1", 80);
    scoped[24] = 3;
    expect(inherited(scoped).take(ipSockaddr("fe80::1", 80), false)).toBe(7);
    expect(inherited(ipSockaddr("::", 80), { v6only: true }).take(ipSockaddr("::", 80), false)).toBeUndefined();
    expect(inherited(ipSockaddr("::", 80), { v6only: true }).take(ipSockaddr("::", 80), true)).toBe(7);
  });

  it("on a path are known by it, also under the name that they were bound by", () => {
    const path = unixSockaddr("/run/fe.sock", false);
    expect(inherited(unixSockaddr("/run/fe.sock.4711.tmp", false)).take(path, false)).toBe(7);
    expect(inherited(path).take(path, false)).toBe(7);
    expect(inherited(unixSockaddr("/run/fe.sock.other.tmp", false)).take(path, false)).toBeUndefined();
    expect(inherited(path).take(unixSockaddr("/run/fe", false), false)).toBeUndefined();
    expect(inherited(unixSockaddr("fe", true)).take(unixSockaddr("fe", true), false)).toBe(7);
    expect(inherited(unixSockaddr("fe", true)).take(unixSockaddr("fe", false), false)).toBeUndefined();
  });

  it("of an interface or a namespace are nobody's", () => {
    const sockaddr = ipSockaddr("0.0.0.0", 80);
    expect(inherited(sockaddr, { interface: "eth0" }).take(sockaddr, false)).toBeUndefined();
    expect(inherited(sockaddr, { namespace: "blue" }).take(sockaddr, false)).toBeUndefined();
  });
});
