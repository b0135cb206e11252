// `option httpchk` and http-check rules on servers that answer well, badly, in part or not at all.

import type { CheckProtocol, HttpCheckStep } from "../../src/config/health-model.ts";
import {
  type CheckCase,
  CLOSE,
  cases,
  expectDefaults,
  GARBAGE,
  greets,
  HOLD,
  once,
  place,
  SIMPLE,
} from "./check-case.ts";

const httpSend: HttpCheckStep = { kind: "send", method: "OPTIONS", uri: "/", headers: [], place };
const http = (...steps: HttpCheckStep[]): CheckProtocol => ({ kind: "http", steps: [httpSend, ...steps] });

const OK = "HTTP/1.0 200 OK\r\n\r\n";
const body = (value: string) => `HTTP/1.1 200 Fine\r\nContent-Length: ${value.length}\r\n\r\n${value}`;

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
  "half a header, then reset": { ...once("HTTP/1.0 200 OK\r\nServ", "reset"), endAfterMs: 100 },
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
  "a slow trickle": { answers: ["HTTP/1.0 200 OK\r\n\r\n"], trickleMs: 800 },
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

export const HTTP_CASES: readonly CheckCase[] = [...httpDefault, ...httpString, ...httpMore];
