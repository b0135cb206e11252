// Two MariaDB servers, the second one a backup, behind `option mysql-check`: one is killed, one hangs with all its connections open.

import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { closeAfterAll } from "../harness/closing.ts";
import { Daemons } from "../harness/daemons.ts";
import { findCommand, whyMissing } from "../harness/packages.ts";
import { freePort, loopbackAddress } from "../harness/ports.ts";
import type { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";
import { allWriteAt, type CheckedServer, failOver, serverLine, startBefore } from "./fail-over.ts";
import { MariadbWriter } from "./mariadb-writer.ts";
import type { WatchedServer } from "./watch.ts";

const whyNot = whyMissing({ "mariadb-server": findCommand("mariadbd"), "mariadb-client": findCommand("mariadb") });
const INTER_MS = 500;
const FALL = 2;
const CHECK_TIMEOUT_MS = 1000;
const START_BOUND_MS = 60_000;
const opened = closeAfterAll();

/** One statement a line: so it is read. */
const SETUP = `create user 'app'@'%';
create user 'haproxy'@'%';
grant all on *.* to 'app'@'%';
create database if not exists test;
create table test.writes (writer int, seq int) engine=memory;
`;

interface Mariadb extends CheckedServer {
  readonly folder: string;
}

/** Whether a server greets, as it does when it is alive. */
function speaks({ address, port }: WatchedServer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: CHECK_TIMEOUT_MS });
    const say = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", () => say(true));
    socket.once("timeout", () => say(false)).once("end", () => say(false));
    socket.once("error", () => say(false));
  });
}

describe.skipIf(whyNot !== "")(`fail-overs of MariaDB under mysql-check${whyNot}`, () => {
  let daemons: Daemons;
  let program: Program;
  let first: Mariadb;
  let second: Mariadb;
  const writers: MariadbWriter[] = [];

  function start({ folder, address, checkAddress, port }: Mariadb): { readonly pid?: number | undefined } {
    const where = [`--bind-address=${address},${checkAddress}`, `--port=${port}`, `--socket=${folder}/socket`];
    const small = [
      "--innodb-buffer-pool-size=8M",
      "--skip-log-bin",
      "--skip-name-resolve",
      "--max-connect-errors=999999",
    ];
    const files = [`--datadir=${folder}/data`, `--pid-file=${folder}/pid`, `--init-file=${folder}/init.sql`];
    return daemons.start(folder, "mariadbd", ["--no-defaults", ...where, ...small, ...files]);
  }

  async function makeServer(name: string, address: string, checkAddress: string): Promise<Mariadb> {
    const server = { name, address, checkAddress, port: await freePort(address), folder: daemons.folder(name) };
    const words = ["--no-defaults", `--datadir=${server.folder}/data`, "--skip-test-db", "--skip-name-resolve"];
    const { code, output } = await daemons.run(server.folder, "mariadb-install-db", words);
    expect(code, output).toBe(0);
    daemons.write(server.folder, "init.sql", SETUP);
    start(server);
    await greets(server);
    // A server that starts again has its accounts; the table is one in memory.
    daemons.write(server.folder, "init.sql", "delete from test.writes;\n");
    return server;
  }

  async function greets(server: Mariadb): Promise<void> {
    await waitFor(
      () => speaks(server),
      () => `${server.name}: ${daemons.log(server.folder)}`,
      START_BOUND_MS,
    );
  }

  const plan = (old: Mariadb, next: Mariadb, provoke: () => Promise<unknown>) => ({
    ...{ program, proxy: "mariadb", old, next, writers, leads: speaks, provoke },
    downMs: FALL * (INTER_MS + CHECK_TIMEOUT_MS),
    upMs: CHECK_TIMEOUT_MS,
  });

  beforeAll(async () => {
    daemons = opened(new Daemons());
    [first, second] = await Promise.all([
      makeServer("m1", loopbackAddress(15), loopbackAddress(25)),
      makeServer("m2", loopbackAddress(16), loopbackAddress(26)),
    ]);
    const started = await startBefore("mariadb", CHECK_TIMEOUT_MS, [
      "option mysql-check user haproxy",
      `default-server inter ${INTER_MS}ms fall ${FALL} rise 2 on-marked-down shutdown-sessions`,
      serverLine(first),
      serverLine(second, "backup"),
    ]);
    program = opened(started.program);
    for (let id = 0; id < 4; id++) writers.push(opened(new MariadbWriter(id, started.target)));
  });

  // Where the setup failed there is none, and that failure is the one to be shown.
  afterAll(() => {
    expect(program?.running, program?.stderr).not.toBe(false);
  });

  it("kill -9: its clients go to the backup", async ({ annotate }) => {
    await allWriteAt(first, writers, Date.now());
    await annotate(await failOver(plan(first, second, () => daemons.kill(first.folder))));
    start(first);
    await greets(first);
  });

  it("a server that hangs loses its clients, though all its connections are open", async ({ annotate }) => {
    await waitFor(
      async () => statRow(await program.stat(), "mariadb", "m1").status === "UP",
      "the first server to be up again",
    );
    await allWriteAt(second, writers, Date.now());
    const stop = () => daemons.signal(second.folder, "SIGSTOP");
    await annotate(await failOver(plan(second, first, stop)));
    expect(statRow(await program.stat(), "mariadb", "m2").check_status).toMatch(/L7TOUT/);
  });
});
