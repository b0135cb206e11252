// One connection of a check, as the rules of run-script.ts see it: a socket of the checks' own epoll (polled-connection.ts), or
// one of Node's where TLS or a name is in play (node-connection.ts). Types only.

import type { CheckTls } from "../../config/health-model.ts";

/** Where a check goes: an IP address (or a name) and port, or a unix socket. */
export type CheckTarget = { readonly host: string; readonly port: number } | { readonly path: string };

export interface ConnectionOptions {
  readonly target: CheckTarget;
  readonly sendProxy: boolean;
  /** Closes in good order; otherwise with a reset. */
  readonly linger: boolean;
  readonly tls?: CheckTls;
}

export type ConnectionPhase = "connecting" | "securing" | "open";

/** An error of the kernel or of TLS; `code` e.g. "ECONNREFUSED". */
export interface ConnectionError {
  readonly code?: string;
  readonly message: string;
}

/** Read by its owner after each sign of change; it keeps no more than an answer's worth of unread bytes. */
export interface CheckConnection {
  readonly phase: ConnectionPhase;
  /** The peer has closed its side, and all that came before is taken. */
  readonly ended: boolean;
  readonly error: ConnectionError | undefined;
  /** A piece that was sent is not with the kernel yet. */
  readonly sending: boolean;
  /** No further byte will come. */
  readonly isOver: boolean;
  /** Only while `phase` is "open". */
  send(bytes: Uint8Array): void;
  /** Up to `sizeBytes` of what has arrived; undefined if nothing has. */
  take(sizeBytes: number): Buffer | undefined;
  /** Ends it, whatever state it is in; the descriptor is closed when this returns or, at `linger`, right after. */
  close(): void;
}
