// Servers that answer their health checks badly or not at all: the program shows for each what HAProxy shows, and after ten thousand
// checks it holds as many descriptors as before the first.

import { beforeAll, describe, expect, it } from "vitest";
import { CheckUpstream, type CheckUpstreamScript } from "../compat/check-upstreams.ts";
import { closeAfterAll } from "../harness/closing.ts";
import { openDescriptors } from "../harness/kernel-sockets.ts";
import { findCommand, whyMissing } from "../harness/packages.ts";
import { loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { BlackHole, refuser } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";

const haproxy = findCommand("haproxy");
const whyNot = whyMissing({ haproxy });
const CHECKS = 10_000;
const CHECKS_BOUND_MS = 100_000;
/** A server that has an answer gives it well within this, also on a busy machine. */
const TIMEOUT_MS = 1000;
const opened = closeAfterAll();

const answers = (...texts: string[]): CheckUpstreamScript => ({ answers: texts });
const ended = (script: CheckUpstreamScript, end: "close" | "reset"): CheckUpstreamScript => ({ ...script, end });
const OK = "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n";

/** By protocol: what the servers do with a check. All the same to a plain TCP check, which asks for a connection only. */
const HTTP: Readonly<Record<string, CheckUpstreamScript>> = {
  "a good answer": ended(answers(OK), "close"),
  "half an answer, then nothing": answers("HTTP/1.0 200 OK\r\nSer"),
  "half an answer, then the end": ended(answers("HTTP/1.0 20"), "close"),
  "half an answer, then a reset": { ...ended(answers("HTTP/1.0 20"), "reset"), endAfterMs: 100 },
  "a byte a second": { answers: [OK.slice(0, 10)], trickleMs: 1000 },
  "closes at once": { end: "close" },
  "resets at the first byte": { end: "reset" },
  "says nothing": {},
};
const REDIS: Readonly<Record<string, CheckUpstreamScript>> = {
  "a good answer": answers("+PONG\r\n"),
  "half an answer, then nothing": answers("+PO"),
  "half an answer, then the end": ended(answers("+PO"), "close"),
  "half an answer, then a reset": { ...ended(answers("+PO"), "reset"), endAfterMs: 100 },
  "a byte a second": { answers: ["+PONG\r\n..."], trickleMs: 1000 },
  "closes at once": { end: "close" },
  "resets at the first byte": { end: "reset" },
  "says nothing": {},
};
const PROTOCOLS = { http: "option httpchk", redis: "option redis-check", tcp: "" } as const;

interface Servers {
  /** By protocol and name: where it listens. */
  readonly endpoints: Readonly<Record<keyof typeof PROTOCOLS, Readonly<Record<string, string>>>>;
  readonly upstreams: readonly CheckUpstream[];
}

async function startServers(): Promise<Servers> {
  const upstreams: CheckUpstream[] = [];
  const hole = opened(await BlackHole.start());
  const nobody = await refuser(loopbackAddress(33));
  const serve = async (scripts: Readonly<Record<string, CheckUpstreamScript>>) => {
    const endpoints: Record<string, string> = { "a black hole": hole.endpoint, "nobody there": nobody.endpoint };
    for (const [name, script] of Object.entries(scripts)) {
      const upstream = opened(await CheckUpstream.start(script, loopbackAddress(32)));
      upstreams.push(upstream);
      endpoints[name] = `${loopbackAddress(32)}:${upstream.port}`;
    }
    return endpoints;
  };
  const endpoints = { http: await serve(HTTP), redis: await serve(REDIS), tcp: await serve({ "says nothing": {} }) };
  return { endpoints, upstreams };
}

const word = (name: string): string => name.replace(/[^a-z]+/g, "_");

/** All servers, in maintenance at first: then nobody checks them. */
function configuration({ endpoints }: Servers, interMs: number): string {
  const backends = Object.entries(PROTOCOLS).map(([protocol, option]) => {
    const servers = Object.entries(endpoints[protocol as keyof typeof PROTOCOLS]).map(
      ([name, endpoint]) => `    server ${word(name)} ${endpoint} check inter ${interMs}ms disabled`,
    );
    return [`backend ${protocol}`, `    ${option}`, ...servers].join("\n");
  });
  return `
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect ${TIMEOUT_MS}ms
    timeout check ${TIMEOUT_MS}ms
${backends.join("\n")}
`;
}

/** "backend/server" of every server. */
async function serverNames(program: Program): Promise<string[]> {
  const rows = await program.stat();
  return rows.filter(({ svname }) => svname !== "BACKEND").map(({ pxname, svname }) => `${pxname}/${svname}`);
}

async function orderAll(program: Program, order: "enable" | "disable"): Promise<void> {
  for (const name of await serverNames(program)) expect(await program.runtime(`${order} server ${name}`)).toBe("\n");
}

/** check_status of every server that has one; while a check runs it is the last one's. */
async function verdicts(program: Program): Promise<Record<string, string>> {
  const rows = (await program.stat()).filter(({ svname }) => svname !== "BACKEND");
  const shown = rows.map((row) => [`${row.pxname}/${row.svname}`, row.check_status?.replace("* ", "") ?? ""] as const);
  return Object.fromEntries(shown.filter(([, status]) => /^(L\d|SOCKERR)/.test(status)));
}

async function allVerdicts(program: Program): Promise<Record<string, string>> {
  const names = await serverNames(program);
  let found: Record<string, string> = {};
  return waitFor(
    async () => {
      found = await verdicts(program);
      return Object.keys(found).length === names.length ? found : undefined;
    },
    () => `a result for every server, not only ${JSON.stringify(found)}`,
  );
}

describe.skipIf(whyNot !== "")(`checks of misbehaving servers${whyNot}`, () => {
  let servers: Servers;

  beforeAll(async () => {
    servers = await startServers();
  });

  it("shows what HAProxy shows, and leaves no descriptor behind after 10,000 checks", async () => {
    const reference = opened(await Program.start({ config: configuration(servers, 200), executable: haproxy! }));
    await orderAll(reference, "enable");
    const expected = await allVerdicts(reference);
    await reference.stop();
    const asked = () => servers.upstreams.reduce((sum, { accepted }) => sum + accepted, 0);

    const program = opened(await Program.start({ config: configuration(servers, 2) }));
    const before = openDescriptors(program.pid).sort();
    const askedBefore = asked();
    await orderAll(program, "enable");
    expect(await allVerdicts(program)).toEqual(expected);
    await waitFor(
      () => asked() - askedBefore >= CHECKS,
      () => `${CHECKS} checks, there were ${asked() - askedBefore}`,
      CHECKS_BOUND_MS,
    );
    expect(await allVerdicts(program)).toEqual(expected);

    await orderAll(program, "disable");
    await waitFor(
      () => openDescriptors(program.pid).length <= before.length,
      () => `the descriptors to be closed: ${openDescriptors(program.pid).sort()}; before: ${before}`,
    );
  });
});
