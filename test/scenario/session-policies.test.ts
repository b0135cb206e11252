// Standing policies: how long sessions live, what becomes of them in maintenance and in drain, and who lets go when a server comes back.

import { describe, expect, it } from "vitest";
import type { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { PolicyStage } from "./policy-stage.ts";

const opened = closeAfterEach();

/** HAProxy's line, and the cause behind it. */
const LOG_FORMAT = [`log-format "\${HAPROXY_TCP_LOG_FMT} %cause"`];

/** How the client's session ended, by its log line: the termination state and the cause. */
async function endOf(stage: PolicyStage, client: Client): Promise<string> {
  const { termination, text } = await stage.log.waitForSession(client.local);
  return `${termination} ${text.trimEnd().split(" ").at(-1)}`;
}

interface Pair {
  readonly stage: PolicyStage;
  readonly a: Upstream;
  readonly b: Upstream;
}

/** Servers a and b; `a`: further words of server a. */
async function start(a: string, lines: readonly string[] = [], b = ""): Promise<Pair> {
  const log = opened(await LogReceiver.start());
  const first = opened(await Upstream.start(echo));
  const second = opened(await Upstream.start(echo));
  const servers = [`server a ${first.endpoint} ${a}`, `server b ${second.endpoint} ${b}`];
  const stage = opened(
    await PolicyStage.start({ threads: 2, log, backend: [...lines, ...servers], frontend: LOG_FORMAT }),
  );
  return { stage, a: first, b: second };
}

async function openClients(stage: PolicyStage, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(opened(await stage.open()));
    await clients.at(-1)!.roundTrip("hello");
  }
  return clients;
}

const heldTo = ({ stage }: Pair, upstream: Upstream): number =>
  socketsHeldTo(stage.program.pid, upstream.address, upstream.port).length;

/** Clients on a and on b: the first goes to a, then by turns. */
async function onBoth(pair: Pair, each: number): Promise<{ readonly onA: Client[]; readonly onB: Client[] }> {
  const clients = await openClients(pair.stage, 2 * each);
  return { onA: clients.filter((_, i) => i % 2 === 0), onB: clients.filter((_, i) => i % 2 === 1) };
}

/** Keeps asking until it is told to stop, or until the connection ends. */
function keepBusy(client: Client): () => Promise<unknown> {
  let isOn = true;
  const working = (async () => {
    while (isOn && !client.received.ended) await client.roundTrip("work");
  })().catch(() => undefined);
  return () => {
    isOn = false;
    return working;
  };
}

const run = async (stage: PolicyStage, command: string): Promise<void> =>
  expect(await stage.program.runtime(command)).toBe("\n");

describe("how long sessions live", () => {
  it("max-session-age: a session ends at that age, however busy it is; those of another server stay", async () => {
    const pair = await start("max-session-age 700ms jitter 30");
    const { onA, onB } = await onBoth(pair, 3);
    const stop = keepBusy(onA[0]!);
    for (const client of onA) {
      await client.waitForEnd();
      expect(await endOf(pair.stage, client)).toBe("KC max-session-age");
      const { totalMs } = await pair.stage.log.waitForSession(client.local);
      expect(totalMs).toBeGreaterThanOrEqual(490);
    }
    await stop();
    expect(heldTo(pair, pair.a)).toBe(0);
    for (const client of onB) await client.roundTrip("still here");
  });

  it("max-session-idle: a quiet session ends, a busy one when it becomes quiet", async () => {
    const pair = await start("max-session-idle 1200ms");
    const { onA, onB } = await onBoth(pair, 2);
    const [busy, quiet] = onA as [Client, Client];
    const stop = keepBusy(busy);
    await quiet.waitForEnd();
    expect(await endOf(pair.stage, quiet)).toBe("KC max-session-idle");
    expect(busy.received.ended).toBe(false);
    await stop();
    await busy.waitForEnd();
    for (const client of onB) await client.roundTrip("still here");
  });
});

