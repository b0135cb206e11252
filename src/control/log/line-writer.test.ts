// Log formats as lines: what each flag does, spaces, JSON, and the documented format of `option tcplog` against its own writer.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ipSockaddr } from "../../base/address.ts";
import { parseLogFormat } from "../../config/log-format/parse.ts";
import { JSONLOG_FORMAT, TCPLOG_CLF_FORMAT, TCPLOG_FORMAT } from "../../config/log-format/ready-made.ts";
import { LOG_EXPRESSIONS, LOG_VARIABLES } from "../../config/log-format/variables.ts";
import { CutReason } from "../../memory/cut-reason.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import * as record from "../../memory/record-row.ts";
import * as row from "../../memory/session-row.ts";
import type { Registry } from "../registry.ts";
import { formatSessionEnd } from "./format-tcplog.ts";
import { compileLine } from "./line-writer.ts";
import { RecordView } from "./record-view.ts";

const registry = {
  proxiesByIndex: [
    { name: "fe", id: 2 },
    { name: "be", id: 3 },
  ],
  serversByIndex: [{ name: "s1", id: 7 }, undefined],
  listenersByIndex: [{ id: 4, address: "127.0.0.1:27301" }],
} as unknown as Registry;

// Not the first record of its ring, so that a forgotten offset shows.
const AT = record.RECORD_WORDS;
const HALF = AT / 2;

function newRecord(): { words: Int32Array; f64: Float64Array } {
  const words = new Int32Array(record.RECORD_WORDS * 2);
  const f64 = new Float64Array(words.buffer);
  const put = (at: number, bytes: Uint8Array): void => new Uint8Array(words.buffer).set(bytes, (AT + at) * 4);
  put(row.S_CLIENT_ADDR, ipSockaddr("127.0.0.1", 46_426));
  put(record.R_FRONT_ADDR, ipSockaddr("10.0.0.254", 443));
  put(record.R_SOURCE_ADDR, ipSockaddr("::1", 1025));
  put(record.R_SERVER_ADDR, ipSockaddr("2001:db8::a", 5432));
  words[AT + row.S_BACKEND] = 1;
  words[AT + row.S_RETRIES] = 2;
  words[AT + row.S_FLAGS] = row.SF_REDISPATCHED;
  words[AT + row.S_END_CAUSE] = EndCause.KILLED;
  words[AT + row.S_END_PHASE] = EndPhase.CONNECT;
  words[AT + row.S_END_REASON] = CutReason.EVICTION;
  words[AT + row.S_QUEUE_AHEAD_SERVER] = 5;
  words[AT + row.S_QUEUE_AHEAD_BACKEND] = 6;
  words[AT + record.R_PROCESS_CONNECTIONS] = 4;
  words[AT + record.R_FRONT_SESSIONS] = 3;
  words[AT + record.R_BACK_SESSIONS] = 2;
  words[AT + record.R_SERVER_SESSIONS] = 1;
  f64[HALF + row.S_ACCEPT_WALL_F64] = Date.UTC(2026, 10, 22, 15, 33, 11, 17);
  f64[HALF + row.S_ACCEPT_F64] = 1000.25;
  f64[HALF + row.S_END_F64] = 1112.65;
  f64[HALF + row.S_QUEUE_MS_F64] = 1.7;
  f64[HALF + row.S_CONNECT_MS_F64] = 0.2;
  f64[HALF + row.S_BYTES_DOWN_F64] = 5e12;
  f64[HALF + row.S_BYTES_UP_F64] = 12;
  return { words, f64 };
}

type Change = (words: Int32Array, f64: Float64Array) => void;

/** The line of a record, by a format that has nothing wrong. */
function line(format: string, change: Change = () => {}): string {
  const problem = (_code: string, message: string): void => {
    throw new Error(message);
  };
  const { words, f64 } = newRecord();
  change(words, f64);
  const view = new RecordView(registry, 17_600, "vm");
  view.move(words, f64, AT);
  view.number = 300;
  view.frontendNumber = 9;
  return compileLine(parseLogFormat(format, { error: problem, warning: () => {} }))(view);
}

