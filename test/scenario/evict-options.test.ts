// The options of `evict server` alone and in pairs, each on a server of its own and all at the same time, and in every state of a session.
// What is asserted holds however slow the machine is.

import { describe, expect, it } from "vitest";
import type { EvictionReceipt } from "../../src/operations/eviction-receipt.ts";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { type Behaviour, echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { CUT_STATES } from "./cut-states.ts";

const opened = closeAfterEach();

const DRAIN_MS = 200;
const OPTIONS = [
  `drain ${DRAIN_MS}ms`,
  "idle 100ms",
  "over 300ms",
  "rate 20",
  "order oldest",
  "deadline 600ms",
  "client rst",
  "delete",
  "destroy-foreign",
] as const;

/** Nothing, each alone, and each pair; `over` and `rate` say the same thing. */
const COMBINATIONS = [
  "",
  ...OPTIONS,
  ...OPTIONS.flatMap((first, at) => OPTIONS.slice(at + 1).map((second) => `${first} ${second}`)),
].filter((words) => !(words.includes("over") && words.includes("rate")));

interface Stage {
  readonly words: string;
  readonly name: string;
  readonly port: number;
  readonly upstream: Upstream;
  /** A quiet one that has spoken, one that never sends a byte, a half-closed one, one that trickles, one that leaves by itself. */
  readonly clients: Client[];
}

/** Echoes, and leaves its own side open when the client has ended. */
const echoOn: Behaviour = ({ socket }) => {
  socket.on("data", (chunk) => socket.write(chunk));
};

const LONG = ["connect", "client", "server", "queue"].map((name) => `    timeout ${name} 1h`);

function configOf(
  threads: number,
  stages: readonly { name: string; port: number; lines: readonly string[] }[],
): string {
  const listens = stages.flatMap(({ name, port, lines }) => [
    `listen ${name}`,
    `    bind ${FRONTEND_ADDRESS}:${port}`,
    ...lines.map((line) => `    ${line}`),
  ]);
  return ["global", `    nbthread ${threads}`, "defaults", "    mode tcp", ...LONG, ...listens, ""].join("\n");
}

async function evict(program: Program, server: string, words: string, atAnswer = (): void => {}) {
  const text = await program.runtime(`evict server ${server} ${words} json`, { atAnswer });
  return JSON.parse(text) as EvictionReceipt;
}

const cutBy = ({ cutIdle, cutPaced, cutAtDeadline }: EvictionReceipt): number => cutIdle + cutPaced + cutAtDeadline;

/** What every receipt has to say, and what it may not say with these options. */
function expectRules(words: string, receipt: EvictionReceipt): void {
  const { matched, requeued, endedThemselves, survivors, byState } = receipt;
  const has = (word: string): boolean => words.split(" ").includes(word);
  const isPaced = has("over") || has("rate");
  expect(receipt, words).toMatchObject({ outcome: "done", survivors: 0, deleted: has("delete") ? true : null });
  expect(requeued + endedThemselves + cutBy(receipt) + survivors, words).toBe(matched);
  expect(
    Object.values(byState).reduce((sum, count) => sum + count, 0),
    words,
  ).toBe(matched);
  if (!has("idle")) expect(receipt.cutIdle, words).toBe(0);
  if (!isPaced || has("idle")) expect(receipt.cutPaced, words).toBe(0);
  if ((isPaced || has("idle")) && !has("deadline")) expect(receipt.cutAtDeadline, words).toBe(0);
  if (has("drain") && cutBy(receipt) > 0) expect(receipt.lastCloseMs, words).toBeGreaterThanOrEqual(DRAIN_MS - 1);
}

describe.each([1, 2])("evict server with each option and each pair of them, %i thread(s)", (threads) => {
  it(`${COMBINATIONS.length} servers of one program at the same time, with an operator each`, async () => {
    const stages: Stage[] = [];
    for (const [index, words] of COMBINATIONS.entries()) {
      const upstream = opened(await Upstream.start(echoOn));
      stages.push({ words, name: `p${index}`, port: await freePort(), upstream, clients: [] });
    }
    const config = configOf(
      threads,
      stages.map(({ name, port, upstream }) => ({ name, port, lines: [`server a ${upstream.endpoint}`] })),
    );
    const program = opened(await Program.start({ config }));
    await Promise.all(
      stages.map(async ({ port, clients, upstream }) => {
        for (let i = 0; i < 5; i++) clients.push(opened(await Client.open({ host: FRONTEND_ADDRESS, port })));
        for (const client of [clients[0]!, clients[2]!, clients[3]!, clients[4]!]) await client.roundTrip("hello");
        clients[2]!.halfClose();
        await upstream.waitForConnections(5);
      }),
    );
    await waitFor(async () => {
      const shown = await program.runtime("show sess state half-closed");
      return shown.match(/^0x/gm)?.length === stages.length;
    }, "the half-closed ones to be that");
    const tricklers = stages.map(({ clients }) => clients[3]!);
    const trickling = setInterval(() => {
      for (const client of tricklers) if (!client.socket.destroyed) client.send("t");
    }, 20);
    const ending = stages.map(async ({ words, name, upstream }) => {
      let held = -1;
      const receipt = await evict(program, `${name}/a`, words, () => {
        held = socketsHeldTo(program.pid, upstream.address, upstream.port).length;
      });
      return { words, receipt, held };
    });
    await waitFor(async () => {
      const receipts = JSON.parse(await program.runtime("show evictions json")) as EvictionReceipt[];
      return receipts.length === stages.length && receipts.every(({ matched }) => matched > 0);
    }, "all evictions to have begun");
    for (const { clients } of stages) clients[4]!.reset();
    // Sessions that are let go when they are idle only are waited for: the quiet ones first, then those that fall silent.
    await waitFor(() => stages.every(({ clients }) => clients[0]!.received.ended), "the quiet ones to end");
    clearInterval(trickling);
    for (const { words, receipt, held } of await Promise.all(ending)) {
      expectRules(words, receipt);
      expect(receipt, words).toMatchObject({ matched: 5, verified: true, kernel: { own: 0, foreign: [] } });
      expect(held, words).toBe(0);
    }
    for (const { words, clients } of stages) {
      for (const client of clients) await client.waitForEnd();
      // envoy-44419: who never sent a byte goes like the others, and is told in the same way.
      for (const quiet of clients.slice(0, 2))
        expect(quiet.received.wasReset, words).toBe(words.includes("client rst"));
    }
    expect(await program.sessions()).toEqual([]);
    const stat = await program.stat();
    for (const { words, name } of stages) {
      const rows = stat.filter(({ pxname, svname }) => pxname === name && svname === "a");
      expect(
        rows.map(({ status }) => status),
        words,
      ).toEqual(words.includes("delete") ? [] : ["MAINT"]);
    }
  });
});

describe("evict server in every state of a session, with each option that says when", () => {
  const WHEN = [OPTIONS[0], "idle 50ms deadline 400ms", "over 200ms", "rate 20", "deadline 100ms", "client rst"];

  it.each(CUT_STATES.map((state, index) => ({ ...state, threads: 1 + (index % 2) })))(
    "$name, $threads thread(s)",
    async (state) => {
      const stages = [];
      for (const [index, words] of WHEN.entries()) {
        const victim = await state.startVictim();
        if (victim.close) opened({ close: () => victim.close!() });
        const lines = [...(state.backend ?? []), `server a ${victim.endpoint} ${state.serverWords ?? ""}`];
        stages.push({ words, name: `p${index}`, port: await freePort(), victim, lines });
      }
      const program = opened(await Program.start({ config: configOf(state.threads, stages) }));
      const clients: Client[] = [];
      for (const { name: backend, port, victim } of stages) {
        const entered = await state.enter({ program, port, backend, count: 2, victim });
        clients.push(...entered.map(opened));
      }
      const ending = stages.map(async ({ words, name, victim }) => {
        let held = -1;
        const receipt = await evict(program, `${name}/a`, words, () => {
          held = socketsHeldTo(program.pid, victim.address, victim.port).length;
        });
        return { words, receipt, held };
      });
      for (const { words, receipt, held } of await Promise.all(ending)) {
        expectRules(words, receipt);
        expect(receipt, words).toMatchObject({ matched: 2, kernel: { own: 0, orphans: 0 } });
        expect(held, words).toBe(0);
      }
      expect(await program.sessions()).toEqual([]);
      if (state.clientReadsLater) for (const client of clients) client.resume();
      for (const client of clients) await client.waitForEnd();
    },
  );

  it("queued, 2 thread(s): they go to the other server, and are no cut", async () => {
    const stages = [];
    for (const [index, words] of ["", ...WHEN].entries()) {
      const upstreams = [opened(await Upstream.start(echo)), opened(await Upstream.start(echo))];
      const servers = upstreams.map(({ endpoint }, i) => `server s${i} ${endpoint} maxconn 2`);
      const lines = ["balance source", ...servers];
      stages.push({ words, name: `p${index}`, port: await freePort(), upstreams, lines });
    }
    const program = opened(await Program.start({ config: configOf(2, stages) }));
    const ending = stages.map(async ({ words, name, port, upstreams }) => {
      const clients: Client[] = [];
      for (let i = 0; i < 4; i++) clients.push(opened(await Client.open({ host: FRONTEND_ADDRESS, port })));
      // All of one address go to the same server.
      let full = -1;
      await waitFor(async () => {
        const stat = await program.stat();
        full = ["s0", "s1"].findIndex((server) => statRow(stat, name, server).qcur === "2");
        return full >= 0;
      }, "two sessions to wait");
      const receipt = await evict(program, `${name}/s${full}`, words);
      expectRules(words, receipt);
      expect(receipt, words).toMatchObject({ matched: 4, requeued: 2, verified: true, byState: { queued: 2 } });
      await upstreams[1 - full]!.waitForConnections(2);
      await waitFor(() => clients.filter((client) => client.received.ended).length === 2, "two to be cut");
      for (const client of clients) if (!client.received.ended) await client.roundTrip("from the other server");
    });
    await Promise.all(ending);
  });
});

describe("operators who do not know of each other", () => {
  it("ten evict the same server at once: one eviction is done, each of the others was replaced", async () => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const config = configOf(2, [{ name: "be", port, lines: [`server a ${upstream.endpoint}`] }]);
    const program = opened(await Program.start({ config }));
    const clients: Client[] = [];
    for (let i = 0; i < 6; i++) clients.push(opened(await Client.open({ host: FRONTEND_ADDRESS, port })));
    await upstream.waitForConnections(6);
    const words = (i: number): string => ["over 500ms", "drain 1s", "idle 50ms", "rate 10", "deadline 300ms"][i % 5]!;
    const receipts = await Promise.all(Array.from({ length: 10 }, (_, i) => evict(program, "be/a", words(i))));
    const last = receipts.reduce((a, b) => (a.id > b.id ? a : b));
    expect(last).toMatchObject({ outcome: "done", survivors: 0, verified: true });
    for (const receipt of receipts) {
      expect(receipt.endedThemselves + cutBy(receipt) + receipt.survivors).toBe(receipt.matched);
      // One that had nothing left to do was done before the next one came.
      if (receipt.outcome !== "done") expect(receipt.outcome).toBe("replaced");
    }
    expect(receipts.reduce((sum, receipt) => sum + cutBy(receipt), 0)).toBe(6);
    expect(statRow(await program.stat(), "be", "a")).toMatchObject({ status: "MAINT", scur: "0", cut_eviction: "6" });
    for (const client of clients) await client.waitForEnd();
  });

  it("one evicts, another one enables, cancels and evicts again: what they do is done in some order, and the last word holds", async () => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const config = configOf(2, [{ name: "be", port, lines: [`server a ${upstream.endpoint}`] }]);
    const program = opened(await Program.start({ config }));
    for (let round = 0; round < 5; round++) {
      const before = upstream.connections.length;
      const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
      await upstream.waitForConnections(before + 1);
      const id = 2 * round + 1;
      const [first] = await Promise.all([
        evict(program, "be/a", "over 1h"),
        waitFor(async () => (await program.runtime(`show evictions ${id}`)).includes("running"), "it to run").then(() =>
          Promise.all([program.runtime("enable server be/a"), program.runtime(`evict cancel ${id}`)]),
        ),
      ]);
      expect(first).toMatchObject({ id, outcome: "cancelled" });
      await client.roundTrip("still here");
      expect(await evict(program, "be/a", "")).toMatchObject({ id: id + 1, matched: 1, cutAtDeadline: 1 });
      await client.waitForEnd();
      await program.runtime("enable server be/a");
    }
  });
});
