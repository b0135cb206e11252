// patroni-2035: a real PostgreSQL cluster under Patroni behind Patroni's documented haproxy.cfg, with clients that write all the
// time. Whatever ends a primary's time, no session stays on it, no write is accepted by it after the cut, and clients are back
// when the balancer has seen what there is to see. HEADGATE_FAIL_OVERS: how often each kind is tried.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeAfterAll } from "../harness/closing.ts";
import { PatroniCluster, type PatroniNode, restStatus, whyNoPatroni } from "../harness/patroni.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";
import { allWriteAt, endpointOf, failOver } from "./fail-over.ts";
import { CREATE_TABLE, IdlePostgresClient, Pgbench, PostgresWriter } from "./postgres-clients.ts";
import type { WatchedServer } from "./watch.ts";

const ROUNDS = Number(process.env.HEADGATE_FAIL_OVERS ?? 2);
/** What the documented configuration says. */
const INTER_MS = 3000;
const FALL = 3;
const RISE = 2;
/** Patroni's own time to notice and act is part of what is waited for here. */
const VERDICT_BOUND_MS = 60_000;
const WRITERS = 4;

const opened = closeAfterAll();
const whyNot = whyNoPatroni();

const nameOf = (node: PatroniNode): string => `postgresql_${node.address}_${node.port}`;

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

describe.skipIf(whyNot !== "")(`patroni-2035: fail-overs behind Patroni's documented configuration${whyNot}`, () => {
  let cluster: PatroniCluster;
  let program: Program;
  let pgbench: Pgbench;
  const writers: PostgresWriter[] = [];
  const idle: IdlePostgresClient[] = [];

  beforeAll(async () => {
    cluster = opened(await PatroniCluster.start());
    await cluster.query((await cluster.leader())!, CREATE_TABLE);
    const target = { host: FRONTEND_ADDRESS, port: await freePort() };
    const config = documented(cluster, target.port, await freePort());
    program = opened(await Program.start({ config }));
    for (let id = 0; id < WRITERS; id++) {
      writers.push(opened(new PostgresWriter(id, target)));
      idle.push(opened(new IdlePostgresClient(target)));
    }
    pgbench = opened(new Pgbench(cluster.daemons, target));
  });

  afterAll(() => {
    expect(program.running, program.stderr).toBe(true);
  });

  const watched = (node: PatroniNode): WatchedServer => ({
    name: nameOf(node),
    address: node.address,
    port: node.port,
  });
  const idleAt = (node: PatroniNode): boolean => idle.every(({ server }) => server === endpointOf(node));

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
    await allWriteAt(watched(node), writers, Date.now());
    await waitFor(() => idleAt(node), "the idle clients to be there", VERDICT_BOUND_MS);
  }

  /** Rows that `node` wrote itself, as far as the node that is asked knows. */
  async function rowsWrittenBy(node: PatroniNode, askedAt: PatroniNode): Promise<number> {
    const sql = `select count(*) from writes where server = '${endpointOf(node)}'`;
    return Number((await cluster.query(askedAt, sql))[0]![0]);
  }

  /** From the node that leads to the other one. */
  async function fromLeader(
    provoke: (old: PatroniNode) => Promise<void>,
    afterCut?: (old: PatroniNode, back: () => Promise<void>) => Promise<void>,
  ): Promise<string> {
    const old = (await cluster.leader())!;
    const next = cluster.other(old);
    await settledOn(old);
    const nodeOf = (server: WatchedServer) => (server.name === nameOf(old) ? old : next);
    return failOver({
      program,
      proxy: "batman",
      old: watched(old),
      next: watched(next),
      writers,
      leads: async (server) => (await restStatus(nodeOf(server), "/")) === 200,
      provoke: () => provoke(old),
      ...(afterCut ? { afterCut: (back) => afterCut(old, back) } : {}),
      othersBack: () => idleAt(next),
      downMs: FALL * INTER_MS,
      upMs: RISE * INTER_MS,
    });
  }

  /** Brings the node back that a fail-over left without its Patroni, whatever came of it. */
  async function rejoin(work: Promise<string>): Promise<string> {
    let measured: string;
    try {
      measured = await work;
    } finally {
      for (const node of cluster.nodes) if (!cluster.hasAgent(node)) cluster.startAgent(node);
    }
    await cluster.waitForReplica(cluster.other((await cluster.leader())!));
    return measured;
  }

  const rounds = Array.from({ length: ROUNDS }, (_, i) => i + 1);

  it.for(rounds)("patronictl switchover (%i)", async (_, { annotate }) => {
    await annotate(await rejoin(fromLeader((leader) => cluster.switchover(leader))));
  });

  it.for(rounds)("kill -9 of the primary's PostgreSQL and Patroni (%i)", async (_, { annotate }) => {
    await annotate(await rejoin(fromLeader((leader) => cluster.kill(leader))));
  });

  it("kill -9 of Patroni alone: PostgreSQL would go on as a primary, and gets no more writes", async ({ annotate }) => {
    const afterCut = async (node: PatroniNode, back: () => Promise<void>) => {
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
      await back();
      expect(await cluster.query(node, "select pg_is_in_recovery()")).toEqual([["f"]]);
      expect(await rowsWrittenBy(node, node)).toBe(before);
    };
    await annotate(await rejoin(fromLeader((leader) => cluster.killAgent(leader), afterCut)));
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
