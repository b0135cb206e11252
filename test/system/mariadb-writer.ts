// A client of MariaDB that writes all the time: MariaDB's own command line client, fed line by line.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { ReconnectingWriter, type Target, type Write } from "./reconnecting.ts";

/** One run of the client is one connection: it ends when the connection or a statement fails. */
class CommandLineClient {
  readonly #child: ChildProcess;
  #waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;
  #ended = false;

  constructor(target: Target) {
    const where = ["--no-defaults", "--skip-ssl", "-u", "app", "-h", target.host, "-P", String(target.port)];
    const args = [
      ...where,
      "--batch",
      "--unbuffered",
      "--skip-column-names",
      "--skip-reconnect",
      "--connect-timeout=5",
    ];
    this.#child = spawn("mariadb", args, { stdio: ["pipe", "pipe", "ignore"] });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      this.#waiting?.resolve(line);
      this.#waiting = undefined;
    });
    this.#child.stdin!.on("error", () => {});
    const over = () => {
      this.#ended = true;
      this.#waiting?.reject(new Error("the connection ended"));
      this.#waiting = undefined;
    };
    this.#child.once("close", over).once("error", over);
  }

  /** One statement with one row as its answer, columns separated by tabs. Rejects when there is none. */
  query(sql: string): Promise<string> {
    if (this.#ended) return Promise.reject(new Error("the connection has ended"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.stdin!.write(`${sql};\n`);
    });
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}

export class MariadbWriter extends ReconnectingWriter<CommandLineClient> {
  readonly #target: Target;

  constructor(id: number, target: Target) {
    super(id);
    this.#target = target;
  }

  protected connect(): Promise<CommandLineClient> {
    return Promise.resolve(new CommandLineClient(this.#target));
  }

  protected async write(
    client: CommandLineClient,
    writer: number,
    seq: number,
  ): Promise<Pick<Write, "server" | "at"> | undefined> {
    const where = "concat(substring_index(@@bind_address, ',', 1), ':', @@port)";
    const row = await client.query(
      `insert into test.writes values (${writer}, ${seq}) returning ${where}, unix_timestamp(sysdate(6))`,
    );
    const [server, seconds] = row.split("\t");
    return { server: server!, at: Number(seconds) * 1000 };
  }
}
