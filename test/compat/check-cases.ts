// The table of the check differential: protocols, each as HAProxy's configuration lines and as the model's value, and the
// scripted servers that each is tried on.

import type { CheckConfig, CheckProtocol, HttpCheckStep, TcpCheckStep } from "../../src/config/health-model.ts";
import type { CheckUpstreamScript } from "./check-upstreams.ts";

export interface CheckCase {
  readonly name: string;
  /** Lines of the backend. */
  readonly backend: readonly string[];
  /** Words of the server after "check". */
  readonly words?: string;
  readonly check: Pick<CheckConfig, "protocol"> & Partial<CheckConfig>;
  readonly server: CheckUpstreamScript | "refused" | "black hole";
}

const place = { file: "test", line: 1, column: 1 };
const HOLD: CheckUpstreamScript = {};
const CLOSE: CheckUpstreamScript = { end: "close" };
const RESET: CheckUpstreamScript = { end: "reset" };
const once = (answer: string | Uint8Array, end?: "hold" | "close" | "reset"): CheckUpstreamScript => ({
  answers: [answer],
  ...(end ? { end } : {}),
});
const greets = (
  greeting: string | Uint8Array,
  answers: (string | Uint8Array)[] = [],
  end?: "hold" | "close" | "reset",
): CheckUpstreamScript => ({
  greeting,
  answers,
  ...(end ? { end } : {}),
});
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

type Servers = Readonly<Record<string, CheckCase["server"]>>;

function cases(
  name: string,
  backend: readonly string[],
  protocol: CheckProtocol,
  servers: Servers,
  more: Partial<CheckConfig> = {},
  words = "",
): CheckCase[] {
  return Object.entries(servers).map(([what, server]) => ({
    name: `${name}: ${what}`,
    backend,
    words,
    check: { ...more, protocol },
    server,
  }));
}

const expectDefaults = { kind: "expect", negated: false, place } as const;
const text = (value: string) => ({ kind: "string" as const, bytes: new Uint8Array(Buffer.from(value)), source: value });
const send = (value: string, comment?: string): TcpCheckStep => ({
  kind: "send",
  bytes: new Uint8Array(Buffer.from(value)),
  place,
  ...(comment ? { comment } : {}),
});
const tcpConnect: TcpCheckStep = { kind: "connect", sendProxy: false, linger: false, place };
const httpSend: HttpCheckStep = { kind: "send", method: "OPTIONS", uri: "/", headers: [], place };
const http = (...steps: HttpCheckStep[]): CheckProtocol => ({ kind: "http", steps: [httpSend, ...steps] });

const SIMPLE: Servers = { refused: "refused", silent: HOLD, "closes at once": CLOSE, "resets after data": RESET };
const GARBAGE: Servers = {
  "garbage, then open": once("\xff\0 what is this?\r\n\r\n"),
  "garbage, then closed": once("\xff\0 what is this?\r\n\r\n", "close"),
  "a flood of garbage": { answers: ["flood of garbage "], flood: true },
};

const OK = "HTTP/1.0 200 OK\r\n\r\n";
const body = (value: string) => `HTTP/1.1 200 Fine\r\nContent-Length: ${value.length}\r\n\r\n${value}`;

const tcp = cases(
  "tcp",
  [],
  { kind: "tcp" },
  {
    refused: "refused",
    "a black hole": "black hole",
    silent: HOLD,
    "closes at once": CLOSE,
  },
);

