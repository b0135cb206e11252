import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ipSockaddr } from "../../base/address.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import {
  R_BACK_SESSIONS,
  R_FRONT_ADDR,
  R_FRONT_SESSIONS,
  R_PROCESS_CONNECTIONS,
  R_SERVER_SESSIONS,
  RECORD_WORDS,
} from "../../memory/record-row.ts";
import * as row from "../../memory/session-row.ts";
import type { Registry } from "../registry.ts";
import { formatSessionAccept, formatSessionEnd } from "./format-tcplog.ts";

const registry = {
  proxiesByIndex: [{ name: "fe" }, { name: "be" }],
  serversByIndex: [{ name: "s1" }, undefined],
  listenersByIndex: [
    { id: 3, address: "127.0.0.1:27301" },
    { id: 1, address: "[::1]:5000" },
  ],
} as unknown as Registry;

interface Fields {
  readonly client?: string;
  readonly backend?: number;
  readonly server?: number;
  readonly queueMs?: number;
  readonly connectMs?: number;
  readonly totalMs?: number;
  readonly bytes?: number;
  readonly retries?: number;
  readonly flags?: number;
  readonly aheadServer?: number;
  readonly aheadBackend?: number;
  readonly listener?: number;
  readonly state?: readonly [number, number];
}

// A record that is not the first of its ring, so that a forgotten offset shows.
const OFFSET = RECORD_WORDS * 2;

function record(f: Fields): { words: Int32Array; f64: Float64Array } {
  const words = new Int32Array(RECORD_WORDS * 3);
  const f64 = new Float64Array(words.buffer);
  const bytes = f.client === "unix" ? new Uint8Array([1, 0]) : ipSockaddr(f.client ?? "127.0.0.1", 46_426);
  new Uint8Array(words.buffer).set(bytes, (OFFSET + row.S_CLIENT_ADDR) * 4);
  words[OFFSET + row.S_CLIENT_ADDR_LEN] = bytes.length;
  words[OFFSET + row.S_LISTENER] = f.listener ?? 0;
  words[OFFSET + row.S_FRONTEND] = 0;
  words[OFFSET + row.S_BACKEND] = f.backend ?? 1;
  words[OFFSET + row.S_SERVER] = f.server ?? 0;
  words[OFFSET + row.S_RETRIES] = f.retries ?? 0;
  words[OFFSET + row.S_FLAGS] = f.flags ?? 0;
  words[OFFSET + row.S_QUEUE_AHEAD_SERVER] = f.aheadServer ?? 0;
  words[OFFSET + row.S_QUEUE_AHEAD_BACKEND] = f.aheadBackend ?? 0;
  words[OFFSET + row.S_END_CAUSE] = f.state?.[0] ?? EndCause.NORMAL;
  words[OFFSET + row.S_END_PHASE] = f.state?.[1] ?? EndPhase.NORMAL;
  words[OFFSET + R_PROCESS_CONNECTIONS] = 4;
  words[OFFSET + R_FRONT_SESSIONS] = 3;
  words[OFFSET + R_BACK_SESSIONS] = 2;
  words[OFFSET + R_SERVER_SESSIONS] = 1;
  const half = OFFSET / 2;
  f64[half + row.S_ACCEPT_WALL_F64] = new Date(2026, 10, 22, 15, 33, 11, 817).getTime();
  f64[half + row.S_ACCEPT_F64] = 1000.25;
  f64[half + row.S_END_F64] = 1000.25 + (f.totalMs ?? 12.4);
  f64[half + row.S_QUEUE_MS_F64] = f.queueMs ?? 0.7;
  f64[half + row.S_CONNECT_MS_F64] = f.connectMs ?? 0.2;
  f64[half + row.S_BYTES_DOWN_F64] = f.bytes ?? 1234;
  return { words, f64 };
}

const endLine = (f: Fields): string => {
  const { words, f64 } = record(f);
  return formatSessionEnd(words, f64, OFFSET, registry);
};
const HEAD = "127.0.0.1:46426 [22/Nov/2026:15:33:11.817] fe";

