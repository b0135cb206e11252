// Plain TCP checks and tcp-check rules on servers that answer well, badly, in part or not at all.

import type { TcpCheckStep } from "../../src/config/health-model.ts";
import {
  bytes,
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
  send,
  tcpConnect,
  text,
} from "./check-case.ts";

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
    "half of the first, later a reset": { ...once("+PO", "reset"), endAfterMs: 100 },
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

export const TCP_CASES: readonly CheckCase[] = [...tcp, ...tcpCheck, ...tcpCheckMore];
