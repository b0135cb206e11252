// patroni-2035: a real PostgreSQL cluster under Patroni behind Patroni's documented haproxy.cfg, with clients that write all the
// time. Whatever ends a primary's time, no session stays on it, no write is accepted by it after the cut, and clients are back
// when the balancer has seen what there is to see. HEADGATE_FAIL_OVERS: how often each kind is tried.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeAfterAll, closeAfterEach } from "../harness/closing.ts";
import { PatroniCluster, type PatroniNode, restStatus, whyNoPatroni } from "../harness/patroni.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";
import { Watch, type WatchedServer } from "./watch.ts";
import { CREATE_TABLE, IdleClient, Pgbench, Writer } from "./writers.ts";

const ROUNDS = Number(process.env.HEADGATE_FAIL_OVERS ?? 2);
/** What the documented configuration says. */
const INTER_MS = 3000;
const FALL = 3;
const RISE = 2;
/** Patroni's own time to notice and act is part of what is waited for here. */
const VERDICT_BOUND_MS = 60_000;
const WRITERS = 4;
const SECOND_MS = 1000;

const opened = closeAfterAll();
const openedForOne = closeAfterEach();
const whyNot = whyNoPatroni();

const nameOf = (node: PatroniNode): string => `postgresql_${node.address}_${node.port}`;
const endpointOf = (node: PatroniNode): string => `${node.address}:${node.port}`;
const watched = (node: PatroniNode): WatchedServer => ({ name: nameOf(node), address: node.address, port: node.port });

/** The documented file with the addresses of this run, as its reader would fill them in. */
function documented(cluster: PatroniCluster, port: number, statsPort: number): string {
  const [first, second] = cluster.nodes;
  const places = [
    ["*:7000", `${FRONTEND_ADDRESS}:${statsPort}`],
    ["*:5000", `${FRONTEND_ADDRESS}:${port}`],
    ["postgresql_127.0.0.1_5432 127.0.0.1:5432", `${nameOf(first)} ${endpointOf(first)}`],
    ["postgresql_127.0.0.1_5433 127.0.0.1:5433", `${nameOf(second)} ${endpointOf(second)}`],
    ["port 8008", `port ${first.restPort}`],
    ["port 8009", `port ${second.restPort}`],
  ] as const;
  const text = readFileSync(new URL("./patroni-haproxy.cfg", import.meta.url), "utf8");
  return places.reduce((config, [from, to]) => {
    expect(config.split(from)).toHaveLength(2);
    return config.replace(from, to);
  }, text);
}

/** What the nodes' REST APIs say, which is what the balancer's checks see: when one stopped leading and the other began. */
class Leadership {
  /** It leads when this begins. */
  oldUntil = Date.now();
  nextSince = 0;
  #stopped = false;
  readonly #done: Promise<unknown>;

