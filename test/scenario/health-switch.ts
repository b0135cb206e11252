// A place that health checks ask instead of the server itself: it answers `option httpchk` with whatever the test says, so that
// a server's health and its sessions are driven apart from each other.

import { createServer, type Server, type Socket } from "node:net";
import { UPSTREAM_ADDRESS } from "../harness/ports.ts";

const STATUS = { up: "200 OK", down: "503 Service Unavailable", missing: "404 Not Found" } as const;

export class HealthSwitch {
  /** "up": 200; "down": 503; "missing": 404; "gone": the connection is reset. */
  state: "up" | "down" | "missing" | "gone" = "up";
  /** Checks answered so far. */
  asked = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
      socket.once("data", () => {
        this.asked++;
        if (this.state === "gone") socket.resetAndDestroy();
        else socket.end(`HTTP/1.0 ${STATUS[this.state]}\r\n\r\n`);
      });
    });
  }

  static async start(): Promise<HealthSwitch> {
    const health = new HealthSwitch();
    await new Promise<void>((resolve, reject) => {
      health.#server.once("error", reject).listen({ host: UPSTREAM_ADDRESS, port: 0 }, resolve);
    });
    const bound = health.#server.address();
    health.#port = typeof bound === "object" && bound ? bound.port : 0;
    return health;
  }

  /** Words for a `server` line in a backend with `option httpchk`: checked here, ten times a second, down by two failures. */
  words(more = "rise 2 fall 2"): string {
    return `check inter 100ms addr ${UPSTREAM_ADDRESS} port ${this.#port} ${more}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
