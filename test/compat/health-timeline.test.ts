// The health of servers over time against Debian's HAProxy 2.6: both are given the same answers to their checks, one by one, and
// must show the same states and write the same log lines in between. No clock is involved: a check is answered only when the
// state before it has been read.

import { beforeAll, describe, expect, it } from "vitest";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { seededRandom } from "../harness/random-stream.ts";
import { statRow } from "../harness/show.ts";
import { whyNot } from "./haproxy-2.6.ts";
import { type Answer, HeldChecks } from "./held-checks.ts";

interface Timeline {
  readonly name: string;
  readonly words: string;
  readonly backend: readonly string[];
  /** Each step answers the check that waits; commands before it. */
  readonly steps: readonly { readonly answer: Answer; readonly command?: string }[];
}

const ADDRESS = loopbackAddress(41);
const answersOf = (text: string): Timeline["steps"] => [...text].map((letter) => ({ answer: letter as Answer }));

function randomAnswers(seed: number, count: number, letters: string): Timeline["steps"] {
  const random = seededRandom(seed);
  let letter = letters[0]!;
  return Array.from({ length: count }, () => {
    // Runs of the same answer, so that all states come about.
    if (random() < 0.4) letter = letters[Math.floor(random() * letters.length)]!;
    return { answer: letter as Answer };
  });
}

const TIMELINES: readonly Timeline[] = [
  { name: "down and up, rise 2 fall 3", words: "rise 2 fall 3", backend: [], steps: answersOf("UDDDUUDDUDDDUDUUUD") },
  { name: "rise 1 fall 1", words: "rise 1 fall 1", backend: [], steps: answersOf("DUUDDUDUR") },
  {
    name: "rise 3 fall 2, a fresh server fails at once",
    words: "rise 3 fall 2",
    backend: [],
    steps: answersOf("DUUUUDUDDRUUU"),
  },
  { name: "random, rise 2 fall 4", words: "rise 2 fall 4", backend: [], steps: randomAnswers(1, 40, "UDR") },
  { name: "random, rise 4 fall 2", words: "rise 4 fall 2", backend: [], steps: randomAnswers(2, 40, "UD") },
  {
    name: "option log-health-checks",
    words: "rise 2 fall 2",
    backend: ["option log-health-checks"],
    steps: randomAnswers(3, 30, "UDR"),
  },
  {
    name: "commands in between",
    words: "rise 2 fall 3",
    backend: [],
    steps: [
      { answer: "U" },
      { answer: "D", command: "set server b6/s health down" },
      { answer: "U" },
      { answer: "U", command: "set server b6/s health up" },
      { answer: "D", command: "set server b6/s health stopping" },
      { answer: "U" },
      { answer: "D", command: "set server b6/s state drain" },
      { answer: "D" },
      { answer: "D" },
      { answer: "U" },
      { answer: "U" },
      { answer: "U", command: "set server b6/s state ready" },
      { answer: "U" },
    ],
  },
];

const config = (held: readonly HeldChecks[], log: LogReceiver): string => `
    maxconn 100
    nbthread 1
    log ${log.endpoint} local0
defaults
    mode tcp
    log global
    timeout client 1h
    timeout server 1h
    timeout connect 30s
    timeout check 30s
${TIMELINES.map(
  ({ words, backend }, i) => `
backend b${i}
    option httpchk
    ${backend.join("\n    ")}
    server s ${ADDRESS}:${held[i]!.port} check inter 40ms ${words}
    server t ${ADDRESS}:${held[i]!.port} track s`,
).join("\n")}
`;

const COLUMNS = ["status", "check_rise", "check_fall", "check_health", "chkfail", "chkdown"] as const;

/** What is shown before each answer. */
async function play(program: Program, held: HeldChecks, index: number): Promise<string[]> {
  const shown: string[] = [];
  const look = async (): Promise<void> => {
    await held.arrival();
    const stat = await program.stat();
    const [s, t] = ["s", "t"].map((name) => statRow(stat, `b${index}`, name));
    const state = (await program.serversState()).filter((row) => row.be_name === `b${index}`);
    const opers = state.map((row) => `${row.srv_op_state}/${row.srv_admin_state}`).join(" ");
    shown.push(`${COLUMNS.map((column) => s![column]).join(" ")} | ${t!.status} | ${opers}`);
  };
  for (const { answer, command } of TIMELINES[index]!.steps) {
    await look();
    if (command !== undefined) {
      expect(await program.runtime(command)).toBe("\n");
      await look();
    }
    held.answer(answer);
  }
  await look();
  return shown;
}

/** 2.6 repeats that a server is in drain with each change of its health; 3.x does not, and neither do we. */
const NOISE_OF_2_6 = /drain mode|\(leaving (?:forced )?drain\)/;

const linesOf = (log: LogReceiver, index: number): string[] =>
  log.messages
    .filter((message) => message.includes(`b${index}/`) || message.includes(`b${index} has`))
    .filter((message) => !NOISE_OF_2_6.test(message))
    .map((message) =>
      message.replace(/^(<\d+>).*?\]: /, "$1 ").replace(/check duration: \d+ms/, "check duration: Nms"),
    );

interface Recording {
  readonly shown: readonly (readonly string[])[];
  readonly lines: readonly (readonly string[])[];
}

async function record(executable: string | undefined): Promise<Recording> {
  const held = await Promise.all(TIMELINES.map(() => HeldChecks.start(ADDRESS)));
  const log = await LogReceiver.start(FRONTEND_ADDRESS);
  const program = await Program.start({
    config: config(held, log),
    ...(executable === undefined ? {} : { executable }),
  });
  try {
    const shown = await Promise.all(TIMELINES.map((_, index) => play(program, held[index]!, index)));
    return { shown, lines: TIMELINES.map((_, index) => linesOf(log, index)) };
  } finally {
    await program.stop();
    for (const each of held) await each.close();
    log.close();
  }
}

describe.skipIf(whyNot !== "")(`health over time against HAProxy 2.6${whyNot}`, () => {
  const recordings: Record<string, Recording> = {};

  beforeAll(async () => {
    recordings.theirs = await record("haproxy");
    recordings.ours = await record(undefined);
  });

  it.each(TIMELINES.map(({ name }, index) => [name, index] as const))("%s", (_, index) => {
    const { ours, theirs } = recordings;
    expect(ours!.shown[index]).toEqual(theirs!.shown[index]);
    expect(ours!.lines[index]).toEqual(theirs!.lines[index]);
  });
});
