import { expect, test } from "vitest";
import {
  formatHost,
  formatSockaddr,
  ipSockaddr,
  isInNetwork,
  isIpAddress,
  parseNetwork,
  sockaddrPort,
  unixSockaddr,
} from "./address.ts";

const wordsOf = (bytes: Uint8Array): Int32Array => {
  const words = new Int32Array(8);
  new Uint8Array(words.buffer).set(bytes.subarray(0, 32));
  return words;
};

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["255.0.255.1", "255.0.255.1"],
  ["::1", "::1"],
  ["::", "::"],
  ["[::1]", "::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["fe80::", "fe80::"],
  ["::ffff:10.1.2.3", "::ffff:10.1.2.3"],
  ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
])("%s goes to bytes and back", (written, shown) => {
  const words = wordsOf(ipSockaddr(written, 50_123));
  expect(formatHost(words, 0)).toBe(shown);
  expect(sockaddrPort(words, 0)).toBe(50_123);
  expect(formatSockaddr(words, 0)).toBe(`${shown}:50123`);
});

test("what is no IP address is refused", () => {
  expect(isIpAddress("localhost")).toBe(false);
  expect(isIpAddress("1.2.3")).toBe(false);
  expect(() => ipSockaddr("localhost", 1)).toThrow();
});

test("paths of unix sockets end with a zero, abstract names start with one", () => {
  expect([...unixSockaddr("/a", false)]).toEqual([1, 0, 47, 97, 0]);
  expect([...unixSockaddr("a", true).subarray(0, 5)]).toEqual([1, 0, 0, 97, 0]);
  expect(() => unixSockaddr("x".repeat(108), false)).toThrow(RangeError);
  expect(formatSockaddr(wordsOf(unixSockaddr("/a", false)), 0)).toBeUndefined();
});

test.each([
  ["10.0.0.0/8", ["10.255.0.1", "::ffff:10.1.2.3"], ["11.0.0.1", "::ffff:11.0.0.1"]],
  ["10.1.2.3/8", ["10.9.9.9"], ["9.1.2.3"]],
  ["10.1.2.3", ["10.1.2.3"], ["10.1.2.2"]],
  ["10.1.2.4/31", ["10.1.2.4", "10.1.2.5"], ["10.1.2.3", "10.1.2.6"]],
  ["0.0.0.0/0", ["1.2.3.4", "255.255.255.255", "::ffff:1.2.3.4"], ["::1"]],
  ["::ffff:10.0.0.0/104", ["10.1.1.1", "::ffff:10.1.1.1"], ["11.0.0.1"]],
  ["2001:db8::/33", ["2001:db8:7fff::1"], ["2001:db8:8000::1", "32.1.13.184"]],
  ["::1", ["::1"], ["::2", "0.0.0.1"]],
  ["::/0", ["::1", "ffff::"], ["10.0.0.1", "::ffff:10.0.0.1"]],
])("network %s", (text, members, others) => {
  const network = parseNetwork(text)!;
  const isMember = (host: string): boolean => isInNetwork(network, wordsOf(ipSockaddr(host, 1)), 0);
  expect(members.filter((host) => !isMember(host))).toEqual([]);
  expect(others.filter(isMember)).toEqual([]);
  expect(isInNetwork(network, wordsOf(unixSockaddr("/a", false)), 0)).toBe(false);
});

test.each([
  "",
  "10.0.0.0/33",
  "::/129",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0/8",
  "localhost",
  "10.0.0.0/-1",
  "10.0.0.0/1e1",
])("%j is no network", (text) => {
  expect(parseNetwork(text)).toBeUndefined();
});