describe("the line of an ended session", () => {
  const { CLIENT, SERVER, CLIENT_TIMEOUT, SERVER_TIMEOUT, KILLED, DOWN, UP, RESOURCE } = EndCause;
  test.each<[string, Fields, string]>([
    ["normal end", {}, "be/s1 1/0/12 1234 -- 4/3/2/1/0 0/0"],
    ["client reset", { state: [CLIENT, EndPhase.DATA] }, "be/s1 1/0/12 1234 CD 4/3/2/1/0 0/0"],
    [
      "client gave up while connecting",
      { state: [CLIENT, EndPhase.CONNECT], connectMs: -1, bytes: 0 },
      "be/s1 1/-1/12 0 CC 4/3/2/1/0 0/0",
    ],
    [
      "client gave up in the queue",
      { state: [CLIENT, EndPhase.QUEUE], queueMs: -1, connectMs: -1, server: -1, bytes: 0 },
      "be/<NOSRV> -1/-1/12 0 CQ 4/3/2/1/0 0/0",
    ],
    ["server reset", { state: [SERVER, EndPhase.DATA] }, "be/s1 1/0/12 1234 SD 4/3/2/1/0 0/0"],
    [
      "server refused every attempt",
      { state: [SERVER, EndPhase.CONNECT], connectMs: -1, retries: 3, flags: row.SF_REDISPATCHED, bytes: 0 },
      "be/s1 1/-1/12 0 SC 4/3/2/1/+3 0/0",
    ],
    [
      "no server",
      { state: [SERVER, EndPhase.CONNECT], queueMs: -1, connectMs: -1, server: -1, totalMs: 0, bytes: 0 },
      "be/<NOSRV> -1/-1/0 0 SC 4/3/2/1/0 0/0",
    ],
    [
      "no backend",
      { state: [SERVER, EndPhase.CONNECT], queueMs: -1, connectMs: -1, server: -1, backend: -1, bytes: 0 },
      "fe/<NOSRV> -1/-1/12 0 SC 4/3/2/1/0 0/0",
    ],
    ["client idle", { state: [CLIENT_TIMEOUT, EndPhase.DATA] }, "be/s1 1/0/12 1234 cD 4/3/2/1/0 0/0"],
    ["server idle", { state: [SERVER_TIMEOUT, EndPhase.DATA] }, "be/s1 1/0/12 1234 sD 4/3/2/1/0 0/0"],
    [
      "connect timeout",
      { state: [SERVER_TIMEOUT, EndPhase.CONNECT], connectMs: -1, retries: 1, bytes: 0 },
      "be/s1 1/-1/12 0 sC 4/3/2/1/1 0/0",
    ],
    [
      "queue timeout",
      {
        state: [SERVER_TIMEOUT, EndPhase.QUEUE],
        queueMs: 501,
        connectMs: -1,
        totalMs: 500,
        server: -1,
        aheadServer: 2,
        aheadBackend: 1,
        bytes: 0,
      },
      "be/<NOSRV> 501/-1/500 0 sQ 4/3/2/1/0 2/1",
    ],
    ["cut by the operator", { state: [KILLED, EndPhase.CONNECT] }, "be/s1 1/0/12 1234 KC 4/3/2/1/0 0/0"],
    ["server went down", { state: [DOWN, EndPhase.DATA] }, "be/s1 1/0/12 1234 DD 4/3/2/1/0 0/0"],
    ["server came back", { state: [UP, EndPhase.DATA] }, "be/s1 1/0/12 1234 UD 4/3/2/1/0 0/0"],
    ["no resources", { state: [RESOURCE, EndPhase.CONNECT] }, "be/s1 1/0/12 1234 RC 4/3/2/1/0 0/0"],
    ["more bytes than 32 bits count", { bytes: 5e12 }, "be/s1 1/0/12 5000000000000 -- 4/3/2/1/0 0/0"],
    ["a server whose row is free again", { server: 1 }, "be/#1 1/0/12 1234 -- 4/3/2/1/0 0/0"],
  ])("%s", (_, fields, rest) => {
    expect(endLine(fields)).toBe(`${HEAD} ${rest}`);
  });

  test("clients over IPv6 and over a unix socket", () => {
    expect(endLine({ client: "::1" })).toMatch(/^::1:46426 \[/);
    expect(endLine({ client: "::ffff:127.0.0.1" })).toMatch(/^::ffff:127\.0\.0\.1:46426 \[/);
    expect(endLine({ client: "unix" })).toMatch(/^unix:3 \[/);
  });
});

test("the line at accept names both ends", () => {
  const line = (f: Fields): string => formatSessionAccept(record(f).words, OFFSET, registry);
  expect(line({})).toBe("Connect from 127.0.0.1:46426 to 127.0.0.1:27301 (fe/TCP)");
  expect(line({ client: "::1", listener: 1 })).toBe("Connect from ::1:46426 to ::1:5000 (fe/TCP)");
  expect(line({ client: "unix" })).toBe("Connect to unix:3 (fe/TCP)");
  const { words } = record({});
  new Uint8Array(words.buffer).set(ipSockaddr("10.0.0.254", 443), (OFFSET + R_FRONT_ADDR) * 4);
  expect(formatSessionAccept(words, OFFSET, registry)).toBe("Connect from 127.0.0.1:46426 to 10.0.0.254:443 (fe/TCP)");
});

test("whatever a row contains, there is one printable line", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 96, maxLength: 96 }),
      (all) => {
        const words = Int32Array.from(all.slice(0, RECORD_WORDS));
        const f64 = new Float64Array(words.buffer);
        for (const text of [formatSessionEnd(words, f64, 0, registry), formatSessionAccept(words, 0, registry)]) {
          expect(text).toMatch(/^[\x20-\x7e]+$/);
        }
      },
    ),
    { numRuns: 500 },
  );
});
