// The words of `add server`: what they set, and HAProxy's wording where they are wrong.
import { describe, expect, it } from "vitest";
import { SERVER_DEFAULTS } from "./drafts.ts";
import type { ServerTemplate } from "./model.ts";
import { parseServerAddress, parseServerWords } from "./server-line.ts";

const TEMPLATE: ServerTemplate = {
  ...SERVER_DEFAULTS,
  checks: { backend: "b", protocol: { kind: "redis" }, timeoutMs: 7 },
};
const POLICY = { onMarkedUpShutdownBackupSessions: false, cutGuardPercent: 0, slowStartMs: 0 };

function errorOf(...words: string[]): string {
  const result = parseServerWords(words, TEMPLATE);
  return result.ok ? "" : result.error;
}

describe("parseServerWords", () => {
  it("starts from the backend's default-server", () => {
    const words = { ...SERVER_DEFAULTS.words, check: true, fall: 5 };
    const base = { ...TEMPLATE, weight: 7, maxconn: 3, words };
    const result = parseServerWords(["maxconn", "9", "backup", "id", "12", "check", "inter", "1s"], base);
    expect(result).toEqual({
      ok: true,
      server: {
        settings: {
          weight: 7,
          maxconn: 9,
          backup: true,
          disabled: false,
          health: {
            interMs: 1_000,
            fastInterMs: 1_000,
            downInterMs: 1_000,
            rise: 2,
            fall: 5,
            timeoutMs: 7,
            sendProxy: false,
            protocol: { kind: "redis" },
            initState: "none",
          },
          policy: POLICY,
        },
        id: 12,
      },
    });
    expect(base.backup).toBe(false);
  });

  it("takes no words as well", () => {
    expect(parseServerWords([], TEMPLATE)).toEqual({
      ok: true,
      server: { settings: { weight: 1, maxconn: 0, backup: false, disabled: false, policy: POLICY }, id: undefined },
    });
  });

  it.each([
    [["foo"], "unknown keyword 'foo'."],
    [["weigth", "3"], "unknown keyword 'weigth'; did you mean 'weight' maybe ?"],
    [["qwertyuiop"], "unknown keyword 'qwertyuiop'."],
    [["send-proxy"], "'send-proxy' is known to HAProxy but not supported by Headgate"],
    [["enabled"], "'enabled' option is not accepted for dynamic server"],
    [["weight", "257"], "'weight' expects a number from 0 to 256, not '257'"],
    [["check", "track", "b/s"], "'check' and 'track' exclude each other"],
    [["agent-check"], "'agent-check' needs an 'agent-port'"],
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
