// `slowstart` against Debian's HAProxy 2.6: weights, throttles and states on the way up. HAProxy looks once a second, Headgate more
// often: what HAProxy shows on its way, Headgate has to show on its own, in the same order, with the same start and end.

import { beforeAll, describe, expect, it } from "vitest";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, UPSTREAM_ADDRESS } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";
import { whyNot } from "./haproxy-2.6.ts";

/** Long against a poll, and against a busy machine: each sixteenth of the weight is shown for a good while. */
const SLOW_START = "8s";

interface Climb {
  readonly name: string;
  readonly algorithm: string;
  readonly words: string;
  /** Typed as soon as the server is on its way up. */
  readonly command?: string;
}

const CLIMBS: readonly Climb[] = [
  { name: "weight-1", algorithm: "roundrobin", words: "weight 1" },
  { name: "weight-10", algorithm: "roundrobin", words: "weight 10" },
  { name: "weight-100", algorithm: "leastconn", words: "weight 100 maxconn 50" },
  { name: "weight-256", algorithm: "random", words: "weight 256" },
  { name: "fixed", algorithm: "source", words: "weight 20" },
  { name: "reweighed", algorithm: "roundrobin", words: "weight 100", command: "set weight reweighed/s 50%" },
  { name: "drained", algorithm: "roundrobin", words: "weight 100", command: "set server drained/s state drain" },
  { name: "weightless", algorithm: "roundrobin", words: "weight 100", command: "set weight weightless/s 0" },
];

const config = (log: LogReceiver): string => `
    maxconn 100
    nbthread 1
    log ${log.endpoint} local0
defaults
    mode tcp
    log global
    timeout client 1h
    timeout server 1h
    timeout connect 1h
${CLIMBS.map(
  ({ name, algorithm, words }) => `
backend ${name}
    balance ${algorithm}
    server s ${UPSTREAM_ADDRESS}:1 slowstart ${SLOW_START} ${words}
    server other ${UPSTREAM_ADDRESS}:1 weight 3`,
).join("\n")}
`;

interface Recording {
  /** By backend: what was shown, each value once, in order. */
  readonly shown: Readonly<Record<string, readonly string[]>>;
  readonly lines: readonly string[];
}

async function record(executable: string | undefined): Promise<Recording> {
  const log = await LogReceiver.start(FRONTEND_ADDRESS);
  const program = await Program.start({
    config: config(log),
    ...(executable === undefined ? {} : { executable }),
  });
  const shown: Record<string, string[]> = Object.fromEntries(CLIMBS.map(({ name }) => [name, []]));
  const look = async (): Promise<boolean> => {
    const [stat, state] = [await program.stat(), await program.serversState()];
    let climbing = 0;
    for (const { name } of CLIMBS) {
      const row = statRow(stat, name, "s");
      const oper = state.find((each) => each.be_name === name && each.srv_name === "s")!;
      const value = `status=${row.status} weight=${row.weight} throttle=${row.throttle} uweight=${oper.srv_uweight}`;
      if (shown[name]!.at(-1) !== value) shown[name]!.push(value);
      if (oper.srv_op_state === "1") climbing++;
    }
    return climbing > 0;
  };
  try {
    await look();
    for (const { name } of CLIMBS) await program.runtime(`set server ${name}/s state maint`);
    await look();
    for (const { name, command } of CLIMBS) {
      await program.runtime(`set server ${name}/s state ready`);
      if (command !== undefined) await program.runtime(command);
    }
    await waitFor(async () => !(await look()), "the servers to be up in full");
    await look();
    // 2.6 repeats at every step that a server is in drain; 3.x does not.
    const lines = log.messages
      .filter((message) => !message.includes("drain mode"))
      .map((message) => message.replace(/^(<\d+>).*?\]: /, "$1 "));
    return { shown, lines };
  } finally {
    await program.stop();
    log.close();
  }
}

describe.skipIf(whyNot !== "")(`slowstart against HAProxy 2.6${whyNot}`, () => {
  let theirs: Recording;
  let ours: Recording;

  beforeAll(async () => {
    [theirs, ours] = await Promise.all([record("haproxy"), record(undefined)]);
  });

  it.each(CLIMBS.map(({ name }) => name))("%s", (name) => {
    const wanted = theirs.shown[name]!;
    // The way of ours that leads through all of theirs, in order.
    const met = ours.shown[name]!.filter((value) => wanted.includes(value));
    expect(met).toEqual(wanted);
    expect(ours.shown[name]!.at(-1)).toBe(wanted.at(-1));
  });

  it("writes the same lines", () => {
    // Who is up in full first is a matter of milliseconds.
    expect(ours.lines.toSorted()).toEqual(theirs.lines.toSorted());
  });
});
