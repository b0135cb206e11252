// An upstream echo server in a thread of its own, for tests under load.

import { Worker } from "node:worker_threads";
import { UPSTREAM_ADDRESS } from "./ports.ts";

export class EchoThread {
  readonly address: string;
  readonly port: number;
  readonly #thread: Worker;
  readonly #accepted: Int32Array;

  private constructor(address: string, port: number, thread: Worker, accepted: Int32Array) {
    this.address = address;
    this.port = port;
    this.#thread = thread;
    this.#accepted = accepted;
  }

  static async start(address: string = UPSTREAM_ADDRESS): Promise<EchoThread> {
    const accepted = new Int32Array(new SharedArrayBuffer(4));
    const thread = new Worker(new URL("./echo-thread-main.mjs", import.meta.url), {
      workerData: { address, accepted: accepted.buffer },
    });
    const port = await new Promise<number>((resolve, reject) => {
      thread.once("message", resolve);
      thread.once("error", reject);
    });
    return new EchoThread(address, port, thread, accepted);
  }

  /** As in a `server` line. */
  get endpoint(): string {
    return `${this.address}:${this.port}`;
  }

  /** Connections accepted so far. */
  get accepted(): number {
    return Atomics.load(this.#accepted, 0);
  }

  async close(): Promise<void> {
    const exited = new Promise((resolve) => this.#thread.once("exit", resolve));
    this.#thread.postMessage("close");
    await exited;
  }
}
