// A syslog server for tests: UDP datagrams in order of arrival, and tcplog lines taken apart.

import { createSocket, type Socket } from "node:dgram";
import { FRONTEND_ADDRESS } from "./ports.ts";
import { waitFor } from "./wait-for.ts";

/** One line of `option tcplog`. Times are in milliseconds, -1 where the phase was not reached. */
export interface TcpLogLine {
  readonly client: string;
  readonly frontend: string;
  readonly backend: string;
  readonly server: string;
  readonly queueMs: number;
  readonly connectMs: number;
  readonly totalMs: number;
  readonly bytes: number;
  readonly termination: string;
  /** With a "+" in front if the session was redispatched. */
  readonly retries: string;
  readonly text: string;
}

const TCPLOG =
  /(\S+) \[[^\]]+\] (\S+) ([^\s/]+)\/(\S+) (-?\d+)\/(-?\d+)\/\+?(-?\d+) \+?(\d+) (\S\S) \d+\/\d+\/\d+\/\d+\/(\+?\d+) \d+\/\d+/;

/** Undefined for any other message. */
export function parseTcpLog(text: string): TcpLogLine | undefined {
  const m = TCPLOG.exec(text);
  if (!m) return undefined;
  return {
    client: m[1]!,
    frontend: m[2]!,
    backend: m[3]!,
    server: m[4]!,
    queueMs: Number(m[5]),
    connectMs: Number(m[6]),
    totalMs: Number(m[7]),
    bytes: Number(m[8]),
    termination: m[9]!,
    retries: m[10]!,
    text,
  };
}

export class LogReceiver {
  readonly messages: string[] = [];
  readonly #socket: Socket;
  readonly #address: string;

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.#address = address;
    socket.on("message", (message) => this.messages.push(message.toString("latin1")));
  }

  static async start(address: string = FRONTEND_ADDRESS): Promise<LogReceiver> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    socket.setRecvBufferSize(1 << 20);
    return new LogReceiver(socket, address);
  }

  /** As in a `log` line. */
  get endpoint(): string {
    return `${this.#address}:${this.#socket.address().port}`;
  }

  get sessions(): TcpLogLine[] {
    return this.messages.map(parseTcpLog).filter((line) => line !== undefined);
  }

  /** The session line of the client with this address, once it has come. */
  waitForSession(client: { readonly address: string; readonly port: number }): Promise<TcpLogLine> {
    const name = `${client.address}:${client.port}`;
    return waitFor(
      () => this.sessions.find((line) => line.client.endsWith(name)),
      () => `a log line of ${name}, there are:\n${this.messages.join("")}`,
    );
  }

  close(): void {
    this.#socket.close();
  }
}
