// Scripted servers for health checks: what one sends when a connection comes and after each piece of data, and how it ends.
// One description serves both HAProxy and Headgate.

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

export interface CheckUpstreamScript {
  /** Sent as soon as the connection is there. */
  readonly greeting?: string | Uint8Array;
  /** What each piece of received data is answered with, in order; later pieces get nothing. */
  readonly answers?: readonly (string | Uint8Array)[];
  /** After the greeting, or after the last answer. Default "hold". */
  readonly end?: "hold" | "close" | "reset";
  /** How long after that it ends, so that what was sent is read first. Default: at once. */
  readonly endAfterMs?: number;
  /** Sends the last answer without end. */
  readonly flood?: boolean;
  /** Sends the last answer in ten pieces, this far apart. */
  readonly trickleMs?: number;
  readonly tls?: TlsOptions;
}

/** A listening server that follows a script; `received` is what the connections sent, one entry each. */
export class CheckUpstream {
  readonly received: string[] = [];
  accepted = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;

  private constructor(script: CheckUpstreamScript) {
    const serve = (socket: Socket) => this.#serve(socket, script);
    this.#server = script.tls ? createTlsServer(script.tls, serve) : createServer({ noDelay: true }, serve);
    // What fails a handshake is the check's business.
    this.#server.on("tlsClientError", () => {});
    this.#server.on("connection", (socket: Socket) => {
      this.accepted++;
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(script: CheckUpstreamScript, address: string): Promise<CheckUpstream> {
    const upstream = new CheckUpstream(script);
    await new Promise<void>((resolve, reject) => {
      upstream.#server.once("error", reject).listen({ host: address, port: 0, backlog: 511 }, resolve);
    });
    const bound = upstream.#server.address();
    upstream.port = typeof bound === "object" && bound ? bound.port : 0;
    return upstream;
  }

  get open(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket, script: CheckUpstreamScript): void {
    const index = this.received.push("") - 1;
    const answers = [...(script.answers ?? [])];
    const end = () => {
      if (script.end === "close") socket.end();
      else if (script.end === "reset") socket.resetAndDestroy();
    };
    const finish = () => {
      if (script.endAfterMs === undefined) end();
      else setTimeout(end, script.endAfterMs);
    };
    socket.on("error", () => {});
    if (script.greeting !== undefined) socket.write(script.greeting);
    if (answers.length === 0 && script.end !== "reset") finish();
    socket.on("data", (bytes: Buffer) => {
      this.received[index] += bytes.toString("latin1");
      const answer = answers.shift();
      if (answer === undefined) {
        if (script.end === "reset") finish();
        return;
      }
      const last = answers.length === 0;
      if (last && script.flood) return flood(socket, Buffer.from(answer as string));
      if (last && script.trickleMs) return trickle(socket, Buffer.from(answer as string), script.trickleMs);
      socket.write(answer);
      if (last) finish();
    });
  }
}

function flood(socket: Socket, piece: Buffer): void {
  const chunk = Buffer.alloc(1 << 16, piece);
  socket.write(piece);
  const send = () => {
    while (!socket.destroyed && socket.write(chunk)) {}
  };
  socket.on("drain", send);
  send();
}

function trickle(socket: Socket, bytes: Buffer, everyMs: number): void {
  const size = Math.ceil(bytes.length / 10);
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at >= bytes.length) return clearInterval(timer);
    socket.write(bytes.subarray(at, at + size));
    at += size;
  }, everyMs);
}
