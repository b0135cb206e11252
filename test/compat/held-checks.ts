// An upstream whose health checks wait until the test answers them, so that no clock decides when a state is seen.

import { createServer, type Server, type Socket } from "node:net";
import { waitFor } from "../harness/wait-for.ts";

/** Answers: U passes (200), D fails (503), R resets the connection. */
export type Answer = "U" | "D" | "R";

/** A server whose checks (HTTP) are answered one by one, and only when told to. */
export class HeldChecks {
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  port = 0;

  private constructor() {
    this.#server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => this.#waiting.push(socket));
    });
  }

  static async start(address: string): Promise<HeldChecks> {
    const held = new HeldChecks();
    await new Promise<void>((resolve) => held.#server.listen({ host: address, port: 0 }, resolve));
    const bound = held.#server.address();
    held.port = typeof bound === "object" && bound ? bound.port : 0;
    return held;
  }

  /** A check is here, and waits for its answer. */
  async arrival(of = ""): Promise<void> {
    await waitFor(() => this.#waiting.length > 0, `a check ${of}`);
  }

  /** Answers the check that has waited longest. */
  answer(answer: Answer): void {
    const socket = this.#waiting.shift()!;
    if (answer === "R") socket.resetAndDestroy();
    else socket.end(`HTTP/1.0 ${answer === "U" ? "200 OK" : "503 No"}\r\n\r\n`);
  }

  async close(): Promise<void> {
    for (const socket of this.#waiting) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
