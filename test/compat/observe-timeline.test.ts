// `observe layer4` against Debian's HAProxy 2.6: sessions whose server refuses them, and what their failures do to its health, its
// counters and the log, under each `on-error`. No clock is involved: a state is read when the alarms that it owes are counted.

import { createServer, type Server } from "node:net";
import { beforeAll, describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";
import { whyNot } from "./haproxy-2.6.ts";
import { type Answer, HeldChecks } from "./held-checks.ts";

const ADDRESS = loopbackAddress(42);

type Step =
  /** Sessions that are refused, one after the other, and how many alarms there were by then in all. */
  | {
      readonly errors: number;
      readonly alarms: number;
      /** A check comes by it, and waits for its answer. */
      readonly brings?: "check";
    }
  /** Sessions that the server accepts. */
  | { readonly connections: number }
  /** Answers the check that waits; with `last`, no other one is to come for now. */
  | { readonly answer: Answer; readonly last?: true }
  | { readonly command: string };

interface Timeline {
  readonly name: string;
  /** Also the backend's name. */
  readonly backend: string;
  readonly words: string;
  readonly lines?: readonly string[];
  /** Whether a check waits for its answer whenever the state is read. */
  readonly isChecked: boolean;
  readonly steps: readonly Step[];
}

const ON_ERROR = ["fastinter", "fail-check", "sudden-death", "mark-down"] as const;

const ALARMS_ONLY: readonly Step[] = [
  { errors: 1, alarms: 1 },
  // A check that passes takes back what was counted.
  { answer: "U" },
  { errors: 1, alarms: 1 },
  { answer: "D" },
  { errors: 1, alarms: 2 },
  { answer: "D" },
  { answer: "D" },
  { answer: "D" },
  { answer: "U" },
  { answer: "U" },
  { errors: 2, alarms: 3 },
];

/** With a check on its way all the time. */
const checked = (onError: string): Timeline => ({
  name: `on-error ${onError}`,
  backend: `during-${onError}`,
  words: `inter 40ms rise 2 fall 4 observe layer4 error-limit 2 on-error ${onError}`,
  isChecked: true,
  steps: [
    { answer: "U" },
    { errors: 1, alarms: 0 },
    { connections: 1 },
    { errors: 1, alarms: 0 },
    { errors: 1, alarms: 1 },
    // An alarm that counts as a failed check leaves HAProxy's check on its way without a result.
    ...(onError === "fastinter" ? ALARMS_ONLY : []),
  ],
});

/** Without any check that would interfere, but for those that an alarm brings about. */
const idle = (onError: string, fastInter: boolean, lines: readonly string[] = []): Timeline => {
  const backend = `idle-${onError}${fastInter ? "-fast" : ""}${lines.length > 0 ? "-logged" : ""}`;
  const words = `${fastInter ? "fastinter 40ms downinter 40ms " : ""}rise 2 fall 3 observe layer4 error-limit 3 on-error ${onError}`;
  const up = { command: `set server ${backend}/s health up` };
  return {
    name: `on-error ${onError}`,
    backend,
    words: `inter 1h ${words}`,
    lines,
    isChecked: false,
    steps: fastInter
      ? [
          up,
          { errors: 3, alarms: 1, brings: "check" },
          // A server that is down needs two.
          ...(onError === "mark-down" ? [{ answer: "U" } as const] : []),
          { answer: "U", last: true },
          { errors: 2, alarms: 1 },
          { connections: 1 },
          { errors: 3, alarms: 2, brings: "check" },
          { answer: "D" },
          { answer: "R" },
          // Only with `fastinter` is it still up.
          ...(onError === "fastinter" ? [] : [{ answer: "U" } as const]),
          { answer: "U", last: true },
        ]
      : [
          { errors: 3, alarms: 1 },
          up,
          { errors: 3, alarms: 2 },
          { errors: 2, alarms: 2 },
          up,
          { errors: 1, alarms: onError === "mark-down" ? 2 : 3 },
        ],
  };
};

const DURING = ON_ERROR.map(checked);
/** Alone in its process, since counters are cleared everywhere. */
const CLEARED: Timeline = {
  ...idle("fail-check", false),
  name: "clear counters",
  steps: [
    { errors: 3, alarms: 1 },
    { command: "set server idle-fail-check/s health up" },
    { errors: 4, alarms: 2 },
    { command: "clear counters" },
    { command: "clear counters all" },
    // What clears counters leaves the errors in a row alone.
    { errors: 2, alarms: 1 },
  ],
};

/** Checks that rest have no say; their alarms are counted all the same. */
const resting = (onError: string): Timeline => {
  const backend = `resting-${onError}`;
  const command = (words: string): Step => ({ command: `${words} ${backend}/s` });
  const up = { command: `set server ${backend}/s health up` };
  return {
    ...idle(onError, false),
    backend,
    steps: [
      command("disable health"),
      { errors: 2, alarms: 0 },
      { errors: 1, alarms: 1 },
      up,
      { errors: 3, alarms: 2 },
      up,
      { errors: 2, alarms: 2 },
      { connections: 1 },
      { errors: 3, alarms: 3 },
      command("enable health"),
      up,
      { errors: 3, alarms: 4 },
    ],
  };
};

const BETWEEN = ON_ERROR.map((onError) => idle(onError, false));
const RESTING = ON_ERROR.map(resting);
const BETWEEN_FAST = ON_ERROR.map((onError) => idle(onError, true));
const BETWEEN_LOGGED = ON_ERROR.map((onError) => idle(onError, false, ["option log-health-checks"]));

/** A port that refuses, but for the time of `accepting`. */
class Upstream {
  readonly port: number;
  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<Upstream> {
    return new Upstream(await freePort(ADDRESS));
  }

  async accepting(use: () => Promise<void>): Promise<void> {
    const server: Server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end();
    });
    await new Promise<void>((resolve) => server.listen({ host: ADDRESS, port: this.port }, resolve));
    await use();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

interface Place {
  readonly timeline: Timeline;
  readonly frontendPort: number;
  readonly upstream: Upstream;
  readonly held: HeldChecks;
}

// The first of the checks that come hourly runs at the start, the others later: it is nobody's.
const config = (places: readonly Place[], log: LogReceiver): string => `
    maxconn 100
    nbthread 1
    log ${log.endpoint} local0
defaults
    mode tcp
    log global
    retries 0
    timeout client 1h
    timeout server 1h
    timeout connect 30s
    timeout check 30s
${places[0]!.timeline.isChecked ? "" : `backend first\n    server first ${ADDRESS}:${places[0]!.upstream.port} check inter 1h`}
${places
  .map(
    ({ timeline, frontendPort, upstream, held }) => `
frontend of-${timeline.backend}
    bind ${FRONTEND_ADDRESS}:${frontendPort}
    default_backend ${timeline.backend}
backend ${timeline.backend}
    option httpchk
    ${(timeline.lines ?? []).join("\n    ")}
    server s ${ADDRESS}:${upstream.port} check port ${held.port} ${timeline.words}
    server t ${ADDRESS}:${upstream.port} track s weight 0`,
  )
  .join("\n")}
`;

const STAT_COLUMNS = [
  ...["status", "check_status", "check_code", "check_desc", "last_chk"],
  ...["check_rise", "check_fall", "check_health", "chkfail", "chkdown", "hanafail", "econ"],
] as const;
const BACKEND_COLUMNS = ["status", "weight", "uweight", "act", "bck", "econ", "chkdown"] as const;
const STATE_COLUMNS = [
  ...["srv_op_state", "srv_admin_state", "srv_check_status", "srv_check_result", "srv_check_health", "srv_check_state"],
] as const;

async function look(program: Program, { timeline }: Place): Promise<string> {
  const stat = await program.stat();
  const [s, t] = ["s", "t"].map((name) => statRow(stat, timeline.backend, name));
  // 2.6 keeps a backend's for ever, 3.x clears it.
  const backendColumns = BACKEND_COLUMNS.filter((column) => column !== "chkdown" || timeline !== CLEARED);
  const backend = statRow(stat, timeline.backend, "BACKEND");
  const state = (await program.serversState()).find((row) => row.be_name === timeline.backend && row.srv_name === "s")!;
  const seen = STAT_COLUMNS.map((column) => `${column}=${s![column]}`);
  return [
    ...seen,
    `t=${t!.status}`,
    ...backendColumns.map((column) => `backend.${column}=${backend[column]}`),
    ...STATE_COLUMNS.map((column) => `${column}=${state[column]}`),
  ].join(" ");
}

/** What is shown after each step. */
async function play(program: Program, place: Place): Promise<string[]> {
  const { timeline, frontendPort, upstream, held } = place;
  const shown: string[] = [];
  const isOver = async (): Promise<boolean> =>
    !statRow(await program.stat(), timeline.backend, "s").check_status!.startsWith("*");
  const session = async (): Promise<void> => {
    const client = new Client({ host: FRONTEND_ADDRESS, port: frontendPort });
    await waitFor(() => client.received.ended || client.socket.destroyed, "the session to end");
    client.socket.destroy();
  };
  if (timeline.isChecked) await held.arrival();
  shown.push(await look(program, place));
  for (const step of timeline.steps) {
    if ("errors" in step) {
      for (let i = 0; i < step.errors; i++) await session();
      await waitFor(
        async () => (await program.counter(timeline.backend, "s", "hanafail")) === step.alarms,
        `${step.alarms} alarms of ${timeline.backend}`,
      );
      if (step.brings) await held.arrival(timeline.backend);
    } else if ("connections" in step) {
      await upstream.accepting(async () => {
        for (let i = 0; i < step.connections; i++) await session();
      });
    } else if ("command" in step) expect(await program.runtime(step.command)).toBe("\n");
    else {
      await held.arrival();
      held.answer(step.answer);
      if (step.last) await waitFor(isOver, "the check to end");
      else await held.arrival(`after ${timeline.backend} ${JSON.stringify(step)}`);
    }
    if (timeline.isChecked) await held.arrival(`after ${timeline.backend} ${JSON.stringify(step)}`);
    shown.push(`${JSON.stringify(step)}: ${await look(program, place)}`);
  }
  return shown;
}

const linesOf = (log: LogReceiver, { timeline }: Place): string[] =>
  log.messages
    .filter((message) => message.includes(` ${timeline.backend}/`) || message.includes(` ${timeline.backend} has`))
    .map((message) =>
      message
        .replace(/^(<\d+>).*?\]: /, "$1 ")
        .replace(/check duration: \d+ms/, "check duration: Nms")
        // Headgate hears of an alarm when the session that raised it is over.
        .replace(/ \d sessions active,/, " N sessions active,"),
    );

