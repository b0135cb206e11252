// `evict server`: every option, what the receipt says, and that it is true: by the clients, the server, `show sess` and the kernel.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { EvictionReceipt } from "../../src/operations/eviction-receipt.ts";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo, survivingConnections } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { RuntimeConversation } from "../harness/runtime-client.ts";
import { statRow } from "../harness/show.ts";
import { echo, sink, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { statsThroughItself } from "./carrier-stage.ts";
import { CUT_STATES } from "./cut-states.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

interface Place {
  readonly program: Program;
  readonly upstream: Upstream;
  readonly port: number;
  readonly clients: Client[];
}

/** One server `be/a`, and clients on it that each had an answer. */
async function start(count: number, threads = 2, behaviour = echo): Promise<Place> {
  const upstream = opened(await Upstream.start(behaviour));
  const port = await freePort();
  const config = simpleConfig({ port, threads, servers: [`a ${upstream.endpoint}`] });
  const program = opened(await Program.start({ config }));
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    clients.push(client);
    if (behaviour === echo) await client.roundTrip("hello");
  }
  await upstream.waitForConnections(count);
  return { program, upstream, port, clients };
}

const receiptFrom = (text: string): EvictionReceipt => JSON.parse(text) as EvictionReceipt;

async function evict({ program, upstream }: Place, words: string): Promise<EvictionReceipt> {
  let held = -1;
  const text = await program.runtime(`evict server be/a ${words} json`, {
    atAnswer: () => {
      held = socketsHeldTo(program.pid, upstream.address, upstream.port).length;
    },
  });
  const receipt = receiptFrom(text);
  expect(held, "the kernel, and the receipt").toBe(receipt.survivors);
  return receipt;
}

/** The sums of a receipt come out. */
function expectSums(receipt: EvictionReceipt): void {
  const { matched, requeued, endedThemselves, cutIdle, cutPaced, cutAtDeadline, survivors } = receipt;
  expect(requeued + endedThemselves + cutIdle + cutPaced + cutAtDeadline + survivors).toBe(matched);
  expect(Object.values(receipt.byState).reduce((sum, count) => sum + count, 0)).toBe(matched);
}

const shown = async ({ program }: Place): Promise<EvictionReceipt> =>
  receiptFrom(await program.runtime("show evictions json").then((text) => JSON.stringify(JSON.parse(text).at(-1))));

/** Begins an eviction that takes time; its answer is still to come. */
async function beginToEvict({ program }: Place, words: string): Promise<{ readonly answer: Promise<string> }> {
  const answer = program.runtime(`evict server be/a ${words} json`);
  // Before its sessions are counted it has matched none.
  await waitFor(
    async () => /outcome=running .* matched=[1-9]/.test(await program.runtime("show evictions")),
    "it to run",
  );
  return { answer };
}

describe("evict server, at once, in every state of a session", () => {
  it.each(CUT_STATES)("$name", async (state) => {
    const victim = await state.startVictim();
    if (victim.close) opened({ close: () => victim.close!() });
    const port = await freePort();
    const config = simpleConfig({
      port,
      threads: 2,
      backend: state.backend ?? [],
      servers: [`a ${victim.endpoint} ${state.serverWords ?? ""}`],
    });
    const program = opened(await Program.start({ config }));
    const clients = (await state.enter({ program, port, backend: "be", count: 6, victim })).map(opened);
    let surviving: unknown;
    const text = await program.runtime("evict server be/a json", {
      atAnswer: () => {
        surviving = survivingConnections(program.pid, victim.address, victim.port);
      },
    });
    const receipt = receiptFrom(text);
    expect(surviving).toEqual([]);
    expect(receipt).toMatchObject({ outcome: "done", matched: 6, survivors: 0 });
    expect(receipt.kernel).toMatchObject({ own: 0, orphans: 0 });
    // The test's own connections keep a black hole's backlog full.
    const own = receipt.kernel!.foreign.filter(({ pid }) => pid === process.pid).length;
    expect(own > 0).toBe(state.name.startsWith("connecting"));
    expect(receipt.verified).toBe(own === 0);
    expectSums(receipt);
    expect(await program.sessions()).toEqual([]);
    if (state.clientReadsLater) for (const client of clients) client.resume();
    for (const client of clients) await client.waitForEnd();
    expect(statRow(await program.stat(), "be", "a").status).toBe("MAINT");
  });
});

