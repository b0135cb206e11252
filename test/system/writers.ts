// Clients that write to PostgreSQL through the balancer all the time, as an application does that keeps its connection until it
// breaks, and that journal which server acknowledged which write; clients that are connected and silent; and pgbench.

import type { ChildProcess } from "node:child_process";
import type { Daemons } from "../harness/daemons.ts";
import { PostgresClient, type PostgresTarget } from "../harness/postgres-client.ts";

const PAUSE_MS = 20;
const RECONNECT_MS = 50;

export const CREATE_TABLE = `create table writes (writer int, seq int,
  server text default host(inet_server_addr()) || ':' || inet_server_port(), at timestamptz default clock_timestamp())`;

/** An acknowledged write. */
export interface Write {
  readonly writer: number;
  readonly seq: number;
  /** address:port of the server that did it. */
  readonly server: string;
  /** When the server did it: its clock, which is this machine's, in milliseconds since 1970. */
  readonly at: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Connects, works on the connection until it ends, and begins again; the base of the two kinds of client. */
abstract class Reconnecting {
  readonly #target: PostgresTarget;
  #client: PostgresClient | undefined;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(target: PostgresTarget) {
    this.#target = target;
    this.#done = this.#run();
  }

  protected abstract work(client: PostgresClient): Promise<void>;

  protected get stopped(): boolean {
    return this.#stopped;
  }

  async #run(): Promise<void> {
    await pause(0);
    while (!this.#stopped) {
      try {
        this.#client = await PostgresClient.connect(this.#target);
        if (!this.#stopped) await this.work(this.#client);
      } catch {
        // refused, or cut: the next one may be served
      }
      this.#client?.close();
      if (!this.#stopped) await pause(RECONNECT_MS);
    }
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#client?.close();
    await this.#done;
  }
}

/** One row after the other. A refused write ("read-only transaction") is tried again on the same connection. */
export class Writer extends Reconnecting {
  readonly journal: Write[] = [];
  /** Writes that a server answered with an error: it was reached, and was no primary. */
  refused = 0;
  readonly #id: number;
  #seq = 0;

  constructor(id: number, target: PostgresTarget) {
    super(target);
    this.#id = id;
  }

  protected async work(client: PostgresClient): Promise<void> {
    while (!this.stopped) {
      const seq = this.#seq++;
      const { rows, error } = await client.query(
        `insert into writes (writer, seq) values (${this.#id}, ${seq}) returning server, extract(epoch from at) * 1000`,
      );
      if (error === undefined)
        this.journal.push({ writer: this.#id, seq, server: rows[0]![0]!, at: Number(rows[0]![1]) });
      else this.refused++;
      await pause(PAUSE_MS);
    }
  }
}

/** Asks where it is and says nothing more. */
export class IdleClient extends Reconnecting {
  /** The server at the other end, "" while not connected. */
  server = "";

  protected async work(client: PostgresClient): Promise<void> {
    const { rows } = await client.query("select host(inet_server_addr()) || ':' || inet_server_port()");
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

  constructor(daemons: Daemons, target: PostgresTarget) {
    this.#daemons = daemons;
    this.#folder = daemons.folder("pgbench");
    const script = daemons.write(
      this.#folder,
      "insert.sql",
      "insert into writes (writer, seq) values (-1, :client_id);\n",
    );
    const where = ["-h", target.host, "-p", String(target.port), "-U", "postgres"];
    this.#args = [...where, "-n", "-c", "4", "-R", "100", "-T", "3600", "-f", script, "postgres"];
    this.#start();
  }

  #start(): void {
    if (this.#stopped) return;
    this.starts++;
    this.#child = this.#daemons.start(this.#folder, "pgbench", this.#args);
    this.#child.once("exit", () => setTimeout(() => this.#start(), RECONNECT_MS));
  }

  close(): void {
    this.#stopped = true;
    this.#child?.kill("SIGKILL");
  }
}