interface Recording {
  readonly shown: readonly string[];
  readonly lines: readonly string[];
}

async function record(timelines: readonly Timeline[], executable: string | undefined): Promise<Recording[]> {
  const places: Place[] = [];
  for (const timeline of timelines) {
    const upstream = await Upstream.start();
    places.push({ timeline, frontendPort: await freePort(), upstream, held: await HeldChecks.start(ADDRESS) });
  }
  const log = await LogReceiver.start(FRONTEND_ADDRESS);
  const program = await Program.start({
    config: config(places, log),
    ...(executable === undefined ? {} : { executable }),
  });
  try {
    const shown = await Promise.all(places.map((place) => play(program, place)));
    return shown.map((each, i) => ({ shown: each, lines: linesOf(log, places[i]!) }));
  } finally {
    await program.stop();
    for (const { held } of places) await held.close();
    log.close();
  }
}

describe.skipIf(whyNot !== "").each([
  ["while checks are on their way", DURING],
  ["between checks", BETWEEN],
  ["between checks, with fastinter", BETWEEN_FAST],
  ["between checks, logged", BETWEEN_LOGGED],
  ["while checks are disabled", RESTING],
  ["and its counters", [CLEARED]],
] as const)(`observe layer4 against HAProxy 2.6, %s${whyNot}`, (_, timelines) => {
  const recordings: Record<string, Recording[]> = {};

  beforeAll(async () => {
    recordings.theirs = await record(timelines, "haproxy");
    recordings.ours = await record(timelines, undefined);
  });

  it.each(timelines.map(({ name }, index) => [name, index] as const))("%s", (_, index) => {
    const { ours, theirs } = recordings;
    expect(ours![index]!.shown).toEqual(theirs![index]!.shown);
    expect(ours![index]!.lines).toEqual(theirs![index]!.lines);
  });
});
