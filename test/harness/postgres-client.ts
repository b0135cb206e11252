// A PostgreSQL client as small as the tests need: one connection, password-less, simple queries one after the other.

import { connect, type Socket } from "node:net";

export interface PostgresTarget {
  readonly host: string;
  readonly port: number;
}

/** `error` is the server's refusal ("25006: cannot execute INSERT in a read-only transaction"); then there are no rows. */
export interface QueryResult {
  readonly rows: readonly (readonly string[])[];
  readonly error?: string;
}

const PROTOCOL_VERSION = 196_608;

function startupMessage(): Buffer {
  const words = Buffer.from("user\0postgres\0database\0postgres\0application_name\0headgate-test\0\0");
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + words.length, 0);
  head.writeInt32BE(PROTOCOL_VERSION, 4);
  return Buffer.concat([head, words]);
}

function queryMessage(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`);
  const head = Buffer.alloc(5);
  head.write("Q");
  head.writeInt32BE(4 + text.length, 1);
  return Buffer.concat([head, text]);
}

/** The columns of a DataRow; NULL is "". */
function columnsOf(body: Buffer): string[] {
  const columns: string[] = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at);
    at += 4;
    columns.push(length < 0 ? "" : body.toString("utf8", at, at + length));
    if (length > 0) at += length;
  }
  return columns;
}

/** "code: message" of an ErrorResponse. */
function errorOf(body: Buffer): string {
  const fields = body.toString("utf8").split("\0");
  const field = (letter: string) => fields.find((text) => text.startsWith(letter))?.slice(1) ?? "";
  return `${field("C")}: ${field("M")}`;
}

export class PostgresClient {
  readonly #socket: Socket;
  #pending = Buffer.alloc(0);
  #rows: string[][] = [];
  #error: string | undefined;
  #waiting: { resolve: (result: QueryResult) => void; reject: (error: Error) => void } | undefined;
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      this.#waiting?.reject(new Error(this.#error ?? "the connection ended"));
      this.#waiting = undefined;
    });
  }

  /** Connects and waits until the server is ready for a query; rejects if the server refuses or the connection ends. */
  static async connect(target: PostgresTarget): Promise<PostgresClient> {
    const client = new PostgresClient(connect({ ...target, noDelay: true }));
    await client.#send(startupMessage());
    return client;
  }

  /** True once the connection is over, whoever ended it. */
  get ended(): boolean {
    return this.#ended;
  }

  /** One statement. Rejects when the connection ends before the answer. */
  query(sql: string): Promise<QueryResult> {
    return this.#send(queryMessage(sql));
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(message: Buffer): Promise<QueryResult> {
    if (this.#ended) return Promise.reject(new Error("the connection has ended"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(message);
    });
  }

  #take(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= 5) {
      const end = 1 + this.#pending.readInt32BE(1);
      if (this.#pending.length < end) return;
      this.#message(String.fromCharCode(this.#pending[0]!), this.#pending.subarray(5, end));
      this.#pending = this.#pending.subarray(end);
    }
  }

  #message(type: string, body: Buffer): void {
    if (type === "D") this.#rows.push(columnsOf(body));
    else if (type === "E") this.#error = errorOf(body);
    else if (type === "Z") {
      this.#waiting?.resolve({ rows: this.#rows, ...(this.#error === undefined ? {} : { error: this.#error }) });
      this.#waiting = undefined;
      this.#rows = [];
      this.#error = undefined;
    }
  }
}
