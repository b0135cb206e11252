// One connection of a check: connects (over TLS where asked), keeps what arrives until it is taken, and closes. It reads no
// further while a whole answer's worth waits, so a server that floods fills the kernel's buffers, not this process's.

import { connect, isIPv4, isIPv6, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { CheckTls } from "../../config/health-model.ts";
import { startTls } from "./check-tls.ts";
import { ANSWER_SIZE_BYTES } from "./script.ts";

/** Where a check goes: an IP address and port, or a unix socket. */
export type CheckTarget = { readonly host: string; readonly port: number } | { readonly path: string };

export interface CheckSocketOptions {
  readonly target: CheckTarget;
  readonly sendProxy: boolean;
  readonly linger: boolean;
  readonly tls?: CheckTls;
  /** Called whenever something changed; never before the constructor returns. */
  readonly onChange: () => void;
}

export type SocketPhase = "connecting" | "securing" | "open";

export class CheckSocket {
  phase: SocketPhase = "connecting";
  /** The peer has closed its side. */
  ended = false;
  error: Error | undefined;
  readonly #raw: Socket;
  #socket: Socket | TLSSocket;
  readonly #options: CheckSocketOptions;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #unsent = 0;

  constructor(options: CheckSocketOptions) {
    this.#options = options;
    // Half-open: a server that closes its side still gets what a later step sends, as with HAProxy.
    this.#raw = connect({ ...options.target, allowHalfOpen: true, noDelay: true, autoSelectFamily: false });
    this.#socket = this.#raw;
    this.#raw.once("connect", () => this.#connected());
    this.#listen(this.#raw, options.tls === undefined);
  }

  /** True while a sent piece is not yet with the kernel. */
  get sending(): boolean {
    return this.#unsent > 0;
  }

  send(bytes: Uint8Array): void {
    this.#unsent++;
    this.#socket.write(bytes, () => {
      this.#unsent--;
      this.#options.onChange();
    });
  }

  /** Takes up to `sizeBytes` of what has arrived; empty if nothing has. */
  take(sizeBytes: number): Buffer {
    const all = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    const taken = all.subarray(0, sizeBytes);
    const rest = all.subarray(sizeBytes);
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#pendingBytes = rest.length;
    if (this.#pendingBytes < ANSWER_SIZE_BYTES && !this.ended) this.#socket.resume();
    return taken;
  }

  get hasPending(): boolean {
    return this.#pendingBytes > 0;
  }

  /** Ends it, whatever state it is in; the descriptor is closed when this returns or, at `linger`, right after. */
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
      this.#options.onChange();
      return;
    }
    this.phase = "securing";
    try {
      const secure = startTls(this.#raw, this.#options.tls);
      this.#socket = secure;
      this.#listen(secure, true);
      secure.once("secureConnect", () => {
        this.phase = "open";
        this.#options.onChange();
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
      this.#options.onChange();
    });
    socket.on("end", () => {
      this.ended = true;
      this.#options.onChange();
    });
  }

  #failed(error: Error): void {
    this.error ??= error;
    this.#options.onChange();
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
