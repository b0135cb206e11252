// Keeps account of a run from the outside: which sessions ended, what their records say, what a cut promised.

import type { ServerEntry } from "../../src/control/registry.ts";
import { CT_RECORDS_DROPPED } from "../../src/memory/counters.ts";
import { CutReason, endCauseOf } from "../../src/memory/cut-reason.ts";
import { EndCause, EndPhase } from "../../src/memory/end-state.ts";
import {
  SERVER_WORDS,
  V_ATTACHED,
  V_CUT_GENERATION,
  V_CUT_REASON,
  V_SERVED,
  V_USABLE,
} from "../../src/memory/server-row.ts";
import * as S from "../../src/memory/session-row.ts";
import type { Connection } from "./connection.ts";
import { checkIdle, checkInvariants, isLive, must } from "./invariants.ts";
import { checkFence, checkPolicies } from "./policy-invariants.ts";
import { checkProgress } from "./session-invariants.ts";
import type { SimRig } from "./sim-rig.ts";

const CAUSES: ReadonlySet<number> = new Set(Object.values(EndCause));
const PHASES: ReadonlySet<number> = new Set(Object.values(EndPhase));

export class Judge {
  /** Causes of the sessions that ended, by the number of their client. */
  readonly causes = new Map<number, EndCause>();
  /** Why it was cut, by client. */
  readonly reasons = new Map<number, CutReason>();
  private readonly rig: SimRig;
  /** The connection to a server that a client's session had last. */
  private readonly servers = new Map<number, Connection>();
  private readonly records: Float64Array;

  constructor(rig: SimRig) {
    this.rig = rig;
    this.records = new Float64Array(rig.memory.ringsI32.buffer);
    rig.onRecord = (word) => this.readRecord(word);
    rig.world.beforeConnect = (thread, fd) => this.checkConnect(thread, fd);
  }

  /** Everything that must hold between two turns. */
  check(): void {
    checkInvariants(this.rig);
    checkPolicies(this.rig);
    const { sessions, slots: threads, rowsPerThread } = this.rig.memory;
    for (let base = 0; base < threads * rowsPerThread * S.SESSION_WORDS; base += S.SESSION_WORDS) {
      if (!isLive(sessions[base + S.S_STATE]) || sessions[base + S.S_SERVER_FD] < 0) continue;
      const client = this.rig.world.socket(sessions[base + S.S_CLIENT_FD]);
      this.servers.set(client.id, this.rig.world.socket(sessions[base + S.S_SERVER_FD]));
    }
    const ended = this.rig.world.clients.filter((client) => client.closed !== "no");
    const dropped = this.rig.relays.reduce(
      (sum, { relay }) => sum + relay.counters[relay.ownCounters + CT_RECORDS_DROPPED],
      0,
    );
    for (const server of this.rig.world.servers) {
      // A unix server's bytes are with it; a connection that was reset has lost them.
      const leaves = server.closed === "orderly" && !server.dead && !server.isUnix && server.delivered < server.sent;
      must(
        !leaves,
        `${server.name} is closed, and its kernel has still ${server.sent - server.delivered} bytes for it`,
      );
    }
    must(dropped === 0, `${dropped} records were dropped`);
    must(ended.length === this.causes.size, `${ended.length} sessions ended, ${this.causes.size} left a record`);
  }

  /** And what must hold when all threads sleep. */
  checkIdle(): void {
    this.check();
    checkIdle(this.rig);
    const { slots: threads, rowsPerThread } = this.rig.memory;
    for (let row = 0; row < threads * rowsPerThread; row++) checkProgress(this.rig, row);
  }

  private readRecord(word: number): void {
    const ring = this.rig.memory.ringsI32;
    const address = ring[word + S.S_CLIENT_ADDR] >>> 16;
    const client = this.rig.world.clients[((address & 255) << 8) + (address >>> 8) - 20_000];
    must(client !== undefined && client.closed !== "no", "a record names no client whose session ended");
    must(!this.causes.has(client.id), `client ${client.id} has a second record`);
    const cause = ring[word + S.S_END_CAUSE] as EndCause;
    must(CAUSES.has(cause) && PHASES.has(ring[word + S.S_END_PHASE]), `client ${client.id}: a record without a cause`);
    this.causes.set(client.id, cause);
    const reason = ring[word + S.S_END_REASON] as CutReason;
    this.reasons.set(client.id, reason);
    must(isReasonFor(reason, cause), `client ${client.id}: reason ${reason} of a session that ended by ${cause}`);
    const f64 = word / 2;
    must(this.records[f64 + S.S_BYTES_DOWN_F64] === client.sent, `client ${client.id}: bytes down in its record`);
    const server = this.servers.get(client.id);
    if (server === undefined) return;
    must(server.closed !== "no", `client ${client.id} has a record, but its server's descriptor is open`);
    if (cause === EndCause.KILLED) {
      must(server.closed === "abortive", `client ${client.id} was cut, but its server's side was closed in good order`);
    }
    if (cause !== EndCause.NORMAL) return;
    must(client.finArrived && client.read === client.peerSent, `client ${client.id}: not all that it sent was read`);
    must(
      server.finArrived && server.read === server.peerSent,
      `client ${client.id}: not all that its server sent was read`,
    );
    must(server.sent === client.read && client.sent === server.read, `client ${client.id}: not all was passed on`);
  }

