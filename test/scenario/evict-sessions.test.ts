// `evict sessions`: those that a filter selects when the order is given, and nobody else; no server is taken out of service.

import { describe, expect, it } from "vitest";
import type { EvictionReceipt } from "../../src/operations/eviction-receipt.ts";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { statsThroughItself } from "./carrier-stage.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

const LEFT = loopbackAddress(40);
const RIGHT = loopbackAddress(41);

interface Place {
  readonly program: Program;
  readonly upstream: Upstream;
  readonly open: (from?: string) => Promise<Client>;
}

async function start(threads = 2): Promise<Place> {
  const upstream = opened(await Upstream.start(echo));
  const port = await freePort();
  const config = simpleConfig({ port, threads, servers: [`a ${upstream.endpoint}`, `b ${upstream.endpoint}`] });
  const program = opened(await Program.start({ config }));
  const open = async (from = LEFT): Promise<Client> => {
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port, localAddress: from }));
    await client.roundTrip("hello");
    return client;
  };
  return { program, upstream, open };
}

const openMany = async ({ open }: Place, count: number, from?: string): Promise<Client[]> => {
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) clients.push(await open(from));
  return clients;
};

const receiptFrom = (text: string): EvictionReceipt => JSON.parse(text) as EvictionReceipt;

const shown = async ({ program }: Place): Promise<EvictionReceipt> =>
  JSON.parse(await program.runtime("show evictions json")).at(-1) as EvictionReceipt;

/** Begins an eviction that takes time; its answer is still to come. */
async function begin({ program }: Place, words: string): Promise<{ readonly answer: Promise<string> }> {
  const answer = program.runtime(`evict sessions ${words} json`);
  await waitFor(async () => (await program.runtime("show evictions")).includes("outcome=running"), "it to run");
  return { answer };
}

describe.each([1, 2])("evict sessions, %i thread(s)", (threads) => {
  it("at once: those that match are closed at the answer, the others and their servers are not touched", async () => {
    const place = await start(threads);
    const { program, upstream } = place;
    const gone = await openMany(place, 5, LEFT);
    const kept = await openMany(place, 3, RIGHT);
    let held = -1;
    const text = await program.runtime(`evict sessions from ${LEFT} json`, {
      atAnswer: () => {
        held = socketsHeldTo(program.pid, upstream.address, upstream.port).length;
      },
    });
    expect(held).toBe(3);
    expect(receiptFrom(text)).toMatchObject({
      server: null,
      address: null,
      filter: `from ${LEFT}`,
      outcome: "done",
      verified: true,
      matched: 5,
      byState: { established: 5 },
      cutAtDeadline: 5,
      survivors: 0,
      kernel: null,
    });
    for (const client of gone) await client.waitForEnd();
    for (const client of kept) await client.roundTrip("still here");
    expect(statRow(await program.stat(), "be", "a").status).toBe("no check");
    await place.open(LEFT);
  });
});

describe("evict sessions, little by little", () => {
  it("over: one after the other; who comes after the order is none of them, though the filter fits", async () => {
    const place = await start();
    const clients = await openMany(place, 6);
    const running = await begin(place, "backend be over 1s");
    const late = await place.open();
    expect(receiptFrom(await running.answer)).toMatchObject({ matched: 6, cutPaced: 6, survivors: 0, verified: true });
    for (const client of clients) await client.waitForEnd();
    await late.roundTrip("still here");
    expect(await place.program.sessions()).toHaveLength(1);
  });

  it("idle, client rst: a busy one is cut when it becomes quiet, by a reset", async () => {
    const place = await start();
    const [busy, quiet] = (await openMany(place, 2)) as [Client, Client];
    let isBusy = true;
    const working = (async () => {
      while (isBusy) await busy.roundTrip("work");
    })();
    const running = await begin(place, "frontend fe idle 900ms client rst");
    await quiet.waitForEnd();
    expect(busy.received.ended).toBe(false);
    isBusy = false;
    await working;
    expect(receiptFrom(await running.answer)).toMatchObject({ matched: 2, cutIdle: 2, bytesDiscarded: 0 });
    expect(quiet.received.wasReset).toBe(true);
  });

  it("idle as a filter means those that are quiet when the order is given", async () => {
    const place = await start();
    await openMany(place, 3);
    await waitFor(async () => (await place.program.runtime("show sess idle 900ms")).split("\n").length > 3, "quiet");
    const busy = await place.open();
    const text = await place.program.runtime("evict sessions frontend fe and idle 900ms json");
    expect(receiptFrom(text)).toMatchObject({ filter: "frontend fe and idle 900ms", matched: 3, cutAtDeadline: 3 });
    await busy.roundTrip("still here");
  });
});

