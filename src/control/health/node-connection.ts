// A check's connection with Node's own sockets: for TLS, the PROXY protocol and names that have to be looked up. It reads no further
// while a whole answer's worth waits, so a server that floods fills the kernel's buffers, not this process's.

import { connect, isIPv4, isIPv6, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { startTls } from "./check-tls.ts";
import type { CheckConnection, ConnectionOptions, ConnectionPhase } from "./connection.ts";
import { ANSWER_SIZE_BYTES } from "./script.ts";

export class NodeConnection implements CheckConnection {
  phase: ConnectionPhase = "connecting";
  error: Error | undefined;
  readonly #raw: Socket;
  #socket: Socket | TLSSocket;
  readonly #options: ConnectionOptions;
  readonly #onChange: () => void;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #unsent = 0;
  #peerEnded = false;

  /** `onChange` is called whenever something changed; never before the constructor returns. */
  constructor(options: ConnectionOptions, onChange: () => void) {
    this.#options = options;
    this.#onChange = onChange;
    // Half-open: a server that closes its side still gets what a later step sends, as with HAProxy.
    this.#raw = connect({ ...options.target, allowHalfOpen: true, noDelay: true, autoSelectFamily: false });
    this.#socket = this.#raw;
    this.#raw.once("connect", () => this.#connected());
    this.#listen(this.#raw, options.tls === undefined);
  }

  get sending(): boolean {
    return this.#unsent > 0;
  }

  get ended(): boolean {
    return this.#peerEnded && this.#pendingBytes === 0;
  }

  get isOver(): boolean {
    return this.#pendingBytes === 0 && (this.#peerEnded || this.error !== undefined);
  }

  send(bytes: Uint8Array): void {
    this.#unsent++;
    this.#socket.write(bytes, () => {
      this.#unsent--;
      this.#onChange();
    });
  }

  take(sizeBytes: number): Buffer | undefined {
    if (this.#pendingBytes === 0) return undefined;
    const all = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    const taken = all.subarray(0, sizeBytes);
    const rest = all.subarray(sizeBytes);
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#pendingBytes = rest.length;
    if (this.#pendingBytes < ANSWER_SIZE_BYTES && !this.#peerEnded) this.#socket.resume();
    return taken;
  }

  close(): void {
    this.#socket.destroy();
    if (this.#raw.destroyed) return;
    if (this.#options.linger || this.phase === "connecting" || "path" in this.#options.target) this.#raw.destroy();
    else this.#raw.resetAndDestroy();
  }

  #connected(): void {
    if (this.#options.sendProxy) this.#raw.write(proxyHeader(this.#raw));
    if (this.#options.tls === undefined) {
      this.phase = "open";
      this.#onChange();
      return;
    }
    this.phase = "securing";
    try {
      const secure = startTls(this.#raw, this.#options.tls);
      this.#socket = secure;
      this.#listen(secure, true);
      secure.once("secureConnect", () => {
        this.phase = "open";
        this.#onChange();
      });
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #listen(socket: Socket, isPlaintext: boolean): void {
    socket.on("error", (error) => this.#failed(error));
    if (!isPlaintext) return;
    socket.on("data", (bytes: Buffer) => {
      this.#pending.push(bytes);
      this.#pendingBytes += bytes.length;
      if (this.#pendingBytes >= ANSWER_SIZE_BYTES) socket.pause();
      this.#onChange();
    });
    socket.on("end", () => {
      this.#peerEnded = true;
      this.#onChange();
    });
  }

  #failed(error: Error): void {
    this.error ??= error;
    this.#onChange();
  }
}

/** The PROXY protocol's first line for a check: the connection's own ends. */
function proxyHeader(socket: Socket): string {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress !== undefined && remoteAddress !== undefined) {
    if (isIPv4(localAddress)) return `PROXY TCP4 ${localAddress} ${remoteAddress} ${localPort} ${remotePort}\r\n`;
    if (isIPv6(localAddress)) return `PROXY TCP6 ${localAddress} ${remoteAddress} ${localPort} ${remotePort}\r\n`;
  }
  return "PROXY UNKNOWN\r\n";
}
