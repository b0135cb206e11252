// Test clients: one TCP connection to a frontend, what it received, how it ended, and the ways in which clients misbehave.

import { connect, type Socket } from "node:net";
import { ReceiveRecord } from "./ending.ts";
import { waitFor } from "./wait-for.ts";

export interface ConnectOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  /** Source address; default the kernel's choice. */
  readonly localAddress?: string;
  /** Never reads until `resume()`. */
  readonly paused?: boolean;
}

const FLOOD = Buffer.alloc(64 << 20, "flood of the client ");

export class Client {
  readonly socket: Socket;
  readonly received: ReceiveRecord;
  readonly connected: Promise<void>;
  /** "ECONNREFUSED" and the like, if the connection failed or broke. */
  errorCode: string | undefined;
  #local = { address: "", port: 0 };

  constructor(options: ConnectOptions) {
    const target = options.path
      ? { path: options.path }
      : { host: options.host ?? "127.0.0.1", port: options.port ?? 0, localAddress: options.localAddress };
    this.socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
    this.received = new ReceiveRecord(this.socket);
    if (options.paused) this.socket.pause();
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.errorCode ??= error.code;
    });
    this.connected = new Promise((resolve, reject) => {
      this.socket.once("connect", () => {
        this.#local = { address: this.socket.localAddress ?? "", port: this.socket.localPort ?? 0 };
        resolve();
      });
      this.socket.once("close", () => reject(new Error(`connect failed: ${this.errorCode}`)));
    });
    this.connected.catch(() => {});
  }

  /** Connected and otherwise idle. */
  static async open(options: ConnectOptions): Promise<Client> {
    const client = new Client(options);
    await client.connected;
    return client;
  }

  /** This end's address, also after the connection ended. */
  get local(): { readonly address: string; readonly port: number } {
    return this.#local;
  }

  send(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** Sends `text` and waits until as many bytes came back in addition to what was there. */
  async roundTrip(text: string): Promise<void> {
    const before = this.received.bytes;
    this.send(text);
    await waitFor(
      () => this.received.bytes >= before + text.length,
      () => `an answer of ${text.length} bytes, got ${this.received.bytes - before}, ${this.received.endings}`,
    );
  }

  /** Keeps `window` messages on their way all the time, sending one for each that comes back. */
  pingPong(message: string | Buffer, window = 4): void {
    const size = message.length;
    let answered = 0;
    this.socket.on("data", (chunk: Buffer) => {
      answered += chunk.length;
      while (answered >= size && !this.socket.destroyed) {
        answered -= size;
        this.socket.write(message);
      }
    });
    for (let i = 0; i < window; i++) this.socket.write(message);
  }

  /** Hands the kernel far more than all buffers on the way can hold. */
  flood(): void {
    this.socket.write(FLOOD);
  }

  /** Closes the sending side; receiving goes on. */
  halfClose(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  resume(): void {
    this.socket.resume();
  }

  async waitForEnd(): Promise<void> {
    await waitFor(
      () => this.received.ended || this.socket.destroyed,
      () => `the client's connection to end, it has ${this.received.bytes} bytes`,
    );
  }

  close(): void {
    this.socket.destroy();
  }
}

/** `count` connected clients. */
export function openClients(count: number, options: ConnectOptions): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => Client.open(options)));
}
