// `slowstart` against Debian's HAProxy 2.6: weights, throttles and states on the way up. HAProxy takes a step a second, Headgate more: both
// begin and end with the same, and are in between on Headgate's way. Which steps of it are seen is up to the machine.

import { beforeAll, describe, expect, it } from "vitest";
import { loadAt, shownWeight, throttlePercent } from "../../src/control/reconcile/slow-start.ts";
import { LOAD_WEIGHT_SCALE } from "../../src/memory/server-row.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, UPSTREAM_ADDRESS } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";
import { whyNot } from "./haproxy-2.6.ts";

/** HAProxy, which takes a step a second, is seen on its way. */
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

/** All that Headgate can show of a server on its way up to what `end` shows of it, in order. */
function wayTo(end: string, algorithm: string): string[] {
  const status = /status=(.*) weight=/.exec(end)?.[1];
  const weight = Number(/uweight=(\d+)/.exec(end)?.[1]);
  const steps = Array.from({ length: LOAD_WEIGHT_SCALE }, (_, i) => {
    const { loadWeight } = loadAt(weight, 0, i, LOAD_WEIGHT_SCALE, algorithm !== "source");
    const throttle = status === "DRAIN" || weight === 0 ? "" : throttlePercent(loadWeight, weight);
    return `status=${status} weight=${shownWeight(loadWeight)} throttle=${throttle} uweight=${weight}`;
  });
  return [...new Set(steps)].filter((step) => step !== end);
}

describe.skipIf(whyNot !== "")(`slowstart against HAProxy 2.6${whyNot}`, () => {
  let theirs: Recording;
  let ours: Recording;

  beforeAll(async () => {
    [theirs, ours] = await Promise.all([record("haproxy"), record(undefined)]);
  });

  it.each(CLIMBS.map(({ name, algorithm }) => [name, algorithm] as const))("%s", (name, algorithm) => {
    const [shown, wanted] = [ours.shown[name]!, theirs.shown[name]!];
    // Before it goes up, and in the end.
    expect([...shown.slice(0, 2), shown.at(-1)]).toEqual([...wanted.slice(0, 2), wanted.at(-1)]);
    const way = wayTo(wanted.at(-1)!, algorithm);
    for (const seen of [wanted.slice(2, -1), shown.slice(2, -1)]) {
      expect(seen).toEqual(way.filter((step) => seen.includes(step)));
      expect(seen.length > 0).toBe(way.length > 0);
    }
  });

  it("writes the same lines", () => {
    // Who is up in full first is a matter of milliseconds.
    expect(ours.lines.toSorted()).toEqual(theirs.lines.toSorted());
  });
});
