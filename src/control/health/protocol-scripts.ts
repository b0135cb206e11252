// Checks that speak a protocol: redis, SMTP, PostgreSQL, MySQL, LDAP and the SSLv3 hello, as scripts with HAProxy's steps,
// bytes, statuses and texts.

import type { CheckProtocol } from "../../config/health-model.ts";
import { judgeLdapBind, judgeMysqlPacket } from "./protocol-packets.ts";
import { type ConnectScriptStep, latin1, type Script, type ScriptStep } from "./script.ts";
import { type ConnectionDefaults, type ExpectWords, expectStep, implicitConnect } from "./tcp-check-script.ts";

type ProtocolOf<Kind extends CheckProtocol["kind"]> = Extract<CheckProtocol, { kind: Kind }>;

const send = (number: number, bytes: Uint8Array): ScriptStep => ({ kind: "send", number, bytes: () => bytes });
const hex = (digits: string): Buffer => Buffer.from(digits, "hex");

const expect = (
  number: number,
  words: Omit<ExpectWords, "number" | "flavour" | "match">,
  match: ExpectWords["match"],
) => expectStep({ number, flavour: "protocol", match, ...words });
const rstring = (pattern: RegExp) => ({ kind: "rstring", pattern, source: pattern.source }) as const;
const rbinary = (pattern: RegExp) => ({ kind: "rbinary", pattern, source: pattern.source }) as const;

/** The connection of protocols whose servers dislike a reset. */
const lingering = (defaults: ConnectionDefaults): ConnectScriptStep => ({
  kind: "connect",
  number: 1,
  linger: true,
  ...defaults,
});

const script = (...steps: ScriptStep[]): Script => ({ flavour: "protocol", steps });

/** The answer's text up to its first line's end. */
const firstLine = (answer: Buffer): string => /^[^\r\n]*/.exec(latin1(answer))![0];

/** `option redis-check`: PING, until +PONG comes. */
export function redisScript(defaults: ConnectionDefaults): Script {
  const pong = Buffer.from("+PONG\r\n");
  return script(
    implicitConnect(defaults),
    send(1, Buffer.from("*1\r\n$4\r\nPING\r\n")),
    expect(
      2,
      { errorStatus: "L7STS", onError: firstLine, onSuccess: () => "Redis server is ok" },
      { kind: "string", bytes: pong, source: "+PONG\r\n" },
    ),
  );
}

/** `option smtpchk`: the greeting, the configured hello, QUIT; each reply has to be a 2xx. */
export function smtpScript({ hello, domain }: ProtocolOf<"smtp">, defaults: ConnectionDefaults): Script {
  // What follows the three digits and their separator.
  const rest = (answer: Buffer) => /^ *([^\r\n]*)/.exec(latin1(answer.subarray(4)))![1]!;
  const statusCode = (answer: Buffer) => Number.parseInt(latin1(answer.subarray(0, 3)), 10) || 0;
  const replied = { errorStatus: "L7STS", onError: rest, statusCode } as const;
  return script(
    lingering(defaults),
    expect(2, { minRecv: 4, errorStatus: "L7RSP", onError: firstLine }, rstring(/^[0-9]{3}[ \r]/)),
    expect(3, { minRecv: 4, ...replied }, rstring(/^2[0-9]{2}[ \r]/)),
    send(4, Buffer.from(`${hello} ${domain}\r\n`)),
    expect(5, { ...replied, onSuccess: rest }, rstring(/^(?:2[0-9]{2}-[^\r]*\r\n)*2[0-9]{2}[ \r]/)),
    send(6, Buffer.from("QUIT\r\n")),
    expect(7, { minRecv: 4, ...replied, onSuccess: rest }, rstring(/^2[0-9]{2}[- \r]/)),
  );
}

/** Any request for authentication passes: nobody logs in. */
export function pgsqlScript({ user }: ProtocolOf<"pgsql">, defaults: ConnectionDefaults): Script {
  const parameters = Buffer.concat([hex("00030000"), Buffer.from(`user\0${user}\0\0`)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(parameters.length + 4);
  return script(
    lingering(defaults),
    send(2, Buffer.concat([length, parameters])),
    expect(
      3,
      { negated: true, minRecv: 5, errorStatus: "L7RSP", onError: (answer) => latin1(answer.subarray(6)) },
      rstring(/^E/),
    ),
    expect(
      4,
      {
        minRecv: 9,
        errorStatus: "L7STS",
        onSuccess: () => "PostgreSQL server is ok",
        onError: () => "PostgreSQL unknown error",
      },
      rbinary(/^52000000[A-Z0-9]{2}000000(?:00|02|03|04|05|06|07|09|0A)/),
    ),
  );
}

/** The login packet and a farewell, sent before the server's greeting is read. */
function mysqlLogin(user: string, post41: boolean): Buffer {
  const name = Buffer.from(`${user}\0`);
  const login = post41
    ? Buffer.concat([hex("008200000080000121"), Buffer.alloc(23), name, hex("00")])
    : Buffer.concat([hex("0080000001"), name, hex("00")]);
  const header = Buffer.alloc(4);
  header.writeUIntLE(login.length, 0, 3);
  header[3] = 1;
  return Buffer.concat([header, login, hex("0100000001")]);
}

/** `option mysql-check`: reads the greeting; with a user, logs in without a password and reads that answer too. */
export function mysqlScript({ user, post41 }: ProtocolOf<"mysql">, defaults: ConnectionDefaults): Script {
  const judge = (which: number): ScriptStep => ({
    kind: "expect",
    number: user === undefined ? 2 : 3 + which,
    label: "expect custom function",
    judge: (answer, isLast) => judgeMysqlPacket(answer, which, isLast),
  });
  if (user === undefined) return script(lingering(defaults), judge(0));
  return script(lingering(defaults), send(2, mysqlLogin(user, post41)), judge(0), judge(1));
}

/** `option ldap-check`: an anonymous bind of version 3 has to succeed. */
export function ldapScript(defaults: ConnectionDefaults): Script {
  return script(
    implicitConnect(defaults),
    // A bind request: version 3, no name, no password.
    send(1, hex("300C020101600702010304008000")),
    expect(2, { minRecv: 14, onError: () => "Not LDAPv3 protocol" }, rbinary(/^30/)),
    { kind: "expect", number: 3, label: "expect custom function", judge: judgeLdapBind },
  );
}

/** An SSLv3 client hello with the 39 cipher suites of its time; any handshake record or alert is an answer. */
export function sslHelloScript(defaults: ConnectionDefaults): Script {
  const suites = [...Array.from({ length: 0x1b }, (_, i) => i + 1), ...Array.from({ length: 12 }, (_, i) => 0x2f + i)];
  const hello = () => {
    const seconds = Buffer.alloc(4);
    seconds.writeUInt32BE(Math.floor(Date.now() / 1000));
    const ciphers = Buffer.alloc(2 + suites.length * 2);
    ciphers.writeUInt16BE(suites.length * 2);
    for (const [i, suite] of suites.entries()) ciphers.writeUInt16BE(suite, 2 + i * 2);
    const random = Buffer.from("HAPROXYSSLCHK\nHAPROXYSSLCHK\n");
    return Buffer.concat([hex("1603000079010000750300"), seconds, random, hex("00"), ciphers, hex("0100")]);
  };
  return script(
    implicitConnect(defaults),
    { kind: "send", number: 1, bytes: hello },
    expect(2, { minRecv: 5, okStatus: "L6OK", errorStatus: "L6RSP", timeoutStatus: "L6TOUT" }, rbinary(/^1[56]/)),
  );
}