const notConnected: Change = (words, f64) => {
  words[AT + row.S_SERVER] = -1;
  words[AT + row.S_BACKEND] = -1;
  words[AT + row.S_END_REASON] = CutReason.NONE;
  for (const address of [record.R_FRONT_ADDR, record.R_SOURCE_ADDR, record.R_SERVER_ADDR]) words[AT + address] = 0;
  f64[HALF + row.S_QUEUE_MS_F64] = -1;
  f64[HALF + row.S_CONNECT_MS_F64] = -1;
};
const overUnix: Change = (words) => {
  words[AT + row.S_CLIENT_ADDR] = 1;
  words[AT + record.R_FRONT_ADDR] = 1;
  words[AT + record.R_SOURCE_ADDR] = 1;
};

describe("values", () => {
  test.each([
    ["%ci:%cp %fi:%fp %bi:%bp %si:%sp", "127.0.0.1:46426 10.0.0.254:443 ::1:1025 2001:db8::a:5432"],
    ["%f %ft %b/%s %H %pid %lc %rt", "fe fe be/s1 vm 17600 9 300"],
    ["%T %Ts.%ms %isodate", "22/Nov/2026:15:33:11 +0000 1795361591.017 2026-11-22T15:33:11.017Z"],
    ["%Tw/%Tc/%Td/%Tt/%Tu/%Th", "2/0/110/112/112/0"],
    ["%ts %tsc %cause", "KC KC-- eviction"],
    ["%B %U %ac/%fc/%bc/%sc/%rc %sq/%bq", "5000000000000 12 4/3/2/1/+2 5/6"],
    ["[%ID] [%sslc] [%sslv] [%hr%hrl%hs%hsl] %ST", "[-] [-] [-] [] 0"],
    ["%[src] %[src_port] %[fe_id]/%[be_id]/%[srv_id] %[srv_name] %[txn.redispatched]", "127.0.0.1 46426 2/3/7 s1 1"],
    ["%[txn.conn_retries] %[bc.timer.connect()] %[str(a ] b)] %[str('x,y')]", "2 0 a ] b x,y"],
  ])("%s", (format, expected) => {
    expect(line(format)).toBe(expected);
  });

  test("of a session that reached no server", () => {
    expect(line("%bi:%bp %si:%sp %fi:%fp", notConnected)).toBe("-:- -:- -:-");
    expect(line("%b/%s [%[srv_name]] [%[srv_id]] %cause %Tw/%Tc/%Td", notConnected)).toBe(
      "fe/<NOSRV> [-] [-] - -1/-1/-1",
    );
  });

  test("of a client over a unix socket", () => {
    expect(line("%ci:%cp %fi:%fp %bi:%bp %{+X}ci:%{+X}cp", overUnix)).toBe("unix:4 unix:4 unix:0 unix:0004");
  });
});

describe("flags", () => {
  test.each([
    ["%{+Q}ci %{+Q}s %{+Q}cp %{+Q}t %{+Q}ts %{+Q}ID %{+Q}hr|", /^"127\.0\.0\.1" "s1" 46426 \S+ KC "" \|$/],
    ["%{+Q}[src_port] %{+Q}[txn.sess_term_state] %{+Q}[bc_src]", /^"46426" "KC" "::1"$/],
    [
      "%{+X}ci:%{+X}cp %{+X}bi %{+X}Ts %{+X}ms %{+X}lc %{+X}rt %{+X}pid %{+X}B",
      /^7F000001:B55A 0{31}1 6B030B37 11 0009 012C 44C0 5000000000000$/,
    ],
    ["%{+X}[src] %{+X}[src_port]", /^127\.0\.0\.1 46426$/],
    ["%{-M}ID|%{+Q}o%{-M}ID|%{-Q}s", /^\|""\|s1$/],
    ["%{+Q}o %f %{-Q}b %s", /^"fe" be "s1"$/],
    [`%{+E}[str('a"b\\c]')] %{+Q,+E}[str(])]`, /^a\\"b\\\\c\\] "\\]"$/],
    ["%{+json}s %{+json}cp %{+json,+X}cp %{+json}cause %{+json}rc", /^"s1" 46426 "B55A" "eviction" 2$/],
  ])("%s", (format, expected) => {
    expect(line(format)).toMatch(expected);
  });
});

test("spaces are merged, and none begins a line", () => {
  expect(line("  %f   %s ")).toBe("fe s1 ");
  expect(line("%f %hr %s")).toBe("fe s1");
  expect(line("%f %%x%% %{-M}ID %s")).toBe("fe %x% s1");
});

