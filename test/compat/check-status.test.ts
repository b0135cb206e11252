// Checks against Debian's HAProxy 2.6: for each protocol and each behaviour of a server, its check and ours end with the same
// status, code and text, and send the same bytes.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CheckConfig } from "../../src/config/health-model.ts";
import { hasCode, statusWords } from "../../src/control/health/result.ts";
import { loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { BlackHole, refuser } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { type CheckCase, TIMES } from "./check-case.ts";
import { makeCertificates } from "./check-certificates.ts";
import { HTTP_CASES } from "./check-http-cases.ts";
import { PROTOCOL_CASES } from "./check-protocol-cases.ts";
import { TCP_CASES } from "./check-tcp-cases.ts";
import { tlsCases } from "./check-tls-cases.ts";
import { CheckUpstream } from "./check-upstreams.ts";
import { whyNot } from "./haproxy-2.6.ts";
import { runCheck } from "./run-check.ts";

const certificates = whyNot === "" ? makeCertificates() : undefined;
const PLAIN_CASES = [...TCP_CASES, ...HTTP_CASES, ...PROTOCOL_CASES];
const CASES = certificates === undefined ? PLAIN_CASES : [...PLAIN_CASES, ...tlsCases(certificates)];
const withoutTls = whyNot === "" && certificates === undefined ? " (not over TLS: there is no openssl)" : "";

/** As `show stat` has it; code is "" where the status has none. */
interface Shown {
  readonly status: string;
  readonly code: string;
  readonly text: string;
  readonly words: string;
}

interface Running {
  readonly case: CheckCase;
  readonly address: string;
  readonly port: number;
  readonly upstream: CheckUpstream | undefined;
}

const ADDRESS = loopbackAddress(31);
/** Nobody listens here, so a port that was free stays so. */
const REFUSING_ADDRESS = loopbackAddress(33);

async function serve(checkCase: CheckCase, blackHole: BlackHole): Promise<Running> {
  if (checkCase.server === "refused")
    return { case: checkCase, ...(await refuser(REFUSING_ADDRESS)), upstream: undefined };
  if (checkCase.server === "black hole") {
    return { case: checkCase, address: blackHole.address, port: blackHole.port, upstream: undefined };
  }
  const upstream = await CheckUpstream.start(checkCase.server, ADDRESS);
  return { case: checkCase, address: ADDRESS, port: upstream.port, upstream };
}

/** Our check, shown the same way. */
interface Ours {
  readonly shown: Shown;
  /** What the server received, if it saw the connection. */
  readonly sent: string | undefined;
}

async function runOurs({ case: checkCase, address, port, upstream }: Running): Promise<Ours> {
  const check: CheckConfig = {
    interMs: TIMES.interMs,
    fastInterMs: TIMES.interMs,
    downInterMs: TIMES.interMs,
    timeoutMs: TIMES.timeoutMs,
    connectTimeoutMs: TIMES.timeoutMs,
    rise: 2,
    fall: 3,
    sendProxy: false,
    initState: "none",
    ...checkCase.check,
  };
  const before = upstream?.received.length ?? 0;
  const { status, code, description } = await runCheck(check, { host: address, port }, new AbortController().signal);
  const shown = { status, code: hasCode(status) ? `${code}` : "", text: description, words: statusWords(status) };
  return { shown, sent: upstream?.received[before] };
}

const backend = ({ case: { backend: lines, words }, address, port }: Running, index: number): string => `
backend b${index}
${lines.map((line) => `    ${line}`).join("\n")}
    server s ${address}:${port} check inter ${TIMES.interMs}ms ${words ?? ""}
`;

const config = (servers: readonly Running[]): string => `
    maxconn 500
    nbthread 1
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect ${TIMES.timeoutMs}ms
    timeout check ${TIMES.timeoutMs}ms
${servers.map(backend).join("")}`;

/** Rows of `show stat typed` by proxy. A check that runs again shows its last status with a star, and no text. */
async function shownBy(program: Program): Promise<Map<string, Shown>> {
  interface Item {
    readonly field: { readonly name: string };
    readonly value: { readonly value: string | number };
  }
  const rows = JSON.parse(await program.runtime("show stat json")) as Item[][];
  const shown = new Map<string, Shown>();
  for (const row of rows) {
    const values = new Map(row.map((item) => [item.field.name, `${item.value.value}`]));
    const status = values.get("check_status") ?? "";
    if (values.get("svname") !== "s" || status.startsWith("*") || status === "INI" || status === "") continue;
    const text = values.get("last_chk") ?? "";
    const words = values.get("check_desc") ?? "";
    shown.set(values.get("pxname")!, { status, code: values.get("check_code") ?? "", text, words });
  }
  return shown;
}

const SSL_HELLO = "\x16\x03\0\0y\x01\0\0u\x03\0";

/** The time in an SSLv3 hello is the only thing that two checks do not have in common, besides the PROXY line's ports. */
const sentBytes = (received: string): string =>
  (received.startsWith(SSL_HELLO) ? SSL_HELLO + received.slice(SSL_HELLO.length + 4) : received).replace(
    /^(PROXY TCP4 )\S+( \S+) \d+/,
    "$1FROM$2 PORT",
  );

/** HAProxy ends the text of a failed handshake with whatever error the thread's last system call left, so also another check's. */
const withoutStaleError = (shown: Shown): Shown =>
  shown.status.startsWith("L6") ? { ...shown, text: shown.text.replace(/ \(Connection refused\)$/, "") } : shown;

describe.skipIf(whyNot !== "")(`health checks against HAProxy 2.6${whyNot}${withoutTls}`, () => {
  const running: Running[] = [];
  const theirs = new Map<string, Shown>();
  const ours: Ours[] = [];
  let program: Program | undefined;
  let blackHole: BlackHole | undefined;

  beforeAll(async () => {
    blackHole = await BlackHole.start(loopbackAddress(32));
    for (const checkCase of CASES) running.push(await serve(checkCase, blackHole));
    program = await Program.start({ config: config(running), executable: "haproxy" });
    await waitFor(
      async () => {
        for (const [name, shown] of await shownBy(program!)) if (!theirs.has(name)) theirs.set(name, shown);
        return theirs.size === running.length;
      },
      () => `a result of every check: ${theirs.size} of ${running.length}`,
    );
    await program.stop();
    const waiting = running.map((server, index) => async () => {
      ours[index] = await runOurs(server);
    });
    const worker = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next();
    };
    await Promise.all(Array.from({ length: 48 }, worker));
  }, 180_000);

  afterAll(async () => {
    await program?.stop();
    for (const { upstream } of running) await upstream?.close();
    await blackHole?.close();
    certificates?.close();
  });

  it.each(CASES.map((checkCase, index) => [checkCase.name, index] as const))("%s", (_, index) => {
    const { shown: found, sent } = ours[index]!;
    // HAProxy 2.6 means to show the expected bytes here, and shows none.
    const shown = { ...found, text: found.text.replace(/\(expect binary '[0-9A-F]+'\)/, "(expect binary '')") };
    expect(shown).toEqual(withoutStaleError(theirs.get(`b${index}`)!));
    const sentByHaproxy = running[index]!.upstream?.received[0];
    // No two client hellos of TLS are the same.
    if (sent === undefined || sentByHaproxy === undefined || running[index]!.case.check.tls) return;
    // A check ends with a reset, which may overtake its last bytes on their way to the server's program, on either side.
    const [one, other] = [sentBytes(sent), sentBytes(sentByHaproxy)];
    const common = Math.min(one.length, other.length);
    expect(one.slice(0, common)).toBe(other.slice(0, common));
    if (shown.status.endsWith("TOUT")) expect(one).toBe(other);
  });
});
