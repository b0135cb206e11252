// The demo's small upstreams: each says its name, echoes what it gets, and pushes a line now and then. Control thread.

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

const PUSH_EVERY_MS = 700;

export class DemoUpstream {
  readonly name: string;
  readonly port: number;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;
  private readonly timer: NodeJS.Timeout;

  private constructor(name: string, server: Server, sockets: Set<Socket>) {
    this.name = name;
    this.server = server;
    this.sockets = sockets;
    this.port = (server.address() as { port: number }).port;
    this.timer = setInterval(() => {
      for (const socket of sockets) socket.write(`${name} has ${sockets.size} connections\n`);
    }, PUSH_EVERY_MS);
  }

  /** Listens on 127.0.0.1, on `port` or, if that is taken, on one that the kernel chooses. */
  static async start(name: string, port: number): Promise<DemoUpstream> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.write(`${name}\n`);
      socket.on("data", (bytes) => socket.write(bytes));
      socket.on("close", () => sockets.delete(socket));
      // A cut arrives as a reset, which is what the demo is about; `close` follows.
      socket.on("error", () => {});
    });
    await listenOn(server, port).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") throw error;
      return listenOn(server, 0);
    });
    return new DemoUpstream(name, server, sockets);
  }

  stop(): void {
    clearInterval(this.timer);
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

async function listenOn(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}

/** `wanted` if nobody listens on 127.0.0.1 there, else a free port that the kernel chose. */
export async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  await listenOn(server, wanted).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    return listenOn(server, 0);
  });
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
