// The same `log-format` lines on Headgate and on Debian's HAProxy 2.6, with the same sessions: every variable, every flag,
// structured data and tags. Ports, dates, durations and process numbers are masked; what they look like is compared.

import { connect } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort, UPSTREAM_ADDRESS } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { echo, refuser, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { whyNot } from "./haproxy-2.6.ts";

const VARIABLES =
  "ci cp fi fp bi bp si sp f ft b s t T Tl Ts ms ts tsc Tw Tc Td Tt Tu Th B U ac fc bc sc rc sq bq lc rt pid H ID ST sslc sslv hr hrl hs hsl".split(
    " ",
  );
const EXPRESSIONS = "src src_port dst dst_port fe_name be_name fe_id be_id srv_id srv_name hostname".split(" ");

/** Digits of these mean nothing to the other program. */
const MASKED = new Set("cp bp t T Tl Ts ms Tw Tc Td Tt Tu rt pid [src_port] [fe_id] [be_id]".split(" "));

const keyed = (flags: string, names: readonly string[]): string =>
  names.map((name) => `${name}=%${flags}${name}`).join(";");

/** Each its own section. Items of a line are separated by ";" and are named, so that a difference names its variable. */
const FORMATS: Readonly<Record<string, string>> = {
  plain: keyed("", VARIABLES),
  quoted: `%{+Q}o ${keyed("", VARIABLES)}`,
  "quoted-one": keyed("{+Q}", VARIABLES),
  hex: keyed("{+X}", VARIABLES),
  "hex-quoted": keyed("{+Q,+X}", ["ci", "cp", "Ts", "ms", "lc", "pid", "B"]),
  "no-dash": `%{-M}o ${keyed("", ["ID", "s", "f"])};`,
  expressions: keyed(
    "",
    EXPRESSIONS.map((name) => `[${name}]`),
  ),
  "expressions-quoted": keyed(
    "{+Q}",
    EXPRESSIONS.map((name) => `[${name}]`),
  ),
  escaped: "x=%{+E}[str('a\\\"b\\\\c]')];y=%{+Q,+E}[str(])];z=%{+E}s",
  blanks: "  a=%f   ;b=%%%s%%;  c=%{-M}ID   %hr  ;d=%ts ",
  clf: '%{+Q}o %{-Q}ci - - [%T] \\"TCP \\" 000 %B \\"\\" \\"\\" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq \\"\\" \\"\\" ',
  tcplog: "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq",
};
const NAMES = Object.keys(FORMATS);
/** Those with an address of their own, in the order of their ports. */
const SECTIONS = [...NAMES, "refused", "none", "structured", "tagged", "accepted", "unusual", "usual"];

interface World {
  readonly ports: readonly number[];
  readonly unixPath: string;
  readonly log: LogReceiver;
  readonly upstream: Upstream;
  readonly refusedPort: number;
}

const config = ({ ports, unixPath, log, upstream, refusedPort }: World): string => `
    maxconn 100
    nbthread 1
    log-tag of-the-process
    log-send-hostname of.the.host
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 1h
    retries 1
${NAMES.map(
  (name, i) => `
listen ${name}
    bind ${FRONTEND_ADDRESS}:${ports[i]}
    log ${log.endpoint} len 4096 format raw local0
    log-format "<${name}> ${FORMATS[name]}"
    server s ${upstream.address}:${upstream.port}`,
).join("\n")}
listen unix
    bind unix@${unixPath}
    log ${log.endpoint} len 4096 format raw local0
    log-format "<unix> ${keyed("", VARIABLES)}"
    server s ${upstream.address}:${upstream.port}
listen refused
    bind ${FRONTEND_ADDRESS}:${ports[NAMES.length]}
    timeout connect 100ms
    log ${log.endpoint} len 4096 format raw local0
    log-format "<refused> ${keyed(
      "",
      VARIABLES.filter((name) => name !== "bi" && name !== "bp"),
    )}"
    server s ${UPSTREAM_ADDRESS}:${refusedPort}
listen none
    bind ${FRONTEND_ADDRESS}:${ports[NAMES.length + 1]}
    log ${log.endpoint} len 4096 format raw local0
    log-format "<none> ${keyed("", VARIABLES)}"
    server s ${UPSTREAM_ADDRESS}:${refusedPort} disabled
listen structured
    bind ${FRONTEND_ADDRESS}:${ports[NAMES.length + 2]}
    log-tag of-the-section
    log ${log.endpoint} len 4096 format rfc5424 local0
    log ${log.endpoint} len 4096 format local local0
    log ${log.endpoint} len 4096 local0
    log-format "<structured> %f %s"
    log-format-sd '%{+Q,+E}o [id@1234 server=%s bytes="%B" text=%[str(])]]'
    server s ${upstream.address}:${upstream.port}
listen tagged
    bind ${FRONTEND_ADDRESS}:${ports[NAMES.length + 3]}
    log ${log.endpoint} len 4096 format rfc5424 local0
    log-format "<tagged> %f %s"
    server s ${upstream.address}:${upstream.port}
listen accepted
    bind *:${ports[NAMES.length + 4]}
    log ${log.endpoint} len 4096 format raw local0
    server s ${upstream.address}:${upstream.port}
listen unusual
    bind *:${ports[NAMES.length + 5]}
    timeout connect 100ms
    log ${log.endpoint} format priority local0
    option log-separate-errors
    option dontlog-normal
    log-format "<unusual> %ts %rc"
    server s ${UPSTREAM_ADDRESS}:${refusedPort}
listen usual
    bind *:${ports[NAMES.length + 6]}
    log ${log.endpoint} format priority local0
    option log-separate-errors
    log-format "<usual> %ts %rc"
    server s ${upstream.address}:${upstream.port}
`;

/** Runs of digits become one N; of hexadecimal ones too, in the section that writes these. */
const maskDigits = (text: string, hex: boolean): string =>
  text.replace(/[A-Z][a-z][a-z]\//, "Mmm/").replaceAll(hex ? /[0-9A-F]+/g : /[0-9]+/g, "N");

/** The line's items by name; a line without names as a whole. */
function items(section: string, line: string): string[] {
  if (section.endsWith("usual")) return [`${section}: ${line}`];
  if (section === "accepted") return [`${section}: ${line.replace(/ from (\S+):\d+ /, " from $1:N ")}`];
  const text = line.slice(line.indexOf(`<${section}> `) + section.length + 3).replace(/\n$/, "");
  const header = maskDigits(line.slice(0, line.indexOf(`<${section}>`)).replace(/[A-Z][a-z]{2} [ \d]\d /, "D "), false);
  if (section === "clf" || section === "tcplog" || section === "structured" || section === "tagged") {
    return [`${section}: ${header}${maskDigits(text, false)}`];
  }
  return text.split(";").map((item) => {
    const name = item.slice(0, item.indexOf("="));
    const value = item.slice(name.length + 1);
    return `${section}: ${name}=${MASKED.has(name) ? maskDigits(value, section.startsWith("hex")) : value}`;
  });
}

/** The lines of one program. Both have the same ports, one after the other. */
async function record(executable: string | undefined, place: Omit<World, "log">): Promise<string[]> {
  const { ports, unixPath } = place;
  const log = await LogReceiver.start(FRONTEND_ADDRESS);
  const world: World = { ...place, log };
  const program = await Program.start({
    config: config(world),
    ...(executable === undefined ? {} : { executable }),
  });
  const lines = (section: string): string[] =>
    log.messages.filter((message) => message.includes(`<${section}> `) || message.includes(`(${section}/TCP)`));
  const arrive = (section: string, count: number): Promise<unknown> =>
    waitFor(
      () => lines(section).length === count,
      () => `${count} lines of ${section}:\n${log.messages.join("")}`,
    );
  try {
    // One after the other, twice: lines count sessions and lines.
    for (const [i, section] of SECTIONS.entries()) {
      for (const round of [1, 2]) {
        const client = await Client.open({ host: FRONTEND_ADDRESS, port: ports[i]! });
        // Refused and turned away: the client waits for the end and says nothing.
        if (section === "refused" || section === "none" || section === "unusual") client.resume();
        else {
          await client.roundTrip("hello");
          client.halfClose();
        }
        await arrive(section, section === "structured" ? 3 * round : round);
        client.close();
      }
    }
    await new Promise<void>((resolve, reject) => {
      const socket = connect(unixPath, () => socket.end("hello"));
      socket
        .on("error", reject)
        .on("close", () => resolve())
        .resume();
    });
    await arrive("unix", 1);
    return [...SECTIONS, "unix"].flatMap((section) => lines(section).flatMap((line) => items(section, line)));
  } finally {
    await program.stop();
    log.close();
  }
}

describe.skipIf(whyNot !== "")(`log formats against HAProxy 2.6${whyNot}`, () => {
  let haproxy: readonly string[];
  let headgate: readonly string[];

  beforeAll(async () => {
    const upstream = await Upstream.start(echo);
    const ports: number[] = [];
    while (ports.length < SECTIONS.length) ports.push(await freePort());
    const refusedPort = (await refuser()).port;
    const directory = temporaryDirectory();
    const place = { ports, unixPath: join(directory.path, "in.sock"), upstream, refusedPort };
    try {
      haproxy = await record("haproxy", place);
      headgate = await record(undefined, place);
    } finally {
      await upstream.close();
      directory.close();
    }
  }, 120_000);

  it.each([...SECTIONS, "unix"])("%s", (section) => {
    const of = (all: readonly string[]): string[] => all.filter((item) => item.startsWith(`${section}: `));
    expect(of(haproxy).length).toBeGreaterThan(0);
    expect(of(headgate)).toEqual(of(haproxy));
  });
});