  constructor(old: PatroniNode, next: PatroniNode) {
    const poll = async (node: PatroniNode, seen: (leads: boolean) => void) => {
      while (!this.#stopped) {
        seen((await restStatus(node, "/")) === 200);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    this.#done = Promise.all([
      poll(old, (leads) => {
        if (leads) this.oldUntil = Date.now();
      }),
      poll(next, (leads) => {
        if (leads && this.nextSince === 0) this.nextSince = Date.now();
      }),
    ]);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

describe.skipIf(whyNot !== "")(`patroni-2035: fail-overs behind Patroni's documented configuration${whyNot}`, () => {
  let cluster: PatroniCluster;
  let program: Program;
  let pgbench: Pgbench;
  const writers: Writer[] = [];
  const idle: IdleClient[] = [];

  beforeAll(async () => {
    cluster = opened(await PatroniCluster.start());
    await cluster.query((await cluster.leader())!, CREATE_TABLE);
    const target = { host: FRONTEND_ADDRESS, port: await freePort() };
    const config = documented(cluster, target.port, await freePort());
    program = opened(await Program.start({ config }));
    for (let id = 0; id < WRITERS; id++) {
      writers.push(opened(new Writer(id, target)));
      idle.push(opened(new IdleClient(target)));
    }
    pgbench = opened(new Pgbench(cluster.daemons, target));
  });

  afterAll(() => {
    expect(program.running, program.stderr).toBe(true);
  });

  /** Waits until `node` and nobody else is used, by all clients. */
  async function settledOn(node: PatroniNode): Promise<void> {
    await waitFor(
      async () => {
        const rows = await program.stat();
        const status = (one: PatroniNode) => statRow(rows, "batman", nameOf(one)).status;
        return status(node) === "UP" && status(cluster.other(node)) === "DOWN";
      },
      () => `only ${node.name} to be up`,
      VERDICT_BOUND_MS,
    );
    await allOn(node);
  }

  /** Waits until every client has a session with `node`; resolves with the moment of the last writer's first write there. */
  async function allOn(node: PatroniNode, since = 0): Promise<number> {
    const there = endpointOf(node);
    const first = (writer: Writer) => writer.journal.find(({ server, at }) => server === there && at > since)?.at;
    return waitFor(
      () => {
        const firsts = writers.map(first);
        if (idle.some(({ server }) => server !== there)) return undefined;
        return firsts.some((at) => at === undefined) ? undefined : Math.max(...(firsts as number[]));
      },
      () => `all clients on ${there}: ${idle.map(({ server }) => server)}, ${writers.map(first)}`,
      VERDICT_BOUND_MS,
    );
  }

  /** Rows that `node` wrote itself, as far as the node that is asked knows. */
  async function rowsWrittenBy(node: PatroniNode, askedAt: PatroniNode): Promise<number> {
    const sql = `select count(*) from writes where server = '${endpointOf(node)}'`;
    return Number((await cluster.query(askedAt, sql))[0]![0]);
  }

  /** A fail-over and everything that must hold of it. `afterCut` runs while the old node is still as the fail-over left it. */
  async function failOver(
    provoke: (old: PatroniNode) => Promise<void>,
    annotate: (text: string) => unknown,
    afterCut: (old: PatroniNode, whenBack: () => Promise<unknown>) => Promise<void> = async (_, whenBack) => {
      await whenBack();
    },
  ): Promise<void> {
    const old = (await cluster.leader())!;
    const next = cluster.other(old);
    await settledOn(old);
    const watch = openedForOne(new Watch(program, "batman", watched(old), watched(next)));
    const leadership = openedForOne(new Leadership(old, next));
    const refusedBefore = writers.reduce((sum, { refused }) => sum + refused, 0);
    const begin = Date.now();
    await provoke(old);

    const down = await watch.down(VERDICT_BOUND_MS);
    let backAt = 0;
    await afterCut(old, async () => {
      backAt = await allOn(next, begin);
    });
    const up = await watch.up(VERDICT_BOUND_MS);
    await Promise.all([watch.close(), leadership.close()]);

    // No session is left on it: at the answer that says DOWN, and at every look since.
    expect(watch.leftAfter(down)).toEqual([]);
    // No write was acknowledged by it after the cut.
    const late = writers.flatMap(({ journal }) =>
      journal.filter(({ server, at }) => server === endpointOf(old) && at > down.at + 1),
    );
    expect(late).toEqual([]);
    // The balancer saw it in time, and clients were back a second after what it saw; a machine that is slow is given its time.
    const slackMs = SECOND_MS + 2 * watch.stallMs;
    const downMs = down.at - leadership.oldUntil;
    const upMs = up.at - leadership.nextSince;
    const backMs = backAt - Math.max(down.at, up.at);
    const refused = writers.reduce((sum, writer) => sum + writer.refused, 0) - refusedBefore;
    const lastOld = Math.max(
      ...writers.map(({ journal }) => journal.findLast(({ server }) => server === endpointOf(old))?.at ?? 0),
    );
    annotate(
      `down ${downMs} ms after it stopped leading, next up ${upMs} ms after it began, all clients back ${Math.round(backMs)} ms after both; ` +
        `no write for ${Math.round(backAt - lastOld)} ms at most, ${refused} refused; stalls ${Math.round(watch.stallMs)} ms`,
    );
    expect(downMs).toBeLessThan(FALL * INTER_MS + slackMs);
    expect(upMs).toBeLessThan(RISE * INTER_MS + slackMs);
    expect(backMs).toBeLessThan(slackMs);
  }

  /** Brings the node back that a fail-over left without its Patroni, whatever came of it. */
  async function rejoin(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } finally {
      for (const node of cluster.nodes) if (!cluster.hasAgent(node)) cluster.startAgent(node);
    }
    await cluster.waitForReplica(cluster.other((await cluster.leader())!));
  }

  const rounds = Array.from({ length: ROUNDS }, (_, i) => i + 1);

  it.for(rounds)("patronictl switchover (%i)", async (_, { annotate }) => {
    await rejoin(failOver((leader) => cluster.switchover(leader), annotate));
  });

  it.for(rounds)("kill -9 of the primary's PostgreSQL and Patroni (%i)", async (_, { annotate }) => {
    await rejoin(failOver((leader) => cluster.kill(leader), annotate));
  });

  it("kill -9 of Patroni alone: PostgreSQL would go on as a primary, and gets no more writes", async ({ annotate }) => {
    const afterCut = async (node: PatroniNode, whenBack: () => Promise<unknown>) => {
      expect(await cluster.query(node, "select pg_is_in_recovery()")).toEqual([["f"]]);
      // A statement that had arrived may still be at work: the server's sessions end when it is done.
      const sessions = "select count(*) from pg_stat_activity where application_name in ('headgate-test', 'pgbench')";
      const others = `${sessions} and pid <> pg_backend_pid()`;
      await waitFor(
        async () => (await cluster.query(node, others))[0]![0] === "0",
        "the old primary's sessions to end",
      );
      const before = await rowsWrittenBy(node, node);
      expect(before).toBeGreaterThan(0);
      await whenBack();
      expect(await cluster.query(node, "select pg_is_in_recovery()")).toEqual([["f"]]);
      expect(await rowsWrittenBy(node, node)).toBe(before);
    };
    await rejoin(failOver((leader) => cluster.killAgent(leader), annotate, afterCut));
  });

  it("pgbench has written through it all the time", async () => {
    await settledOn((await cluster.leader())!);
    const leader = (await cluster.leader())!;
    const count = async () =>
      Number((await cluster.query(leader, "select count(*) from writes where writer = -1"))[0]![0]);
    const before = await count();
    await waitFor(async () => (await count()) > before, "pgbench to write");
    expect(pgbench.starts).toBeGreaterThan(2 * ROUNDS);
  });
});