const httpDefault = cases("http", ["option httpchk"], http(), {
  ...SIMPLE,
  ...GARBAGE,
  "200": once(OK, "close"),
  "200, left open": once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
  "200 without a reason": once("HTTP/1.1 200\r\n\r\n", "close"),
  "302": once("HTTP/1.1 302 Found Elsewhere\r\n\r\n", "close"),
  "404": once("HTTP/1.1 404 Not Found\r\n\r\n", "close"),
  "503": once("HTTP/1.0 503 Service Unavailable\r\n\r\n<html>", "close"),
  "503 without a reason": once("HTTP/1.0 503\r\n\r\n", "close"),
  "bare line feeds": once("HTTP/1.0 200 OK\nServer: x\n\n", "close"),
  "half a header, then closed": once("HTTP/1.0 200 OK\r\nServ", "close"),
  "half a header, then open": once("HTTP/1.0 200 OK\r\nServ"),
  "half a status line, then closed": once("HTTP/1.", "close"),
  "no end of headers, then closed": once("HTTP/1.0 200 OK\r\n", "close"),
  "a two-digit status": once("HTTP/1.0 20 OK\r\n\r\n", "close"),
  "a four-digit status": once("HTTP/1.0 2000 OK\r\n\r\n", "close"),
  "a status that is no number": once("HTTP/1.0 abc OK\r\n\r\n", "close"),
  "another protocol": once("RTSP/1.0 200 OK\r\n\r\n", "close"),
  "HTTP/2": once("HTTP/2.0 200 OK\r\n\r\n", "close"),
  "a header without a colon": once("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "close"),
  "a bad content-length": once("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "close"),
  "100, then 200": once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "close"),
  "101": once("HTTP/1.1 101 Switching\r\n\r\n", "close"),
  "a flood of body": { answers: ["HTTP/1.0 200 OK\r\n\r\nflood "], flood: true },
  "a trickle": { answers: ["HTTP/1.0 200 OK\r\n\r\n"], trickleMs: 5 },
  "a slow trickle": { answers: ["HTTP/1.0 200 OK\r\n\r\n"], trickleMs: 400 },
  "200, then reset": once(OK, "reset"),
  "speaks first": greets("HTTP/1.0 200 OK\r\n\r\n"),
});

const httpString = cases(
  "http string",
  ["option httpchk GET /x", "http-check expect string is-master"],
  {
    kind: "http",
    steps: [
      { kind: "send", method: "GET", uri: "/x", headers: [], place },
      { ...expectDefaults, match: { kind: "string", text: "is-master" } },
    ],
  },
  {
    silent: HOLD,
    "closes at once": CLOSE,
    "the string": once(body("yes, is-master now"), "close"),
    "another string": once(body("no, a replica"), "close"),
    "another string, left open": once(body("no, a replica")),
    "the string after a pause": { answers: [body("yes, is-master")], trickleMs: 2 },
    "no body": once(OK, "close"),
    "no body, left open": once("HTTP/1.0 200 OK\r\n\r\n"),
    "half the body, then closed": once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nis-mas", "close"),
    "half the body, then open": once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nis-mas"),
    chunked: once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nis-ma\r\n4\r\nster\r\n0\r\n\r\n", "close"),
    "bad chunks": once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nis-master\r\n0\r\n\r\n", "close"),
    "the string with a 500": once("HTTP/1.1 500 Broken\r\nContent-Length: 9\r\n\r\nis-master", "close"),
    "the string in a header only": once("HTTP/1.1 200 OK\r\nX: is-master\r\nContent-Length: 2\r\n\r\nno", "close"),
    "no length, closed": once("HTTP/1.0 200 OK\r\n\r\nis-master", "close"),
    "a flood": { answers: ["HTTP/1.0 200 OK\r\n\r\nflood "], flood: true },
  },
);

const httpMore = [
  ...cases(
    "http !rstring",
    ["option httpchk", "http-check comment watch", "http-check expect ! rstring ^down.*"],
    http({
      ...expectDefaults,
      negated: true,
      comment: "watch",
      match: { kind: "rstring", pattern: /^down.*/, source: "^down.*" },
    }),
    {
      "closes at once": CLOSE,
      garbage: once("garbage\r\n\r\n"),
      "a match": once(body("down for now"), "close"),
      "no match": once(body("up"), "close"),
      "no match, left open": once("HTTP/1.0 200 OK\r\n\r\nup"),
      "no body": once(OK, "close"),
    },
  ),
  ...cases(
    "http rstatus",
    ["option httpchk", "http-check expect rstatus ^[25]"],
    http({ ...expectDefaults, match: { kind: "rstatus", pattern: /^[25]/, source: "^[25]" } }),
    { "503": once("HTTP/1.0 503 Nope\r\n\r\n", "close"), "404": once("HTTP/1.0 404 Gone\r\n\r\n", "close") },
  ),
  ...cases(
    "http status with words",
    [
      "option httpchk",
      "http-check expect status 200,300-310 error-status L7RSP ok-status L7OKC tout-status L6TOUT on-success 'all fine' on-error 'not fine' comment 'the watch'",
    ],
    http({
      ...expectDefaults,
      match: {
        kind: "status",
        ranges: [
          [200, 200],
          [300, 310],
        ],
      },
      okStatus: "L7OKC",
      errorStatus: "L7RSP",
      timeoutStatus: "L6TOUT",
      onSuccess: "all fine",
      onError: "not fine",
      comment: "the watch",
    }),
    {
      "305": once("HTTP/1.0 305 Hm\r\n\r\n", "close"),
      "404": once("HTTP/1.0 404 Gone\r\n\r\n", "close"),
      silent: HOLD,
    },
  ),
  ...cases(
    "http send and headers",
    [
      "option httpchk",
      "http-check connect",
      "http-check send meth POST uri /path ver HTTP/1.1 hdr Host example.org hdr X-One 1 body hello",
      "http-check expect status 200",
      "http-check connect comment again",
      "http-check send meth GET uri /two ver HTTP/1.1 hdr Host two",
      "http-check expect status 204",
    ],
    {
      kind: "http",
      steps: [
        { kind: "connect", sendProxy: false, linger: false, place },
        {
          kind: "send",
          method: "POST",
          uri: "/path",
          version: "HTTP/1.1",
          headers: [
            ["Host", "example.org"],
            ["X-One", "1"],
          ],
          body: "hello",
          place,
        },
        { ...expectDefaults, match: { kind: "status", ranges: [[200, 200]] } },
        { kind: "connect", sendProxy: false, linger: false, comment: "again", place },
        { kind: "send", method: "GET", uri: "/two", version: "HTTP/1.1", headers: [["Host", "two"]], place },
        { ...expectDefaults, match: { kind: "status", ranges: [[204, 204]] } },
      ],
    },
    {
      refused: "refused",
      "one answer, then open": once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      "one answer, then closed": once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "close"),
    },
  ),
];