describe.each([1, 2])("evict server, %i thread(s)", (threads) => {
  it("client rst: clients are reset", async () => {
    const place = await start(4, threads);
    expect(await evict(place, "client rst")).toMatchObject({ verified: true, cutAtDeadline: 4 });
    for (const client of place.clients) await client.waitForEnd();
    expect(place.clients.map((client) => client.received.wasReset)).toEqual([true, true, true, true]);
  });

  it("drain: who ends by itself is not cut; the rest is, when it is over", async () => {
    const place = await start(6, threads);
    const { program, clients } = place;
    const running = await beginToEvict(place, "drain 2s");
    for (const client of clients.slice(0, 4)) client.close();
    await waitFor(async () => (await shown(place)).survivors === 2, "four sessions to end by themselves");
    await clients[5]!.roundTrip("still served");
    const receipt = receiptFrom(await running.answer);
    expect(receipt).toMatchObject({ matched: 6, endedThemselves: 4, cutAtDeadline: 2, cutPaced: 0, verified: true });
    expectSums(receipt);
    expect(receipt.lastCloseMs).toBeGreaterThanOrEqual(2000);
    expect(await program.sessions()).toEqual([]);
  });

  it("drain: over as soon as the last one has left", async () => {
    const place = await start(2, threads);
    const running = await beginToEvict(place, "drain 1h delete");
    for (const client of place.clients) client.close();
    expect(receiptFrom(await running.answer)).toMatchObject({ endedThemselves: 2, verified: true, deleted: true });
    expect(await place.program.runtime("evict server be/a")).toBe("No such server.\n\n");
  });

  it("idle: quiet sessions end at once, a busy one when it becomes quiet", async () => {
    const place = await start(5, threads);
    const [busy] = place.clients;
    let isBusy = true;
    const working = (async () => {
      while (isBusy) await busy!.roundTrip("work");
    })();
    const running = await beginToEvict(place, "idle 900ms");
    await waitFor(async () => (await shown(place)).survivors === 1, "the quiet ones to end");
    for (const client of place.clients.slice(1)) await client.waitForEnd();
    expect(busy!.received.ended).toBe(false);
    isBusy = false;
    await working;
    const before = busy!.received.bytes;
    const receipt = receiptFrom(await running.answer);
    expect(receipt).toMatchObject({ cutIdle: 5, cutAtDeadline: 0, bytesDiscarded: 0, verified: true });
    expect(busy!.received.bytes).toBe(before);
  });

  it("idle, deadline: a session with bytes on its way to a server that does not read is not quiet", async () => {
    const place = await start(2, threads, sink);
    // The kernel holds all of it; none is in a buffer of ours.
    place.clients[0]!.send(Buffer.alloc(8 << 20));
    await waitFor(
      () => socketsHeldTo(place.program.pid, place.upstream.address, place.upstream.port).some((s) => s.windowClosed),
      "the server's window to close",
    );
    const receipt = await evict(place, "idle 100ms deadline 1s");
    expect(receipt).toMatchObject({ cutIdle: 1, cutAtDeadline: 1, verified: true });
    expect(receipt.bytesDiscarded).toBeGreaterThan(0);
  });

  it.each(["random", "oldest", "idle"])("over, order %s: one after the other, all within the time", async (order) => {
    const place = await start(8, threads);
    const running = await beginToEvict(place, `over 2s order ${order}`);
    const left = new Set<number>();
    const ended: number[] = [];
    for (const [i, client] of place.clients.entries()) client.socket.once("end", () => ended.push(i));
    const watching = setInterval(() => left.add(8 - ended.length), 5);
    const receipt = receiptFrom(await running.answer);
    clearInterval(watching);
    expect(receipt).toMatchObject({ matched: 8, cutPaced: 8, cutAtDeadline: 0, verified: true });
    expectSums(receipt);
    expect(left.size).toBeGreaterThan(4);
    // The first client is the oldest, and was the first to become quiet.
    if (order !== "random") expect(ended[0]).toBe(0);
  });

  it("rate: so many a second", async () => {
    const place = await start(6, threads);
    const receipt = await evict(place, "rate 10");
    expect(receipt).toMatchObject({ cutPaced: 6, verified: true });
    expect(receipt.lastCloseMs).toBeGreaterThanOrEqual(590);
  });

  it("over and idle: at the pace, and only who is quiet", async () => {
    const place = await start(4, threads);
    const receipt = await evict(place, "over 500ms idle 50ms");
    expect(receipt).toMatchObject({ cutIdle: 4, cutPaced: 0, verified: true });
    expect(receipt.lastCloseMs).toBeGreaterThanOrEqual(490);
  });

  it("deadline: whoever is left then is cut", async () => {
    const place = await start(3, threads);
    const receipt = await evict(place, "rate 1 deadline 1500ms");
    expect(receipt).toMatchObject({ cutPaced: 1, cutAtDeadline: 2, verified: true });
  });
});