describe("a JSON line", () => {
  test("has the named values, with their types", () => {
    const format =
      "%{+json}o %(client)ci text %(port)cp %(text:str)cp %(moved:bool)rc %(retries)rc %(r)[txn.redispatched] %s";
    expect(line(format)).toBe(
      '{"client": "127.0.0.1", "port": 46426, "text": "46426", "moved": true, "retries": 2, "r": true}',
    );
    expect(line(`%{+json}o %(q)[str('a"b')] %(d)t`)).toMatch(/^{"q": "a\\"b", "d": "22\/Nov\/2026:[^"]+"}$/);
    expect(line("%{+json}o %ci")).toBe("{}");
  });

  test("says null where there is nothing", () => {
    const format = "%{+json}o %(a)bi %(b)bp %(c)cause %(d)[srv_name] %(e)[srv_id] %(f)Tc";
    expect(line(format, notConnected)).toBe('{"a": null, "b": null, "c": null, "d": null, "e": null, "f": -1}');
  });

  test("of `option jsonlog` holds all there is to know", () => {
    expect(JSON.parse(line(JSONLOG_FORMAT))).toEqual({
      accept_date: "2026-11-22T15:33:11.017Z",
      host: "vm",
      pid: 17600,
      client_ip: "127.0.0.1",
      client_port: 46426,
      frontend_ip: "10.0.0.254",
      frontend_port: 443,
      frontend_name: "fe",
      backend_name: "be",
      server_name: "s1",
      backend_source_ip: "::1",
      backend_source_port: 1025,
      server_ip: "2001:db8::a",
      server_port: 5432,
      queue_ms: 2,
      connect_ms: 0,
      total_ms: 112,
      bytes_uploaded: 12,
      bytes_read: 5e12,
      termination_state: "KC",
      cause: "eviction",
      retries: 2,
      redispatched: true,
      actconn: 4,
      feconn: 3,
      beconn: 2,
      srv_conn: 1,
      srv_queue: 5,
      backend_queue: 6,
    });
  });
});

test("`option tcplog clf` is a line of a web server's log", () => {
  expect(line(TCPLOG_CLF_FORMAT)).toBe(
    '127.0.0.1 - - [22/Nov/2026:15:33:11 +0000] "TCP " 000 5000000000000 "" "" 46426 017 "fe" "be" "s1" 0 2 0 112 12 KC-- ' +
      '4 3 2 1 +2 5 6 "" "" ',
  );
});

/** A record of anything, but for the client's address: of a family that exists. */
const anyRecord = fc
  .tuple(
    fc.array(fc.integer(), { minLength: record.RECORD_WORDS, maxLength: record.RECORD_WORDS }),
    fc.constantFrom(1, 2, 10),
  )
  .map(([all, family]) => {
    const words = Int32Array.from(all);
    words[row.S_CLIENT_ADDR] = (words[row.S_CLIENT_ADDR] & ~0xffff) | family;
    return words;
  });

const viewOf = (words: Int32Array): RecordView => {
  const view = new RecordView(registry, 1, "vm");
  view.move(words, new Float64Array(words.buffer), 0);
  return view;
};
const compiled = (format: string) => compileLine(parseLogFormat(format, { error: () => {}, warning: () => {} }));

test("`option tcplog` writes what its documented format writes", () => {
  const write = compiled(TCPLOG_FORMAT);
  fc.assert(
    fc.property(anyRecord, (words) => {
      const view = viewOf(words);
      view.f64[row.S_BYTES_DOWN_F64] = words[0];
      expect(write(view)).toBe(formatSessionEnd(words, view.f64, 0, registry));
    }),
    { numRuns: 300 },
  );
});

test("whatever a record contains, every value is one printable line, and JSON is JSON", () => {
  const names = [...LOG_VARIABLES.map(({ name }) => name), ...[...LOG_EXPRESSIONS.keys()].map((name) => `[${name}]`)];
  const plain = compiled(names.map((name) => `%${name} %{+Q,+X,+E}${name}`).join(" "));
  const json = compiled(`%{+json}o ${names.map((name, i) => `%(n${i})${name}`).join(" ")}`);
  fc.assert(
    fc.property(anyRecord, (words) => {
      const view = viewOf(words);
      expect(plain(view)).toMatch(/^[\x20-\x7e]+$/);
      expect(Object.keys(JSON.parse(json(view)) as object)).toHaveLength(names.length);
    }),
    { numRuns: 200 },
  );
});
