// How one end of a TCP connection saw it end, and what it received: the same record for test clients and for upstream servers.

import { createHash, type Hash } from "node:crypto";
import type { Socket } from "node:net";

/** "fin": the peer closed its sending side; "rst": the connection was reset. */
export type Ending = "fin" | "rst";

const HEAD_BYTES = 64;

export class ReceiveRecord {
  bytes = 0;
  /** The first bytes received, as text. */
  head = "";
  /** The last bytes received, as text. */
  tail = "";
  /** In the order in which they came; a half-closed connection that is reset has both. */
  readonly endings: Ending[] = [];
  readonly #hash: Hash = createHash("sha1");

  /** Starts recording on `socket`. */
  constructor(socket: Socket) {
    socket.on("data", (chunk: Buffer) => {
      if (this.head.length < HEAD_BYTES) this.head += chunk.toString("latin1", 0, HEAD_BYTES - this.head.length);
      this.tail = (this.tail + chunk.toString("latin1", Math.max(0, chunk.length - HEAD_BYTES))).slice(-HEAD_BYTES);
      this.bytes += chunk.length;
      this.#hash.update(chunk);
    });
    socket.on("end", () => this.endings.push("fin"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // A write after the reset reports EPIPE, whichever of the two the loop came to first.
      if (error.code === "ECONNRESET" || error.code === "EPIPE") this.endings.push("rst");
    });
  }

  get ended(): boolean {
    return this.endings.length > 0;
  }

  get wasReset(): boolean {
    return this.endings.includes("rst");
  }

  /** SHA-1 over all bytes received so far. */
  checksum(): string {
    return this.#hash.copy().digest("hex");
  }
}