describe("on-maint", () => {
  it("shutdown-sessions: none is left at the answer to disable server", async () => {
    const pair = await start("on-maint shutdown-sessions");
    const { onA, onB } = await onBoth(pair, 3);
    let held = -1;
    await pair.stage.program.runtime("disable server be/a", {
      atAnswer: () => {
        held = heldTo(pair, pair.a);
      },
    });
    expect(held).toBe(0);
    for (const client of onA) {
      await client.waitForEnd();
      expect(await endOf(pair.stage, client)).toBe("KC on-maint");
    }
    for (const client of onB) await client.roundTrip("still here");
  });

  it("drain: sessions stay for so long, and end if the server is in maintenance still", async () => {
    const pair = await start("on-maint drain 1200ms");
    const { onA } = await onBoth(pair, 2);
    await run(pair.stage, "disable server be/a");
    await onA[0]!.roundTrip("still here");
    await pair.stage.waitForLog(/Server be\/a: 2 sessions stay, and end in 1200 ms\.\n$/);
    for (const client of onA) await client.waitForEnd();
    await pair.stage.waitForLog(/Server be\/a: it is still in maintenance: 2 sessions were ended\.\n$/);
  });

  it("drain: enable server calls it off", async () => {
    const pair = await start("on-maint drain 1h");
    const { onA } = await onBoth(pair, 2);
    await run(pair.stage, "disable server be/a");
    await run(pair.stage, "enable server be/a");
    await pair.stage.waitForLog(/Server be\/a: it leaves maintenance: its 2 sessions stay\.\n$/);
    for (const client of onA) await client.roundTrip("still here");
  });

  it("keep stands in place of on-marked-down, which holds for a check's verdict still", async () => {
    const pair = await start("on-maint keep on-marked-down shutdown-sessions");
    const { onA } = await onBoth(pair, 2);
    await run(pair.stage, "disable server be/a");
    for (const client of onA) await client.roundTrip("still here");
    await run(pair.stage, "enable server be/a");
    await pair.stage.health("a", "down");
    for (const client of onA) {
      await client.waitForEnd();
      expect(await endOf(pair.stage, client)).toBe("DC on-marked-down");
    }
  });
});

describe("on-drain", () => {
  it("idle: a session ends when it has been quiet for so long", async () => {
    const pair = await start("", ["on-drain idle 900ms"], "on-drain keep");
    const { onA, onB } = await onBoth(pair, 2);
    const [busy, quiet] = onA as [Client, Client];
    const stop = keepBusy(busy);
    await run(pair.stage, "set server be/a state drain");
    await run(pair.stage, "set server be/b state drain");
    await quiet.waitForEnd();
    expect(busy.received.ended).toBe(false);
    await stop();
    await busy.waitForEnd();
    expect(await endOf(pair.stage, busy)).toBe("KC on-drain");
    await pair.stage.waitForLog(/Server be\/a: it drains no more: 2 sessions were ended, 0 are left\.\n$/);
    for (const client of onB) await client.roundTrip("still here");
  });

  it("over: one after the other, none is left at the end; ready calls it off", async () => {
    const pair = await start("on-drain over 2s", [], "on-drain over 1h");
    const { onA, onB } = await onBoth(pair, 4);
    await run(pair.stage, "set server be/b state drain");
    await run(pair.stage, "set server be/a state drain");
    const left = new Set<number>();
    await waitFor(() => {
      left.add(onA.filter((client) => !client.received.ended).length);
      return left.has(0);
    }, "all to end");
    expect(left.size).toBeGreaterThan(2);
    expect(heldTo(pair, pair.a)).toBe(0);
    await run(pair.stage, "set server be/b state ready");
    await pair.stage.waitForLog(/Server be\/b: it drains no more: \d+ sessions were ended, \d+ are left\.\n$/);
    const staying = onB.filter((client) => !client.received.ended);
    for (const client of staying) await client.roundTrip("still here");
    expect(staying.length).toBeGreaterThan(0);
  });
});

describe("rebalance", () => {
  /** Opens a new connection whenever one ends, as a pool of connections does. */
  async function poolOf(stage: PolicyStage, size: number): Promise<Client[]> {
    const clients = await openClients(stage, size);
    const keepUp = async (at: number): Promise<void> => {
      for (let ends = 0; ends < 1000; ends++) {
        await clients[at]!.waitForEnd();
        clients[at] = opened(await stage.open());
      }
    };
    for (let at = 0; at < size; at++) keepUp(at).catch(() => undefined);
    return clients;
  }

  it("a server that comes back gets its share, and no session is let go beyond that", async () => {
    const pair = await start("", ["balance leastconn", "rebalance 200"], "disabled");
    await poolOf(pair.stage, 20);
    expect([heldTo(pair, pair.a), heldTo(pair, pair.b)]).toEqual([20, 0]);
    await run(pair.stage, "enable server be/b");
    await pair.stage.waitForLog(/Backend be: rebalance lets sessions go, 200 a second: 9 are over\.\n$/);
    await pair.stage.waitForLog(/Backend be: rebalance ends: 9 sessions were let go\.\n$/);
    await waitFor(() => heldTo(pair, pair.b) === 9, "the new connections");
    expect(heldTo(pair, pair.a)).toBe(11);
    const cut = pair.stage.log.messages.filter((message) => / KC .* rebalance\n?$/.test(message));
    expect(cut).toHaveLength(9);
  });

  it("stops when the server leaves again", async () => {
    const pair = await start("", ["balance leastconn", "rebalance 2"], "disabled");
    const clients = await openClients(pair.stage, 20);
    await run(pair.stage, "enable server be/b");
    await pair.stage.waitForLog(/Backend be: rebalance lets sessions go, 2 a second/);
    await run(pair.stage, "disable server be/b");
    const ended = clients.filter((client) => client.received.ended).length;
    await pair.stage.waitForLog(/Backend be: rebalance ends: \d sessions were let go\.\n$/);
    expect(ended).toBeLessThan(9);
    for (const client of clients.filter((one) => !one.received.ended)) await client.roundTrip("still here");
  });
});
