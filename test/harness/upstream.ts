// Upstream servers that do what a test asks: one listening socket, one record for each connection, in order of arrival.

import { readSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { ReceiveRecord } from "./ending.ts";
import { kernelSockets, socketBetween } from "./kernel-sockets.ts";
import { freePort, UPSTREAM_ADDRESS } from "./ports.ts";
import { waitFor } from "./wait-for.ts";

export interface UpstreamConnection {
  readonly socket: Socket;
  readonly received: ReceiveRecord;
  /** 0 for the first connection that this server accepted. */
  readonly index: number;
  /** The peer's end: the address that the balancer connected from. */
  readonly peer: { readonly address: string; readonly port: number };
}

/** What a server does with a connection; the record is kept already. */
export type Behaviour = (connection: UpstreamConnection) => void;

export const FLOOD_CHUNK = Buffer.alloc(1 << 20, "flood of the upstream ");

/** Sends back what it receives, and closes when the client does. */
export const echo: Behaviour = ({ socket }) => {
  socket.on("data", (chunk) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on("drain", () => socket.resume());
  socket.on("end", () => socket.end());
};

/** Reads everything, never sends, never closes. */
export const silent: Behaviour = ({ socket }) => {
  socket.resume();
};

/** Never reads, never sends, never closes: its receive buffer fills. */
export const sink: Behaviour = ({ socket }) => {
  socket.pause();
};

/** Sends without end as fast as it is taken, and reads what comes. */
export const source: Behaviour = ({ socket }) => {
  const send = () => {
    while (!socket.destroyed && socket.write(FLOOD_CHUNK)) {}
  };
  socket.on("drain", send);
  socket.resume();
  send();
};

/** Closes its sending side at once and keeps reading. */
export const halfCloser: Behaviour = ({ socket }) => {
  socket.resume();
  socket.end();
};

/** Closes its sending side at once and never reads: what it is sent fills its kernel's buffer, then the balancer's. */
export const deafHalfCloser: Behaviour = ({ socket }) => {
  socket.pause();
  socket.end();
};

/** Resets the connection as soon as the first byte arrives. */
export const resetter: Behaviour = ({ socket }) => {
  socket.once("data", () => socket.resetAndDestroy());
};

/**
 * Bytes that the kernel holds for this end right now, read away in this very turn without Node taking part: for a server that is
 * paused. Emptying the buffer opens the window, so whatever the other side still had on its way comes in afterwards.
 */
export function takeHeldBytes({ socket }: UpstreamConnection): number {
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const chunk = Buffer.allocUnsafe(1 << 20);
  for (let total = 0; ; ) {
    try {
      const n = readSync(fd, chunk);
      if (n === 0) return total;
      total += n;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN" || code === "ECONNRESET") return total;
      throw error;
    }
  }
}

export interface UpstreamOptions {
  readonly address?: string;
  /** Default: one from the kernel. */
  readonly port?: number;
  /** Listens on a unix socket instead. */
  readonly path?: string;
}

export class Upstream {
  readonly address: string;
  readonly connections: UpstreamConnection[] = [];
  behaviour: Behaviour;
  #server: Server;
  #port = 0;

  private constructor(behaviour: Behaviour, address: string) {
    this.behaviour = behaviour;
    this.address = address;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection: UpstreamConnection = {
        socket,
        received: new ReceiveRecord(socket),
        index: this.connections.length,
        peer: { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
      };
      this.connections.push(connection);
      this.behaviour(connection);
    });
  }

  static async start(behaviour: Behaviour, options: UpstreamOptions = {}): Promise<Upstream> {
    const upstream = new Upstream(behaviour, options.path ?? options.address ?? UPSTREAM_ADDRESS);
    await new Promise<void>((resolve, reject) => {
      upstream.#server.on("error", reject);
      const where = options.path ? { path: options.path } : { host: upstream.address, port: options.port ?? 0 };
      // As much as the kernel lets it be: a full one makes the kernel send cookies, and then forget connections of which the peer knows.
      upstream.#server.listen({ ...where, backlog: 65_535 }, resolve);
    });
    const bound = upstream.#server.address();
    if (typeof bound === "object" && bound) upstream.#port = bound.port;
    return upstream;
  }

  get port(): number {
    return this.#port;
  }

  /** As in a `server` line. */
  get endpoint(): string {
    return this.#port === 0 ? `unix@${this.address}` : `${this.address}:${this.#port}`;
  }

  /** Connections that this end has not seen ending. */
  get openConnections(): UpstreamConnection[] {
    return this.connections.filter((c) => !c.socket.destroyed && !c.received.ended);
  }

  /**
   * Whether the peer reset this connection. Node says so only while it reads and nothing is left to read (libuv reports an end of
   * file otherwise, and does not look at all after a FIN); the kernel knows: a socket that this end never closed is in its table
   * until a reset removes it.
   */
  wasReset(connection: UpstreamConnection): boolean {
    if (connection.received.wasReset) return true;
    return !connection.socket.destroyed && socketBetween(this, connection.peer) === undefined;
  }

  async waitForConnections(count: number): Promise<void> {
    await waitFor(
      () => this.connections.length >= count,
      () => `${count} connections at ${this.endpoint}, there are ${this.connections.length}`,
    );
  }

  /** Stops listening and resets what is open. */
  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** An address at which connections are refused: nothing listens there. */
export async function refuser(
  address: string = UPSTREAM_ADDRESS,
): Promise<{ endpoint: string; address: string; port: number }> {
  const port = await freePort(address);
  return { endpoint: `${address}:${port}`, address, port };
}

/** An address at which SYNs are left unanswered: a connection to it stays in SYN_SENT. */
export class BlackHole {
  readonly address: string;
  readonly port: number;
  readonly #wake: Int32Array;
  readonly #exited: Promise<unknown>;
  readonly #fillers: Socket[];

  private constructor(address: string, port: number, wake: Int32Array, exited: Promise<unknown>, fillers: Socket[]) {
    this.address = address;
    this.port = port;
    this.#wake = wake;
    this.#exited = exited;
    this.#fillers = fillers;
  }

  static async start(address: string = UPSTREAM_ADDRESS): Promise<BlackHole> {
    const wake = new Int32Array(new SharedArrayBuffer(4));
    const thread = new Worker(new URL("./black-hole-thread.mjs", import.meta.url), {
      workerData: { address, wake: wake.buffer },
    });
    const exited = new Promise((resolve) => thread.once("exit", resolve));
    const port = await new Promise<number>((resolve, reject) => {
      thread.once("message", resolve);
      thread.once("error", reject);
    });
    const fillers: Socket[] = [];
    const hole = new BlackHole(address, port, wake, exited, fillers);
    await fillBacklog(address, port, fillers);
    return hole;
  }

  get endpoint(): string {
    return `${this.address}:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#fillers) socket.destroy();
    Atomics.store(this.#wake, 0, 1);
    Atomics.notify(this.#wake, 0);
    await this.#exited;
  }
}

/** Connects until the kernel's table shows one of our own connections that is not answered. */
async function fillBacklog(address: string, port: number, fillers: Socket[]): Promise<void> {
  const rows = () => kernelSockets(port).filter((s) => s.remoteAddress === address && s.remotePort === port);
  for (let attempt = 0; attempt < 16; attempt++) {
    const socket = connect({ host: address, port });
    socket.on("error", () => {});
    fillers.push(socket);
    await waitFor(() => rows().length === fillers.length, "the kernel to list the connection");
    // A handshake over loopback is over when connect() returns, so a row still in SYN_SENT is one without an answer.
    if (rows().some((s) => s.state === "SYN_SENT")) return;
  }
  throw new Error(`the backlog of ${address}:${port} does not fill`);
}
