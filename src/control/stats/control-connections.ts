// The management connections of the process: who is connected to which stats socket. They are counted and listed like sessions,
// and there is a limit of how many are served at once. Control thread.

import type { AdminLevel } from "../../config/model.ts";

/** A stats socket as `show cli sockets` prints it. */
export interface ControlSocket {
  readonly address: string;
  readonly level: AdminLevel;
}

export interface ControlConnection {
  /** Below any session's id, and never used again. */
  readonly id: number;
  readonly protocol: string;
  /** As in `src=`: "unix:<socket number>" or "ip:port". */
  readonly source: string;
  readonly sinceMs: number;
  readonly fd: number;
  commands: number;
  readonly timeoutMs: () => number;
}

/** Ids of sessions start at 2^21 (see memory/session-row.ts). */
const IDS = 2 ** 21 - 1;

export class ControlConnections {
  readonly sockets: ControlSocket[] = [];
  readonly #open = new Set<ControlConnection>();
  readonly #waiting: { readonly limit: () => number; readonly serve: () => Promise<void> }[] = [];
  #serving = 0;
  #total = 0;

  get open(): readonly ControlConnection[] {
    return [...this.#open];
  }

  /** Connections served since the start. */
  get total(): number {
    return this.#total;
  }

  add(connection: Omit<ControlConnection, "id" | "commands">): ControlConnection {
    const entry: ControlConnection = { ...connection, id: (this.#total++ % IDS) + 1, commands: 0 };
    this.#open.add(entry);
    return entry;
  }

  remove(connection: ControlConnection): void {
    this.#open.delete(connection);
  }

  /** Runs `serve` once fewer than `limit` others run; those that wait go in order of arrival. */
  admit(limit: () => number, serve: () => Promise<void>): void {
    this.#waiting.push({ limit, serve });
    this.limitChanged();
  }

  /** Runs those that need not wait any more. */
  limitChanged(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#serving < next.limit(); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#serving++;
      void next.serve().finally(() => {
        this.#serving--;
        this.limitChanged();
      });
    }
  }
}
