// A crowd of clients that never gives up: each one connects, asks once, closes or keeps asking, and connects again at once when
// its connection ends. The load under which cuts are tried.

import { connect, type Socket } from "node:net";

export class ReconnectingCrowd {
  /** Answers received by all clients. */
  answers = 0;
  /** Connections made so far. */
  connections = 0;
  /** Connections that the program refused. */
  refused = 0;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #closed = false;

  /** Every second client closes after one answer, the others keep asking until they are cut. */
  constructor(target: { readonly host: string; readonly port: number }, size: number) {
    this.#target = target;
    for (let i = 0; i < size; i++) this.#connect(i % 2 === 0);
  }

  get size(): number {
    return this.#sockets.size;
  }

  #connect(leavesAfterAnswer: boolean): void {
    const socket = connect({ ...this.#target, noDelay: true });
    this.#sockets.add(socket);
    socket.on("connect", () => {
      this.connections++;
      socket.write("question");
    });
    socket.on("data", () => {
      this.answers++;
      if (leavesAfterAnswer) socket.destroy();
      else setImmediate(() => socket.destroyed || socket.write("question"));
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") this.refused++;
    });
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (!this.#closed) setImmediate(() => this.#closed || this.#connect(leavesAfterAnswer));
    });
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}