describe("evictions that are not left alone", () => {
  it("enable server ends it, and the rest stays", async () => {
    const place = await start(3);
    const running = await beginToEvict(place, "drain 1h");
    expect(await place.program.runtime("enable server be/a")).toBe("\n");
    const receipt = receiptFrom(await running.answer);
    expect(receipt).toMatchObject({
      outcome: "cancelled",
      reason: "the server left maintenance",
      survivors: 3,
      verified: false,
    });
    expectSums(receipt);
    for (const client of place.clients) await client.roundTrip("still here");
    const late = opened(await Client.open({ host: FRONTEND_ADDRESS, port: place.port }));
    await late.roundTrip("served again");
  });

  it("evict cancel stops it; the server stays in maintenance", async () => {
    const place = await start(3);
    const running = await beginToEvict(place, "drain 1h");
    const { id } = await shown(place);
    expect(await place.program.runtime(`evict cancel ${id}`)).toBe(
      `Eviction ${id} is cancelled, 3 sessions stay. be/a is still in maintenance (use 'enable server').\n\n`,
    );
    expect(receiptFrom(await running.answer)).toMatchObject({ outcome: "cancelled", survivors: 3 });
    for (const client of place.clients) await client.roundTrip("still here");
    expect(await place.program.runtime(`evict cancel ${id}`)).toBe(`Eviction ${id} is over.\n\n`);
    expect(await place.program.runtime("evict cancel 99")).toBe("No such eviction: 99 (use 'show evictions').\n\n");
  });

  it("a second one takes the place of the first: an operator has lost patience", async () => {
    const place = await start(3);
    const running = await beginToEvict(place, "drain 1h");
    expect(await evict(place, "")).toMatchObject({ id: 2, matched: 3, cutAtDeadline: 3, verified: true });
    expect(receiptFrom(await running.answer)).toMatchObject({
      outcome: "replaced",
      reason: "eviction 2 took its place",
      verified: false,
    });
  });

  it("the server dies meanwhile: its sessions have ended by themselves, and it is over", async () => {
    const place = await start(3);
    const running = await beginToEvict(place, "over 1h");
    for (const { socket } of place.upstream.connections) socket.resetAndDestroy();
    const receipt = receiptFrom(await running.answer);
    expect(receipt).toMatchObject({ matched: 3, endedThemselves: 3, cutPaced: 0, outcome: "done", verified: true });
    for (const client of place.clients) await client.waitForEnd();
  });

  it("goes on when nobody is left to hear of it", async () => {
    const place = await start(3);
    const conversation = await RuntimeConversation.open(place.program.socketPath);
    conversation.send("evict server be/a over 1s").catch(() => {});
    await waitFor(async () => (await place.program.runtime("show evictions")).includes("outcome=running"), "it to run");
    conversation.close();
    await waitFor(async () => (await shown(place)).outcome === "done", "the eviction to be done");
    expect(await shown(place)).toMatchObject({ cutPaced: 3, verified: true });
  });
});

