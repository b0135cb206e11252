// Sessions that wait for one known server (`balance source`), or for any of a backend, against Debian's HAProxy 2.6: whose they
// are while they wait, and when they give up or are given up. The order of events is the test's; times are masked.

import { beforeAll, describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { SERVER_SIDE, statRow } from "../harness/show.ts";
import { Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { whyNot } from "./haproxy-2.6.ts";

const ALGORITHMS = ["source", "roundrobin", "leastconn"] as const;
type Algorithm = (typeof ALGORITHMS)[number];

/** Two frontends for each algorithm: in one a session may wait for an hour, in the other not long. */
const config = (ports: readonly number[], log: LogReceiver, upstream: Upstream): string => `
    maxconn 100
    nbthread 1
    log ${log.endpoint} local0
defaults
    mode tcp
    log global
    option tcplog
    timeout client 1h
    timeout server 1h
    timeout connect 1h
${ALGORITHMS.map(
  (algorithm, i) => `
listen ${algorithm}-patient
    bind ${FRONTEND_ADDRESS}:${ports[2 * i]}
    balance ${algorithm}
    timeout queue 1h
    server s ${upstream.address}:${upstream.port} maxconn 1
listen ${algorithm}-hasty
    bind ${FRONTEND_ADDRESS}:${ports[2 * i + 1]}
    balance ${algorithm}
    timeout queue 100ms
    server s ${upstream.address}:${upstream.port} maxconn 1`,
).join("\n")}
`;

const SERVER_COLUMNS = ["scur", "stot", "qcur", "qmax", "lbtot", "econ", "eresp", "wretr", "cli_abrt", "srv_abrt"];

async function look(program: Program, proxy: string, moment: string): Promise<string[]> {
  const stat = await program.stat();
  const sessions = (await program.sessions()).filter((session) => session.fe === proxy);
  return [
    ...["s", "BACKEND"].map((name) => {
      const row = statRow(stat, proxy, name);
      return `${moment}: ${name} ${SERVER_COLUMNS.map((column) => `${column}=${row[column]}`).join(" ")}`;
    }),
    // In no certain order.
    ...sessions.map((session) => `${moment}: session ${session.serverSide} srv=${session.srv}`).sort(),
  ];
}

async function play(program: Program, log: LogReceiver, algorithm: Algorithm, ports: readonly number[]) {
  const shown: string[] = [];
  const i = ALGORITHMS.indexOf(algorithm);
  const inState = (proxy: string, state: number, count: number): Promise<unknown> =>
    waitFor(
      async () =>
        (await program.sessions()).filter((session) => session.fe === proxy && session.serverSide === state).length ===
        count,
      `${count} sessions of ${proxy} in state ${state}`,
    );
  const patient = `${algorithm}-patient`;
  const open = async (port: number): Promise<Client> => Client.open({ host: FRONTEND_ADDRESS, port });
  const first = await open(ports[2 * i]!);
  await inState(patient, SERVER_SIDE.established, 1);
  const second = await open(ports[2 * i]!);
  await inState(patient, SERVER_SIDE.queued, 1);
  const third = await open(ports[2 * i]!);
  await inState(patient, SERVER_SIDE.queued, 2);
  shown.push(...(await look(program, patient, "two wait")));
  third.reset();
  await log.waitForSession(third.local);
  shown.push(...(await look(program, patient, "one gave up")));
  first.close();
  await log.waitForSession(first.local);
  await inState(patient, SERVER_SIDE.established, 1);
  shown.push(...(await look(program, patient, "the other had its turn")));
  second.close();
  await log.waitForSession(second.local);

  const hasty = `${algorithm}-hasty`;
  const holder = await open(ports[2 * i + 1]!);
  await inState(hasty, SERVER_SIDE.established, 1);
  const late = await open(ports[2 * i + 1]!);
  await log.waitForSession(late.local);
  shown.push(...(await look(program, hasty, "one waited too long")));
  holder.close();
  await log.waitForSession(holder.local);
  shown.push(...(await look(program, hasty, "all is over")));
  for (const client of [first, second, third, holder, late]) client.close();
  return shown;
}

/**
 * Without addresses, dates, durations, bytes, and places in queues: HAProxy counts the grants that a session has seen, and itself,
 * Headgate those who stood before it.
 */
const maskedLine = (text: string): string =>
  text.replace(/^.*\] (\S+ \S+\/\S+) (-?)\d+\/(-?)\d+\/\d+ \d+ (\S+ \S+) .*$/s, "$1 $2T/$3T $4");

async function record(executable: string | undefined): Promise<Record<Algorithm, readonly string[]>> {
  const upstream = await Upstream.start(({ socket }) => {
    socket.on("end", () => socket.end());
    socket.resume();
  });
  const ports: number[] = [];
  while (ports.length < 2 * ALGORITHMS.length) ports.push(await freePort());
  const log = await LogReceiver.start(FRONTEND_ADDRESS);
  const program = await Program.start({
    config: config(ports, log, upstream),
    ...(executable === undefined ? {} : { executable }),
  });
  try {
    const seen: Record<string, readonly string[]> = {};
    // One after the other: lines count the sessions of the process.
    for (const algorithm of ALGORITHMS) {
      const shown = await play(program, log, algorithm, ports);
      const lines = log.sessions.filter((line) => line.frontend.startsWith(algorithm));
      seen[algorithm] = [...shown, ...lines.map((line) => maskedLine(line.text))];
    }
    return seen;
  } finally {
    await program.stop();
    await upstream.close();
    log.close();
  }
}

describe.skipIf(whyNot !== "")(`sessions that wait for a server against HAProxy 2.6${whyNot}`, () => {
  const recordings: Record<string, Record<Algorithm, readonly string[]>> = {};

  beforeAll(async () => {
    recordings.theirs = await record("haproxy");
    recordings.ours = await record(undefined);
  });

  it.each(ALGORITHMS)("balance %s", (algorithm) => {
    expect(recordings.ours![algorithm]).toEqual(recordings.theirs![algorithm]);
  });
});
