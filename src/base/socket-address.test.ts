import { expect, test } from "vitest";
import { familyAt, hostAt, ipSocketAddress, portAt, unixSocketAddress } from "./socket-address.ts";

const wordsOf = (bytes: Uint8Array): Int32Array => {
  const words = new Int32Array(8);
  new Uint8Array(words.buffer).set(bytes);
  return words;
};

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["255.0.255.1", "255.0.255.1"],
  ["::1", "::1"],
  ["::", "::"],
  ["2001:db8::1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["fe80::", "fe80::"],
  ["::ffff:10.1.2.3", "::ffff:10.1.2.3"],
  ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
])("%s goes to bytes and back", (written, shown) => {
  const words = wordsOf(ipSocketAddress(written, 50_123)!);
  expect(hostAt(words, 0)).toBe(shown);
  expect(portAt(words, 0)).toBe(50_123);
  expect(familyAt(words, 0)).toBe(written.includes(":") ? 10 : 2);
});

test("a name is no address, and a path too long for the kernel is refused", () => {
  expect(ipSocketAddress("localhost", 1)).toBeUndefined();
  expect(unixSocketAddress("x".repeat(108))).toBeUndefined();
  expect([...unixSocketAddress("/a")!]).toEqual([1, 0, 47, 97, 0]);
  expect(hostAt(wordsOf(unixSocketAddress("/a")!), 0)).toBeUndefined();
});