describe("what the kernel says", () => {
  it("foreign connections are named, with pid and process; destroy-foreign ends them", async () => {
    const place = await start(2);
    const { address, port } = place.upstream;
    const script = `require("net").connect(${port},"${address}",function(){console.log(this.localPort);this.on("error",()=>process.exit(7))})`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
    opened({ close: () => void child.kill("SIGKILL") });
    const [local] = (await once(child.stdout!, "data")) as [Buffer];
    const receipt = await evict(place, "");
    const connection = { local: `127.0.0.1:${`${local}`.trim()}`, remote: `${address}:${port}`, pid: child.pid };
    expect(receipt.kernel).toMatchObject({ own: 0, ofOtherServers: 0 });
    expect(receipt.kernel!.foreign.filter(({ pid }) => pid === child.pid)).toMatchObject([connection]);
    expect(receipt.verified).toBe(false);
    expect(await place.program.runtime("show evictions 1")).toContain(`pid ${child.pid} (node)`);
    if (process.getuid!() !== 0) return;
    const exited = once(child, "exit");
    const second = await evict(place, "destroy-foreign");
    expect(second.kernel!.foreign).toMatchObject([{ ...connection, destroyed: "" }]);
    expect(second.verified).toBe(true);
    expect(await exited).toEqual([7, null]);
  });

  it("sessions of another server with the same address are told apart", async () => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const otherPort = await freePort();
    const config = `${simpleConfig({ port, threads: 2, servers: [`a ${upstream.endpoint}`] })}
listen twin
    bind ${FRONTEND_ADDRESS}:${otherPort}
    server b ${upstream.endpoint}
`;
    const program = opened(await Program.start({ config }));
    for (const to of [port, otherPort, otherPort]) {
      await opened(await Client.open({ host: FRONTEND_ADDRESS, port: to })).roundTrip("hello");
    }
    const receipt = receiptFrom(await program.runtime("evict server be/a json"));
    expect(receipt.kernel).toMatchObject({ own: 0, ofOtherServers: 2, foreign: [] });
    expect(receipt.verified).toBe(true);
  });

  it("haproxy-ingress-1534: a command that came through the server itself is noticed, and its receipt is kept", async () => {
    const { program, through, answer } = await statsThroughItself(opened);
    through.send("evict server be/a\n");
    await through.waitForEnd();
    expect(answer()).toMatch(
      /^This command came through session 0x[0-9a-f]+ of be\/a, which ends with the others: .*'show evictions'\.\n$/,
    );
    const [receipt] = JSON.parse(await program.runtime("show evictions json")) as EvictionReceipt[];
    expect(receipt).toMatchObject({ matched: 1, cutAtDeadline: 1, survivors: 0, outcome: "done" });
  });
});

describe("dry-run", () => {
  it("says who would be cut and what the others would have to take, and changes nothing", async () => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const servers = [
      `a ${upstream.endpoint} weight 10`,
      `b ${upstream.endpoint} weight 30`,
      `c ${upstream.endpoint} backup`,
    ];
    const program = opened(await Program.start({ config: simpleConfig({ port, threads: 2, servers }) }));
    for (const n of [40, 40, 40, 41]) {
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port, localAddress: loopbackAddress(n) }));
      await client.roundTrip("hello");
    }
    const onA = (await program.sessions()).filter((session) => session.srv === "a").length;
    const text = await program.runtime("evict server be/a dry-run json");
    const found = JSON.parse(text);
    expect(found).toMatchObject({ server: "be/a", dryRun: true, matched: onA });
    expect(found.clients.reduce((sum: number, { sessions }: { sessions: number }) => sum + sessions, 0)).toBe(onA);
    expect(found.oldest.id).toMatch(/^0x/);
    expect(found.busiest.bytes).toBe(10);
    expect(found.others).toEqual([{ server: "be/b", sessions: 4 - onA, after: 4 }]);
    expect(await program.runtime("evict server be/a dry-run")).toContain("nothing was changed");
    expect(await program.sessions()).toHaveLength(4);
    expect(statRow(await program.stat(), "be", "a").status).toBe("no check");
    expect(await program.runtime("show evictions")).toBe("\n");
  });
});