it("rate, deadline: whoever is left then is cut", async () => {
  const place = await start();
  await openMany(place, 4);
  const text = await place.program.runtime("evict sessions backend be rate 1 deadline 1500ms json");
  expect(receiptFrom(text)).toMatchObject({ cutPaced: 1, cutAtDeadline: 3, verified: true });
});

it("evict cancel stops it, what is left stays; the lists and the text say whose sessions they are", async () => {
  const place = await start();
  const clients = await openMany(place, 3);
  const running = await begin(place, "server be/a drain 1h");
  const { id, matched } = await shown(place);
  expect(matched).toBe(2);
  expect(await place.program.runtime("show evictions")).toContain(`${id}: sessions=[server be/a] outcome=running`);
  expect(await place.program.runtime(`evict cancel ${id}`)).toBe(`Eviction ${id} is cancelled, 2 sessions stay.\n\n`);
  expect(receiptFrom(await running.answer)).toMatchObject({ outcome: "cancelled", survivors: 2, verified: false });
  expect(await place.program.runtime(`show evictions ${id}`)).toMatch(
    new RegExp(`^Eviction ${id} of sessions server be/a: cancelled \\(cancelled by an order\\)\\.\n`),
  );
  for (const client of clients) await client.roundTrip("still here");
});

it("two operators at once: an eviction of the server takes sessions that the other one lets go slowly", async () => {
  const place = await start();
  await openMany(place, 4);
  const running = await begin(place, `from ${LEFT} drain 1h`);
  const whole = receiptFrom(await place.program.runtime("evict server be/a json"));
  expect(whole).toMatchObject({ matched: 2, cutAtDeadline: 2, verified: true });
  await waitFor(
    async () => (await place.program.runtime("show evictions 1 json")).includes('"survivors":2'),
    "two left",
  );
  await place.program.runtime("shutdown sessions backend be");
  expect(receiptFrom(await running.answer)).toMatchObject({ outcome: "done", matched: 4, endedThemselves: 4 });
});

it("dry-run says who would be cut, and changes nothing", async () => {
  const place = await start();
  await openMany(place, 3);
  const found = JSON.parse(await place.program.runtime(`evict sessions from ${LEFT} dry-run json`));
  expect(found).toMatchObject({ server: null, filter: `from ${LEFT}`, dryRun: true, matched: 3, others: [] });
  expect(found.clients).toEqual([{ address: LEFT, sessions: 3 }]);
  expect(await place.program.runtime(`evict sessions from ${LEFT} dry-run`)).toContain("nothing was changed");
  expect(await place.program.sessions()).toHaveLength(3);
});

describe("haproxy-ingress-1534: an order that comes through a session that it ends is noticed", () => {
  it.each([
    ["evict sessions backend be", /ends with the others: .*'show evictions'/],
    ["shutdown sessions server be/a", /ends by it: there may be no answer/],
    ["shutdown sessions frontend fe", /ends by it: there may be no answer/],
    ["shutdown session <own>", /ends by it: there may be no answer/],
  ])("%s", async (command, note) => {
    const { program, through, answer } = await statsThroughItself(opened);
    const [own] = await waitFor(async () => {
      const sessions = await program.sessions();
      return sessions.length === 1 ? sessions : undefined;
    }, "the session");
    // One that does not mean the session says nothing.
    expect(await program.runtime("shutdown sessions from 192.0.2.1")).toBe("Sessions ended: 0.\n\n");
    through.send(`${command.replace("<own>", own!.id)}\n`);
    await through.waitForEnd();
    expect(answer()).toMatch(/^This command came through session 0x[0-9a-f]+ of be\/a, which /);
    expect(answer()).toMatch(note);
    expect(await program.sessions()).toEqual([]);
  });
});