const redisSteps = [
  "option tcp-check",
  "tcp-check send PING\\r\\n",
  "tcp-check expect string +PONG",
  "tcp-check send info\\ replication\\r\\n",
  "tcp-check expect string role:master",
];
const tcpCheck = cases(
  "tcp-check",
  redisSteps,
  {
    kind: "tcp-check",
    steps: [
      send("PING\r\n"),
      { ...expectDefaults, match: text("+PONG") },
      send("info replication\r\n"),
      { ...expectDefaults, match: text("role:master") },
    ],
  },
  {
    ...SIMPLE,
    ...GARBAGE,
    master: { answers: ["+PONG\r\n", "role:master\r\n"] },
    "replica, left open": { answers: ["+PONG\r\n", "role:slave\r\n"] },
    "replica, closed": { answers: ["+PONG\r\n", "role:slave\r\n"], end: "close" },
    "closed after the first answer": { answers: ["+PONG\r\n"], end: "close" },
    "a trickle": { answers: ["+PONG\r\n", "role:master\r\n"], trickleMs: 3 },
    "half of the first": once("+PO"),
    "half of the first, then closed": once("+PO", "close"),
    "half of the first, then reset": once("+PO", "reset"),
    "both answers at once": once("+PONG\r\nrole:master\r\n"),
  },
);

