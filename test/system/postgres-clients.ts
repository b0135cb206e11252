// Clients of PostgreSQL behind the balancer: some write all the time, some are connected and silent, and pgbench inserts.

import type { ChildProcess } from "node:child_process";
import type { Daemons } from "../harness/daemons.ts";
import { PostgresClient } from "../harness/postgres-client.ts";
import { PAUSE_MS, pause, Reconnecting, ReconnectingWriter, type Target, type Write } from "./reconnecting.ts";

const RESTART_MS = 50;
const SERVER = "host(inet_server_addr()) || ':' || inet_server_port()";

export const CREATE_TABLE = `create table writes (writer int, seq int,
  server text default ${SERVER}, at timestamptz default clock_timestamp())`;

/** Inserts one row after the other. */
export class PostgresWriter extends ReconnectingWriter<PostgresClient> {
  readonly #target: Target;

  constructor(id: number, target: Target) {
    super(id);
    this.#target = target;
  }

  protected connect(): Promise<PostgresClient> {
    return PostgresClient.connect(this.#target);
  }

  protected async write(
    client: PostgresClient,
    writer: number,
    seq: number,
  ): Promise<Pick<Write, "server" | "at"> | undefined> {
    const values = `insert into writes (writer, seq) values (${writer}, ${seq})`;
    const { rows, error } = await client.query(`${values} returning server, extract(epoch from at) * 1000`);
    if (error !== undefined) return undefined;
    return { server: rows[0]![0]!, at: Number(rows[0]![1]) };
  }
}

/** Asks where it is and says nothing more. */
export class IdlePostgresClient extends Reconnecting<PostgresClient> {
  /** The server at the other end, "" while not connected. */
  server = "";
  readonly #target: Target;

  constructor(target: Target) {
    super();
    this.#target = target;
  }

  protected connect(): Promise<PostgresClient> {
    return PostgresClient.connect(this.#target);
  }

  protected async work(client: PostgresClient): Promise<void> {
    const { rows } = await client.query(`select ${SERVER}`);
    this.server = rows[0]?.[0] ?? "";
    while (!client.ended && !this.stopped) await pause(PAUSE_MS);
    this.server = "";
  }
}

/** pgbench with an inserting script; it gives up when a connection breaks, and is started again. */
export class Pgbench {
  starts = 0;
  readonly #daemons: Daemons;
  readonly #folder: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #stopped = false;

  constructor(daemons: Daemons, target: Target) {
    this.#daemons = daemons;
    this.#folder = daemons.folder("pgbench");
    const sql = "insert into writes (writer, seq) values (-1, :client_id);\n";
    const script = daemons.write(this.#folder, "insert.sql", sql);
    const where = ["-h", target.host, "-p", String(target.port), "-U", "postgres"];
    this.#args = [...where, "-n", "-c", "4", "-R", "100", "-T", "3600", "-f", script, "postgres"];
    this.#start();
  }

  #start(): void {
    if (this.#stopped) return;
    this.starts++;
    this.#child = this.#daemons.start(this.#folder, "pgbench", this.#args);
    this.#child.once("exit", () => setTimeout(() => this.#start(), RESTART_MS));
  }

  close(): void {
    this.#stopped = true;
    this.#child?.kill("SIGKILL");
  }
}
