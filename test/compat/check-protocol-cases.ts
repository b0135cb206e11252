// Checks that speak a protocol (databases, mail, LDAP, SSL's hello) on servers that speak it, speak it badly, or do not.

import {
  bytes,
  type CheckCase,
  cases,
  expectDefaults,
  GARBAGE,
  greets,
  HOLD,
  once,
  type Servers,
  SIMPLE,
  text,
} from "./check-case.ts";

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

export const PROTOCOL_CASES: readonly CheckCase[] = [...databases, ...others];