const tcpCheckMore = [
  ...cases("tcp-check without rules", ["option tcp-check"], { kind: "tcp-check", steps: [] }, SIMPLE),
  ...cases(
    "tcp-check connect",
    ["option tcp-check", "tcp-check connect comment 'the connection'"],
    { kind: "tcp-check", steps: [{ ...tcpConnect, comment: "the connection" } as TcpCheckStep] },
    { refused: "refused", silent: HOLD },
  ),
  ...cases(
    "tcp-check connect send",
    ["option tcp-check", "tcp-check connect", "tcp-check send x"],
    { kind: "tcp-check", steps: [tcpConnect, send("x")] },
    { refused: "refused", silent: HOLD },
  ),
  ...cases(
    "tcp-check with words",
    [
      "option tcp-check",
      "tcp-check connect comment conn",
      "tcp-check expect string hello min-recv 5 comment 'the greeting' error-status L7STS tout-status L6TOUT on-success 'well met' on-error 'not met'",
    ],
    {
      kind: "tcp-check",
      steps: [
        { ...tcpConnect, comment: "conn" } as TcpCheckStep,
        {
          ...expectDefaults,
          match: text("hello"),
          minRecv: 5,
          comment: "the greeting",
          errorStatus: "L7STS",
          timeoutStatus: "L6TOUT",
          onSuccess: "well met",
          onError: "not met",
        },
      ],
    },
    {
      refused: "refused",
      silent: HOLD,
      "closes at once": CLOSE,
      greets: greets("hello\r\n"),
      "greets otherwise": greets("good day\r\n"),
      "greets with four bytes": greets("good"),
    },
  ),
  ...cases(
    "tcp-check !string",
    ["option tcp-check", "tcp-check expect ! string ERR comment 'no error'", "tcp-check expect rstring ^[A-Z]+ok$"],
    {
      kind: "tcp-check",
      steps: [
        { ...expectDefaults, negated: true, match: text("ERR"), comment: "no error" },
        { ...expectDefaults, match: { kind: "rstring", pattern: /^[A-Z]+ok$/, source: "^[A-Z]+ok$" } },
      ],
    },
    {
      silent: HOLD,
      error: greets("ERR no"),
      good: greets("Aok", [], "close"),
      "good, left open": greets("Aok"),
      bad: greets("not", [], "close"),
    },
  ),
  ...cases(
    "tcp-check binary",
    ["option tcp-check", "tcp-check send-binary 0102", "tcp-check expect binary 00ff comment bin"],
    {
      kind: "tcp-check",
      steps: [
        { kind: "send", bytes: bytes("0102"), place },
        { ...expectDefaults, comment: "bin", match: { kind: "binary", bytes: bytes("00ff"), source: "00ff" } },
      ],
    },
    { silent: HOLD, good: once(bytes("0a00ff")), bad: once(bytes("0a0b"), "close") },
  ),
  ...cases(
    "tcp-check rbinary",
    ["option tcp-check", "tcp-check expect rbinary ^0A.*FF$"],
    {
      kind: "tcp-check",
      steps: [{ ...expectDefaults, match: { kind: "rbinary", pattern: /^0A.*FF$/, source: "^0A.*FF$" } }],
    },
    { silent: HOLD, good: greets(bytes("0a00ff")), bad: greets(bytes("0a0b"), [], "close") },
  ),
  ...cases(
    "tcp-check two connections",
    [
      "option tcp-check",
      "tcp-check connect",
      "tcp-check expect string one",
      "tcp-check connect linger",
      "tcp-check expect string two",
    ],
    {
      kind: "tcp-check",
      steps: [
        tcpConnect,
        { ...expectDefaults, match: text("one") },
        { ...tcpConnect, linger: true } as TcpCheckStep,
        { ...expectDefaults, match: text("two") },
      ],
    },
    { "says both": greets("one two"), "says the first": greets("one"), refused: "refused" },
  ),
];

const databases = [
  ...cases(
    "redis",
    ["option redis-check"],
    { kind: "redis" },
    {
      ...SIMPLE,
      ...GARBAGE,
      pong: once("+PONG\r\n"),
      error: once("-NOAUTH Authentication required.\r\n"),
      "error, closed": once("-NOAUTH Authentication required.\r\n", "close"),
      short: once("+PO\r\n", "close"),
      loading: once("-LOADING Redis is loading the dataset in memory\r\n"),
    },
  ),
  ...cases(
    "pgsql",
    ["option pgsql-check user checker"],
    { kind: "pgsql", user: "checker" },
    {
      ...SIMPLE,
      ...GARBAGE,
      "authentication ok": once(bytes("52 00000008 00000000")),
      "md5 asked": once(bytes("52 0000000c 00000005 01020304")),
      "sasl asked": once(Buffer.concat([bytes("52 00000017 0000000a"), Buffer.from("SCRAM-SHA-256\0\0")])),
      "unknown authentication": once(bytes("52 0000000c 00000001 01020304")),
      error: once(Buffer.from('E\0\0\0\x2aSFATAL\0C28000\0Mno entry for "checker"\0\0', "latin1")),
      "error, closed": once(Buffer.from('E\0\0\0\x2aSFATAL\0C28000\0Mno entry for "checker"\0\0', "latin1"), "close"),
      "half an answer, closed": once(bytes("52 000000"), "close"),
      "half an answer": once(bytes("52 000000")),
    },
  ),
  ...cases(
    "mysql",
    ["option mysql-check"],
    { kind: "mysql", post41: true },
    {
      ...SIMPLE,
      handshake: greets(Buffer.concat([bytes("4a000000 0a"), Buffer.from("8.0.36-log\0"), Buffer.alloc(62)])),
      "host blocked": greets(Buffer.concat([bytes("1f000000 ff 6904"), Buffer.from("Host 'x' is not allowed here")])),
      "too short, closed": greets(bytes("4a0000"), [], "close"),
      "too short": greets(bytes("4a0000")),
      "half a packet, closed": greets(bytes("4a000000 0a 31"), [], "close"),
    },
  ),
  ...cases(
    "mysql user",
    ["option mysql-check user haproxy"],
    { kind: "mysql", user: "haproxy", post41: true },
    {
      ...SIMPLE,
      ok: greets(Buffer.concat([bytes("4a000000 0a"), Buffer.from("8.0.36-log\0"), Buffer.alloc(62)]), [
        bytes("07000002 00 00 00 0200 0000"),
      ]),
      denied: greets(Buffer.concat([bytes("4a000000 0a"), Buffer.from("8.0.36-log\0"), Buffer.alloc(62)]), [
        Buffer.concat([bytes("18000002 ff 1504"), Buffer.from("#28000Access denied!!")]),
      ]),
      "no second packet": greets(Buffer.concat([bytes("4a000000 0a"), Buffer.from("8.0.36-log\0"), Buffer.alloc(62)])),
    },
  ),
  ...cases(
    "mysql user pre-41",
    ["option mysql-check user haproxy pre-41"],
    { kind: "mysql", user: "haproxy", post41: false },
    {
      ok: greets(Buffer.concat([bytes("4a000000 0a"), Buffer.from("8.0.36-log\0"), Buffer.alloc(62)]), [
        bytes("07000002 00 00 00 0200 0000"),
      ]),
    },
  ),
];

