// The words of `add server`: what they set, and HAProxy's wording where they are wrong.
import { describe, expect, it } from "vitest";
import { SERVER_DEFAULTS } from "./drafts.ts";
import { parseServerAddress, parseServerWords } from "./server-line.ts";

function errorOf(...words: string[]): string {
  const result = parseServerWords(words, SERVER_DEFAULTS);
  return result.ok ? "" : result.error;
}

describe("parseServerWords", () => {
  it("starts from the backend's default-server", () => {
    const base = { ...SERVER_DEFAULTS, weight: 7, maxconn: 3 };
    const result = parseServerWords(["maxconn", "9", "backup", "id", "12", "check", "inter", "1s"], base);
    expect(result).toEqual({
      ok: true,
      server: {
        settings: { ...base, maxconn: 9, backup: true, check: { ...base.check, enabled: true, interMs: 1_000 } },
        id: 12,
      },
    });
    expect(base.backup).toBe(false);
  });

  it("takes no words as well", () => {
    expect(parseServerWords([], SERVER_DEFAULTS)).toEqual({
      ok: true,
      server: { settings: SERVER_DEFAULTS, id: undefined },
    });
  });

  it.each([
    [["foo"], "unknown keyword 'foo'."],
    [["weigth", "3"], "unknown keyword 'weigth'; did you mean 'weight' maybe ?"],
    [["qwertyuiop"], "unknown keyword 'qwertyuiop'."],
    [["send-proxy"], "'send-proxy' is known to HAProxy but not supported by Headgate"],
    [["enabled"], "'enabled' option is not accepted for dynamic server"],
    [["weight", "257"], "'weight' expects a number from 0 to 256, not '257'"],
    [["weight"], "'weight' expects <weight>"],
    [["maxconn", "-1"], "'maxconn' expects a number from 0 to 2147483647, not '-1'"],
  ])("%j: %s", (words, text) => {
    expect(errorOf(...words)).toBe(text);
  });
});

describe("parseServerAddress", () => {
  it.each([
    ["127.0.0.1:80", "fixed", { kind: "inet", host: "127.0.0.1", family: "ipv4", port: 80 }],
    ["[::1]:80", "fixed", { kind: "inet", host: "::1", family: "ipv6", port: 80 }],
    ["db:+5", "client", { kind: "inet", host: "db", family: "any", port: 5 }],
    ["db:-5", "client", { kind: "inet", host: "db", family: "any", port: -5 }],
    ["127.0.0.1", "client", { kind: "inet", host: "127.0.0.1", family: "ipv4", port: 0 }],
    ["/run/s.sock", "fixed", { kind: "unix", path: "/run/s.sock" }],
    ["./s.sock", "fixed", { kind: "unix", path: "./s.sock" }],
    ["abns@s", "fixed", { kind: "abns", name: "s" }],
  ])("%s", (text, portKind, endpoint) => {
    expect(parseServerAddress(text)).toEqual({ ok: true, endpoint, portKind });
  });

  it.each(["127.0.0.1:65536", "127.0.0.1:x", "", "unix@", "fd@3", "0.0.0.0:80", "a b:1"])("refuses %j", (text) => {
    expect(parseServerAddress(text).ok).toBe(false);
  });
});