  /** Cuts a server and holds the answer to its word. */
  async cut(server: ServerEntry, isDisabled: boolean): Promise<void> {
    const before = this.openConnections(server);
    const receipt = await this.rig.commit({ kind: "cut-server", server });
    must(receipt.done && receipt.survivors === 0, `cut of ${server.name}: ${JSON.stringify(receipt)}`);
    fence(before);
    if (!isDisabled) return;
    const row = server.index * SERVER_WORDS;
    must(this.openConnections(server).length === 0, `${server.name} is disabled and cut, and has open connections`);
    must(this.rig.memory.serversI32[row + V_SERVED] === 0, `${server.name} is disabled and cut, and serves sessions`);
    must(this.rig.memory.serversI32[row + V_ATTACHED] === 0, `${server.name} is disabled and cut, and has sessions`);
  }

  /** Cuts a server while a thread is in the middle of its turn, as the control thread may. */
  cutAmidTurn(server: ServerEntry): void {
    const { rig } = this;
    let before: Connection[] = [];
    let sequence = -1;
    const cut = (): void => {
      before = this.openConnections(server);
      Atomics.store(rig.memory.serversI32, server.index * SERVER_WORDS + V_CUT_REASON, CutReason.OPERATOR);
      Atomics.add(rig.memory.serversI32, server.index * SERVER_WORDS + V_CUT_GENERATION, 1);
      sequence = rig.post({ kind: "cut-server", server: server.index, resetClients: false });
    };
    rig.interrupt = cut;
    for (let turns = 0; turns < 20 && sequence < 0 && rig.turnAny(); turns++) rig.world.network(false);
    if (sequence < 0) {
      rig.interrupt = undefined;
      cut();
    }
    rig.runUntilAcknowledged(sequence);
    fence(before);
  }

  /** A session whose server was cut since it chose it starts nothing any more, even before the order reaches its thread. */
  private checkConnect(thread: number, fd: number): void {
    const { sessions, serversI32, rowsPerThread } = this.rig.memory;
    // Of the thread's own rows: another's may still name a descriptor that it has just closed.
    for (let row = thread * rowsPerThread; row < (thread + 1) * rowsPerThread; row++) {
      const base = row * S.SESSION_WORDS;
      if (sessions[base + S.S_SERVER_FD] !== fd || !isLive(sessions[base + S.S_STATE])) continue;
      const server = sessions[base + S.S_SERVER] * SERVER_WORDS;
      const isCurrent = sessions[base + S.S_CUT_GENERATION] === serversI32[server + V_CUT_GENERATION];
      must(isCurrent, "a session that was cut connects to its server");
      checkFence(this.rig, sessions[base + S.S_SERVER]);
      const isNew = sessions[base + S.S_RETRIES] === 0;
      must(!isNew || serversI32[server + V_USABLE] === 1, "a server out of service is given a session");
    }
  }

  private openConnections(server: ServerEntry): Connection[] {
    const found: Connection[] = [];
    for (const descriptor of this.rig.world.descriptors.values()) {
      if (descriptor.kind !== "socket" || descriptor.connection.peer !== "server") continue;
      if (descriptor.connection.port === portOf(server)) found.push(descriptor.connection);
    }
    return found;
  }

  /** Clients that have, or will have, a session. */
  private left(): Connection[] {
    return this.rig.world.clients.filter((client) => client.closed === "no" && !client.aborted);
  }

  /** Peers close, time passes: nothing may be left. */
  async end(): Promise<void> {
    const { world } = this.rig;
    world.faultPercent = 0;
    world.fdLimit = 1000;
    for (const peer of [...world.clients, ...world.servers]) peer.peerReads = true;
    this.rig.advance(2000);
    await this.rig.reconcileDue();
    this.rig.settle();
    this.checkIdle();
    for (const upstream of world.upstreams.values()) upstream.answer = "refuse";
    // Connections still being made get their answer, then everybody leaves.
    for (let round = 0; round < 400 && this.left().length > 0; round++) {
      world.refuseAttempts();
      for (const peer of [...world.clients, ...world.servers]) peer.peerClose(world.random);
      this.rig.advance(500);
      await this.rig.reconcileDue();
    }
    this.rig.settle();
    this.checkIdle();
    const left = this.left();
    must(
      left.length === 0,
      `all peers are gone, but sessions of clients ${left.map((client) => client.id).join()} live`,
    );
    for (const { relay } of this.rig.relays) {
      relay.pipes.closeSpare();
      must(relay.wheel.size === 0, `the timer wheel of thread ${relay.thread} has members`);
      must(relay.pipes.used === 0, `thread ${relay.thread} still uses pipes`);
      must(relay.buffers.used === (relay.readBuffer >= 0 ? 1 : 0), `thread ${relay.thread} still uses buffers`);
    }
    const kept = this.rig.relays.length * 2 + new Set(this.rig.listenerFds).size;
    must(world.descriptors.size === kept, `${world.descriptors.size} descriptors are open, not ${kept}`);
  }
}

const OF_ITSELF = new Set<EndCause>([EndCause.NORMAL, EndCause.CLIENT, EndCause.SERVER, EndCause.RESOURCE]);

/** A reason stands in a record if and only if somebody decided the session's end, and it agrees with the termination state. */
function isReasonFor(reason: CutReason, cause: EndCause): boolean {
  if (reason === CutReason.TIMEOUT) return cause === EndCause.CLIENT_TIMEOUT || cause === EndCause.SERVER_TIMEOUT;
  if (reason !== CutReason.NONE) return cause === endCauseOf(reason);
  return OF_ITSELF.has(cause);
}

/** What was open at a cut is closed at its answer, and delivers nothing more. */
function fence(connections: readonly Connection[]): void {
  for (const connection of connections) {
    must(connection.closed !== "no", `${connection.name} was open at the cut and is open at its answer`);
    connection.fenced = true;
  }
}

/** The simulated upstream's number: its port, or the path of its unix socket. */
export const portOf = (server: ServerEntry): number =>
  server.config.endpoint.kind === "unix" ? Number(server.config.endpoint.path) : server.port;