const SMTP: Servers = {
  ...SIMPLE,
  good: greets("220 mail ESMTP\r\n", ["250 hello there\r\n", "221 bye\r\n"]),
  "several lines": greets("220 mail ESMTP\r\n", ["250-hello\r\n250-SIZE 1\r\n250 HELP\r\n", "221 bye\r\n"]),
  "refuses the greeting": greets("554 no service\r\n", [], "close"),
  "refuses HELO": greets("220 mail ESMTP\r\n", ["550 not you\r\n"]),
  "refuses HELO and closes": greets("220 mail ESMTP\r\n", ["550 not you\r\n"], "close"),
  "does not answer QUIT": greets("220 mail ESMTP\r\n", ["250 hello there\r\n"]),
  "closes after HELO": greets("220 mail ESMTP\r\n", ["250 hello there\r\n"], "close"),
  "is no mail server": greets("SSH-2.0-OpenSSH_9.2\r\n"),
  "greets with two bytes": greets("22"),
};

const others = [
  ...cases("smtp", ["option smtpchk"], { kind: "smtp", hello: "HELO", domain: "localhost" }, SMTP),
  ...cases(
    "smtp ehlo",
    ["option smtpchk EHLO example.org"],
    { kind: "smtp", hello: "EHLO", domain: "example.org" },
    { good: SMTP.good!, "several lines": SMTP["several lines"]! },
  ),
  ...cases(
    "ldap",
    ["option ldap-check"],
    { kind: "ldap" },
    {
      ...SIMPLE,
      ...GARBAGE,
      success: once(bytes("300c 020101 61 07 0a0100 0400 0400")),
      "success, long form": once(bytes("3084 0000000c 020101 61 07 0a0100 0400 0400")),
      "invalid credentials": once(bytes("300c 020101 61 07 0a0131 0400 0400")),
      "another message": once(bytes("300c 020102 61 07 0a0100 0400 0400")),
      "another tag": once(bytes("400c 020101 61 07 0a0100 0400 0400")),
      "another tag, closed": once(bytes("400c 020101 61 07 0a0100 0400 0400"), "close"),
      "half, closed": once(bytes("300c 0201"), "close"),
      half: once(bytes("300c 0201")),
    },
  ),
  ...cases(
    "ssl-hello",
    ["option ssl-hello-chk"],
    { kind: "ssl-hello" },
    {
      ...SIMPLE,
      ...GARBAGE,
      "server hello": once(bytes("16 0301 0002 0200")),
      alert: once(bytes("15 0300 0002 0228"), "close"),
      half: once(bytes("16 03")),
      "half, closed": once(bytes("16 03"), "close"),
    },
  ),
  ...cases(
    "send-proxy",
    ["option tcp-check", "tcp-check expect string ok"],
    { kind: "tcp-check", steps: [{ ...expectDefaults, match: text("ok") }] },
    { good: once("ok"), silent: HOLD, refused: "refused" },
    { sendProxy: true },
    "check-send-proxy",
  ),
];

/** Times of the table: an answer within these, or a timeout. */
export const TIMES = { interMs: 2500, timeoutMs: 1500 } as const;

export const CHECK_CASES: readonly CheckCase[] = [
  ...tcp,
  ...httpDefault,
  ...httpString,
  ...httpMore,
  ...tcpCheck,
  ...tcpCheckMore,
  ...databases,
  ...others,
];
