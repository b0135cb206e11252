// Reads the running balancer from outside of it: each server's state, sessions and bytes, and what changed since the last
// look. Control thread; only reads shared memory.

import type { Program } from "../../control/program.ts";
import { SessionReader, usedRows } from "../../control/stats/session-reader.ts";
import { CounterBlocks } from "../../control/stats/sums.ts";
import { CS_BYTES_IN, CS_BYTES_OUT, CS_CUT } from "../../memory/counters.ts";
import {
  ADMIN_DRAIN,
  ADMIN_MAINT,
  OperState,
  SERVER_WORDS,
  V_ADMIN,
  V_ATTACHED,
  V_OPER,
} from "../../memory/server-row.ts";
import { S_BYTES_DOWN_F64, S_BYTES_UP_F64, S_SERVER } from "../../memory/session-row.ts";
import { slotsUsed } from "../../memory/shared-memory.ts";

export type ServerState = "UP" | "MAINT" | "DRAIN" | "DOWN";

export interface ServerView {
  readonly name: string;
  readonly state: ServerState;
  readonly sessions: number;
  /** In both directions, averaged over the last second or so. */
  readonly bytesPerSecond: number;
}

export interface ServerChange {
  readonly server: string;
  /** Set if the state changed. */
  readonly state?: ServerState;
  /** Sessions that an order ended. */
  readonly cut: number;
  /** Sessions that are left. */
  readonly sessions: number;
}

interface Seen {
  state: ServerState;
  cut: number;
  bytes: number;
  bytesPerSecond: number;
}

/** Weight of the newest look in the average of bytes per second. */
const NEWEST = 0.3;

export class DemoWatch {
  private readonly program: Program;
  private readonly backend: string;
  /** As of the last look. */
  last: readonly ServerView[] = [];
  private readonly seen = new Map<string, Seen>();
  private readonly reader: SessionReader;
  private lastMs: number;

  constructor(program: Program, backend: string) {
    this.program = program;
    this.backend = backend;
    this.reader = new SessionReader(program.memory);
    this.lastMs = performance.now();
  }

  /** Bytes relayed by all servers so far. */
  get totalBytes(): number {
    let total = 0;
    for (const { bytes } of this.seen.values()) total += bytes;
    return total;
  }

  /** Sessions that orders ended so far. */
  get totalCut(): number {
    let total = 0;
    for (const { cut } of this.seen.values()) total += cut;
    return total;
  }

  /** Looks at every server; returns what changed since the last look. */
  look(): readonly ServerChange[] {
    const nowMs = performance.now();
    const elapsedS = Math.max(0.001, (nowMs - this.lastMs) / 1000);
    this.lastMs = nowMs;
    const servers: ServerView[] = [];
    const changes: ServerChange[] = [];
    const live = this.liveBytes();
    const entries = this.program.registry.proxies.find((proxy) => proxy.name === this.backend)?.servers ?? [];
    for (const { name, index } of entries) {
      const state = this.stateOf(index);
      const sessions = this.program.memory.serversI32[index * SERVER_WORDS + V_ATTACHED];
      const counters = CounterBlocks.ofServer(this.program.memory, index);
      const cut = counters.sum(CS_CUT);
      const bytes = counters.sum(CS_BYTES_IN) + counters.sum(CS_BYTES_OUT) + (live.get(index) ?? 0);
      const before = this.seen.get(name) ?? { state, cut, bytes, bytesPerSecond: 0 };
      // Counters can be cleared while the demo runs, and a session that ends right now may be counted in neither.
      const rate = Math.max(0, bytes - before.bytes) / elapsedS;
      const bytesPerSecond = before.bytesPerSecond * (1 - NEWEST) + rate * NEWEST;
      const cutNow = Math.max(0, cut - before.cut);
      if (state !== before.state || cutNow > 0) {
        changes.push({ server: name, cut: cutNow, sessions, ...(state === before.state ? {} : { state }) });
      }
      this.seen.set(name, { state, cut, bytes, bytesPerSecond });
      servers.push({ name, state, sessions, bytesPerSecond });
    }
    this.last = servers;
    return changes;
  }

  private stateOf(index: number): ServerState {
    const words = this.program.memory.serversI32;
    const admin = words[index * SERVER_WORDS + V_ADMIN];
    if ((admin & ADMIN_MAINT) !== 0) return "MAINT";
    if (words[index * SERVER_WORDS + V_OPER] === OperState.STOPPED) return "DOWN";
    return (admin & ADMIN_DRAIN) !== 0 ? "DRAIN" : "UP";
  }

  /** Bytes of sessions that have not ended, by server: a server's counters hold ended ones only. */
  private liveBytes(): Map<number, number> {
    const bytes = new Map<number, number>();
    for (let thread = 0; thread < slotsUsed(this.program.memory); thread++) {
      const { from, to } = usedRows(this.program.memory, thread);
      for (let row = from; row < to; row++) {
        if (!this.reader.read(row)) continue;
        const { words, f64 } = this.reader;
        const server = words[S_SERVER];
        bytes.set(server, (bytes.get(server) ?? 0) + f64[S_BYTES_UP_F64] + f64[S_BYTES_DOWN_F64]);
      }
    }
    return bytes;
  }
}
