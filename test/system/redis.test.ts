// Two Redis servers behind tcp-check rules that ask for the role, as Redis is balanced without Sentinel-aware clients. Redis keeps
// its clients when it becomes a replica, and refuses their writes from then on: only the balancer can move them.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeAfterAll } from "../harness/closing.ts";
import { Daemons } from "../harness/daemons.ts";
import { findCommand, whyMissing } from "../harness/packages.ts";
import { freePort, loopbackAddress } from "../harness/ports.ts";
import type { Program } from "../harness/program.ts";
import { waitFor } from "../harness/wait-for.ts";
import { allWriteAt, type CheckedServer, failOver, serverLine, startBefore } from "./fail-over.ts";
import { RedisConnection, RedisWriter } from "./redis-clients.ts";
import type { WatchedServer } from "./watch.ts";

const whyNot = whyMissing({ "redis-server": findCommand("redis-server") });
const INTER_MS = 500;
/** A replica answers, but never what is expected: such a check lasts as long as it may. */
const CHECK_TIMEOUT_MS = 1000;
const FALL = 2;
const RISE = 2;
const opened = closeAfterAll();

interface Redis extends CheckedServer {
  readonly folder: string;
}

describe.skipIf(whyNot !== "")(`fail-overs of Redis, found by role${whyNot}`, () => {
  let daemons: Daemons;
  let program: Program;
  let first: Redis;
  let second: Redis;
  const writers: RedisWriter[] = [];

  function start({ folder, address, checkAddress, port }: Redis): void {
    const words = [
      "--bind",
      address,
      checkAddress,
      "--port",
      String(port),
      "--save",
      "",
      "--appendonly",
      "no",
      "--dir",
      folder,
      // A replica connects from another address than it is reached at.
      "--replica-announce-ip",
      address,
    ];
    daemons.start(folder, "redis-server", [...words, "--protected-mode", "no", "--repl-diskless-sync-delay", "0"]);
  }

  async function makeServer(name: string, address: string, checkAddress: string): Promise<Redis> {
    const server = { name, address, checkAddress, port: await freePort(address), folder: daemons.folder(name) };
    start(server);
    await answers(server);
    return server;
  }

  async function answers(server: Redis): Promise<void> {
    await waitFor(
      async () => (await order(server, "PING")) === "+PONG",
      () => `${server.name}: ${daemons.log(server.folder)}`,
    );
  }

  /** Redis's own watchman, alone: it needs nobody's consent. Resolves when it knows the master and its replica. */
  async function startSentinel(master: Redis): Promise<void> {
    const [name, address] = ["sentinel", loopbackAddress(17)];
    const sentinel = { name, address, port: await freePort(address), folder: daemons.folder(name) };
    const config = daemons.write(
      sentinel.folder,
      "sentinel.conf",
      `bind ${address}
port ${sentinel.port}
protected-mode no
dir ${sentinel.folder}
sentinel monitor data ${master.address} ${master.port} 1
sentinel down-after-milliseconds data 500
sentinel failover-timeout data 5000
`,
    );
    daemons.start(sentinel.folder, "redis-server", [config, "--sentinel"]);
    await waitFor(
      async () => /status=ok.*slaves=1/.test(await order(sentinel, "INFO", "sentinel")),
      () => `the sentinel to know both: ${daemons.log(sentinel.folder)}`,
    );
  }

  /** One command at a server itself; "" if it is not there. */
  async function order(server: WatchedServer, ...words: string[]): Promise<string> {
    try {
      const connection = await RedisConnection.open({ host: server.address, port: server.port });
      return await connection.command(...words).finally(() => connection.close());
    } catch {
      return "";
    }
  }

  const leads = async (server: WatchedServer): Promise<boolean> =>
    (await order(server, "INFO", "replication")).includes("role:master");

  /** What Sentinel does: the new master first, then its replica. */
  async function promote(next: Redis, old: Redis): Promise<void> {
    expect(await order(next, "REPLICAOF", "NO", "ONE")).toBe("+OK");
    await order(old, "REPLICAOF", next.address, String(next.port));
  }

  async function follows(replica: Redis): Promise<void> {
    await waitFor(
      async () => (await order(replica, "INFO", "replication")).includes("master_link_status:up"),
      () => `${replica.name} to follow: ${daemons.log(replica.folder)}`,
    );
  }

  const plan = (old: Redis, next: Redis, provoke: () => Promise<unknown>) => ({
    ...{ program, proxy: "redis", old, next, writers, leads, provoke },
    downMs: FALL * (INTER_MS + CHECK_TIMEOUT_MS),
    upMs: RISE * INTER_MS,
  });

  beforeAll(async () => {
    daemons = opened(new Daemons());
    first = await makeServer("r1", loopbackAddress(13), loopbackAddress(23));
    second = await makeServer("r2", loopbackAddress(14), loopbackAddress(24));
    await order(second, "REPLICAOF", first.address, String(first.port));
    await follows(second);
    const started = await startBefore("redis", CHECK_TIMEOUT_MS, [
      "option tcp-check",
      "tcp-check send PING\\r\\n",
      "tcp-check expect string +PONG",
      "tcp-check send info\\ replication\\r\\n",
      "tcp-check expect string role:master",
      "tcp-check send QUIT\\r\\n",
      "tcp-check expect string +OK",
      `default-server inter ${INTER_MS}ms fall ${FALL} rise ${RISE} on-marked-down shutdown-sessions`,
      serverLine(first),
      serverLine(second),
    ]);
    program = opened(started.program);
    for (let id = 0; id < 8; id++) writers.push(opened(new RedisWriter(id, started.target)));
  });

  // Where the setup failed there is none, and that failure is the one to be shown.
  afterAll(() => {
    expect(program?.running, program?.stderr).not.toBe(false);
  });

  it("REPLICAOF: the clients of a master that became a replica are moved", async ({ annotate }) => {
    await allWriteAt(first, writers, Date.now());
    await annotate(await failOver(plan(first, second, () => promote(second, first))));
    expect(writers.reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(0);
    await follows(first);
  });

  it("kill -9 of the master", async ({ annotate }) => {
    await allWriteAt(second, writers, Date.now());
    const kill = async () => {
      await daemons.kill(second.folder);
      await promote(first, second);
    };
    await annotate(await failOver(plan(second, first, kill)));
  });

  it("kill -9 of the master, and the real Sentinel makes its replica the next one", async ({ annotate }) => {
    start(second);
    await answers(second);
    await order(second, "REPLICAOF", first.address, String(first.port));
    await follows(second);
    await startSentinel(first);
    await allWriteAt(first, writers, Date.now());
    await annotate(await failOver(plan(first, second, () => daemons.kill(first.folder))));
  });
});
