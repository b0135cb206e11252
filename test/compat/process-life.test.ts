// How the program ends and pauses, signal by signal, beside Debian's HAProxy 2.6: exit codes, what the terminal and the log are told, in
// which order, and when clients are refused.

import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { whyNot } from "./haproxy-2.6.ts";

const opened = closeAfterEach();

interface Stage {
  readonly program: Program;
  /** A session of frontend `fe`, which has exchanged a word with its server. */
  readonly session: () => Promise<Client>;
  /** Whether both frontends refuse clients. */
  readonly refuse: () => Promise<boolean>;
  /** Waits until the terminal has been told. */
  readonly told: (text: string) => Promise<unknown>;
}

interface Case {
  readonly name: string;
  readonly global?: string;
  readonly play: (stage: Stage) => Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: "SIGTTOU, SIGTTIN, SIGUSR1 twice while there is a session",
    play: async ({ program, session, refuse, told }) => {
      program.signal("SIGTTOU");
      await told("Paused proxy li.");
      expect(await refuse()).toBe(true);
      program.signal("SIGTTIN");
      await told("Resumed proxy li.");
      const client = await session();
      program.signal("SIGUSR1");
      await told("Proxy be stopped");
      expect(await refuse()).toBe(true);
      program.signal("SIGUSR1");
      await client.roundTrip("still here");
      client.close();
    },
  },
  {
    name: "SIGUSR1 with sessions, hard-stop-after",
    global: "hard-stop-after 100ms",
    play: async ({ program, session }) => {
      for (let i = 0; i < 2; i++) await session();
      program.signal("SIGUSR1");
    },
  },
  { name: "SIGUSR1, grace", global: "grace 50", play: async ({ program }) => program.signal("SIGUSR1") },
  {
    name: "SIGUSR1 with a session, then SIGTERM",
    play: async ({ program, session, told }) => {
      await session();
      program.signal("SIGUSR1");
      await told("Proxy be stopped");
      program.signal("SIGTERM");
    },
  },
  {
    name: "SIGTERM with a session",
    play: async ({ program, session }) => {
      await session();
      program.signal("SIGTERM");
    },
  },
  { name: "SIGINT", play: async ({ program }) => program.signal("SIGINT") },
];

/** HAProxy has proxies of its own, for its stats sockets and its HTTP client. */
const isInternal = (line: string): boolean => / (GLOBAL|<HTTPCLIENT>)( |\.$)/.test(line);

/** Each line without what is another one's in every run: process ids, times, the program's name. */
const linesOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .filter((line) => line !== "" && !isInternal(line) && !/version is|path to executable/.test(line))
    .map((line) => line.replace(/^(\[\w+\]) +\(\d+\) /, "$1 ").replace(/^(<\d+>).*?\w+\[\d+\]: /, "$1 "));

async function record({ global = "", play }: Case, executable: string | undefined) {
  const upstream = opened(await Upstream.start(echo));
  const [fe, li] = [await freePort(), await freePort()];
  const config = `
    nbthread 1
    log stdout local0 notice
    ${global}
defaults
    mode tcp
    log global
    timeout client 1h
    timeout server 1h
    timeout connect 1h
frontend fe
    bind ${FRONTEND_ADDRESS}:${fe}
    default_backend be
listen li
    bind ${FRONTEND_ADDRESS}:${li}
    server a ${upstream.endpoint}
backend be
    server a ${upstream.endpoint}
`;
  const program = opened(await Program.start({ config, ...(executable === undefined ? {} : { executable }) }));
  const isRefused = async (port: number): Promise<boolean> => {
    const client = opened(new Client({ host: FRONTEND_ADDRESS, port }));
    return client.connected.then(
      () => false,
      () => client.errorCode === "ECONNREFUSED",
    );
  };
  await play({
    program,
    session: async () => {
      const client = opened(new Client({ host: FRONTEND_ADDRESS, port: fe }));
      await client.connected;
      await client.roundTrip("hello");
      return client;
    },
    refuse: async () => (await isRefused(fe)) && (await isRefused(li)),
    told: (text) =>
      waitFor(
        () => program.stderr.includes(text),
        () => `"${text}" on the terminal: ${program.stderr}`,
      ),
  });
  const exitCode = await program.waitForExit();
  return { exitCode, terminal: linesOf(program.stderr), log: linesOf(program.stdout) };
}

describe(`the process's life${whyNot}`, () => {
  it.skipIf(whyNot !== "").each(CASES)("$name", async (one) => {
    const [theirs, ours] = [await record(one, "haproxy"), await record(one, undefined)];
    expect(ours).toEqual(theirs);
  });
});
