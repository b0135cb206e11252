// The demo's clients: most stay connected and talk all the time, a few only visit; whoever is cut off connects again.
// Control thread. They are ordinary TCP clients of the balancer and know nothing of it.

import { connect, type Socket } from "node:net";

/** A client that lost its connection waits this long before it connects again. */
const RECONNECT_MS = 150;
const SAY_EVERY_MS = 60;
const VISIT_MIN_MS = 2_000;
const VISIT_MAX_MS = 6_000;
const LARGEST_WORD_BYTES = 8_192;

export interface ClientEvents {
  /** A client that had lost its connection has a new one. */
  reconnected(from: string, to: string): void;
}

class DemoClient {
  /** Name of the server it talks to, "" while it has none. */
  server = "";
  private readonly port: number;
  private readonly visits: boolean;
  private readonly events: ClientEvents;
  private socket: Socket | undefined;
  /** Where it was cut off, until it is connected again. */
  private lostFrom = "";
  /** The client ends the connection itself, so nothing was lost. */
  private leaving = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private visitEndsMs = 0;

  constructor(port: number, visits: boolean, events: ClientEvents) {
    this.port = port;
    this.visits = visits;
    this.events = events;
    this.open();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.stopped = true;
    this.socket?.destroy();
  }

  private open(): void {
    const socket = connect({ host: "127.0.0.1", port: this.port });
    this.socket = socket;
    this.leaving = false;
    this.visitEndsMs = Date.now() + VISIT_MIN_MS + Math.random() * (VISIT_MAX_MS - VISIT_MIN_MS);
    socket.setNoDelay(true);
    socket.on("data", (bytes) => {
      if (this.server === "") this.greeted(bytes.toString("latin1").split("\n")[0]);
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
    socket.on("close", () => this.closed());
    socket.on("connect", () => this.say());
  }

  private greeted(server: string): void {
    this.server = server;
    if (this.lostFrom !== "") this.events.reconnected(this.lostFrom, server);
    this.lostFrom = "";
  }

  private say(): void {
    clearTimeout(this.timer);
    if (this.visits && Date.now() > this.visitEndsMs) {
      this.leaving = true;
      this.socket?.end();
      return;
    }
    // Nothing is said while the last words were not taken.
    if (this.socket?.writableLength === 0) this.socket.write("x".repeat(1 + Math.random() * LARGEST_WORD_BYTES));
    this.timer = setTimeout(() => this.say(), SAY_EVERY_MS * (0.5 + Math.random()));
  }

  private closed(): void {
    clearTimeout(this.timer);
    if (this.stopped) return;
    if (this.server !== "" && !this.leaving) this.lostFrom = this.server;
    this.server = "";
    this.timer = setTimeout(() => this.open(), RECONNECT_MS * (0.5 + Math.random()));
  }
}

export class DemoClients {
  readonly count: number;
  private readonly clients: DemoClient[];

  constructor(port: number, count: number, visitors: number, events: ClientEvents) {
    this.count = count;
    this.clients = Array.from({ length: count }, (_, i) => new DemoClient(port, i < visitors, events));
  }

  /** Clients that talk to a server right now. */
  get connected(): number {
    return this.clients.filter((client) => client.server !== "").length;
  }

  stop(): void {
    for (const client of this.clients) client.stop();
  }
}
