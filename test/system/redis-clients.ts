// Clients of Redis: one command after the other on a connection, and a writer that asks the server itself where and when it wrote.

import { connect, type Socket } from "node:net";
import { ReconnectingWriter, type Target, type Write } from "./reconnecting.ts";

export class RedisConnection {
  readonly #socket: Socket;
  #text = "";
  #waiting: { resolve: (answer: string) => void; reject: (error: Error) => void } | undefined;
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.#text += text;
      this.#answer();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      this.#waiting?.reject(new Error("the connection ended"));
      this.#waiting = undefined;
    });
  }

  static async open(target: Target): Promise<RedisConnection> {
    const socket = connect({ ...target, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    return new RedisConnection(socket);
  }

  /** The answer's first line, and for a bulk string the text after it. Rejects when the connection ends first. */
  command(...words: string[]): Promise<string> {
    if (this.#ended) return Promise.reject(new Error("the connection has ended"));
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #answer(): void {
    const line = this.#text.indexOf("\r\n");
    if (line < 0) return;
    const bulk = this.#text.startsWith("$") ? Number(this.#text.slice(1, line)) : -1;
    const length = bulk < 0 ? line + 2 : line + 2 + bulk + 2;
    if (this.#text.length < length) return;
    const answer = this.#text.slice(0, length - 2);
    this.#text = this.#text.slice(length);
    this.#waiting?.resolve(answer);
    this.#waiting = undefined;
  }
}

/** Appends to a list, and gives the server's own time of it. */
const SCRIPT = `redis.call('rpush', KEYS[1], ARGV[1])
local time = redis.call('time')
return time[1] .. ' ' .. time[2]`;

export class RedisWriter extends ReconnectingWriter<RedisConnection> {
  readonly #target: Target;
  /** The other end's address, by its own account. */
  #server = "";

  constructor(id: number, target: Target) {
    super(id);
    this.#target = target;
  }

  protected async connect(): Promise<RedisConnection> {
    const connection = await RedisConnection.open(this.#target);
    this.#server = / laddr=(\S+)/.exec(await connection.command("CLIENT", "INFO"))?.[1] ?? "";
    return connection;
  }

  protected async write(
    connection: RedisConnection,
    writer: number,
    seq: number,
  ): Promise<Pick<Write, "server" | "at"> | undefined> {
    const answer = await connection.command("EVAL", SCRIPT, "1", "writes", `${writer}:${seq}`);
    const [, seconds, microseconds] = /^\$\d+\r\n(\d+) (\d+)$/.exec(answer) ?? [];
    if (seconds === undefined) return undefined;
    return { server: this.#server, at: Number(seconds) * 1000 + Number(microseconds) / 1000 };
  }
}
