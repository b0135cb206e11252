// One connection of the simulated world, TCP or unix: the relay's end as the kernel sees it, and the peer's end as its
// program does. Bytes are counted, not kept (see stream-content.ts). What leaves the relay's end is checked as it leaves.

import {
  EAGAIN,
  ECONNRESET,
  EPIPE,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
} from "../../src/sys/constants.ts";
import type { Random } from "./random.ts";
import { edge, type Pollable, type Watch } from "./sim-poll.ts";
import { isStream, writeStream } from "./stream-content.ts";

export interface Rooms {
  /** Bytes the relay's end holds for reading and for sending, and the peer's end for reading. */
  readonly receive: number;
  readonly send: number;
  readonly peer: number;
}

export class Connection implements Pollable {
  /** Number of this connection, and of the stream that its peer sends. */
  readonly id: number;
  readonly peer: "client" | "server";
  readonly isUnix: boolean;
  readonly rooms: Rooms;
  readonly watches: Watch[] = [];
  /** Port of the upstream; -1 before connect(). Clients: their own port. */
  port = -1;
  established = false;
  /** Peer to relay: sent by the peer, arrived at the relay's end, read by the relay. */
  peerSent = 0;
  arrived = 0;
  read = 0;
  peerFin = false;
  finArrived = false;
  /** Relay to peer: taken by the relay's end, arrived at the peer's end, read by the peer. */
  sent = 0;
  delivered = 0;
  peerRead = 0;
  relayFin = false;
  finDelivered = false;
  /** The stream that the relay sends here: the number of the connection that it comes from, -1 before the first byte. */
  source = -1;
  /** Pending error of the relay's end, and whether the connection is dead there. */
  error = 0;
  dead = false;
  /** How the relay closed it. */
  closed: "no" | "orderly" | "abortive" = "no";
  /** What the peer met: a reset by the relay. */
  peerReset = false;
  /** The peer's program closed its socket, or reset it. */
  peerGone = false;
  peerReads = true;
  /** A write found no room: the next room is an edge. */
  wantsRoom = false;
  /** A client that gave up before it was accepted: there never was a session. */
  aborted = false;
  /** Bytes must not be delivered any more. */
  fenced = false;

  constructor(id: number, peer: "client" | "server", isUnix: boolean, rooms: Rooms) {
    this.id = id;
    this.peer = peer;
    this.isUnix = isUnix;
    this.rooms = rooms;
  }

  private roomLeft(): number {
    return this.rooms.send - (this.sent - this.delivered);
  }

  bits(): number {
    let bits = 0;
    if (this.error !== 0) bits |= EPOLLERR;
    if (this.dead) return bits | EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLOUT;
    if (!this.established) return bits;
    if (this.arrived > this.read || this.finArrived) bits |= EPOLLIN;
    if (this.finArrived) bits |= EPOLLRDHUP;
    if (this.finArrived && (this.relayFin || (this.isUnix && this.peerGone))) bits |= EPOLLHUP;
    // Linux calls a socket writable when a third of its send buffer is free.
    if (this.relayFin || this.roomLeft() * 3 >= this.rooms.send) bits |= EPOLLOUT;
    return bits;
  }

  // The relay's end.

  private takeError(): number {
    const error = this.error;
    this.error = 0;
    return error;
  }

  /** Error of the last failure, taken. */
  socketError(): number {
    return this.takeError();
  }

  /** Bytes that could be read now; 0 at the end of the stream; -errno. Takes a pending error. */
  readable(): number {
    if (this.arrived > this.read) return this.arrived - this.read;
    if (this.error !== 0) return -this.takeError();
    return this.finArrived || this.dead ? 0 : -EAGAIN;
  }

  receive(memory: Uint8Array, at: number, length: number): number {
    const n = this.copyWaiting(memory, at, length);
    if (n > 0) this.read += n;
    return n;
  }

  /** As `receive`; the bytes stay. */
  copyWaiting(memory: Uint8Array, at: number, length: number): number {
    const n = Math.min(this.readable(), length);
    if (n > 0) writeStream(memory, at, n, this.id, this.read);
    return n;
  }

  /** How many of `length` bytes can be taken now; -errno. */
  private takeable(length: number, random: Random): number {
    if (this.error !== 0) return -this.takeError();
    if (this.dead || this.relayFin || (this.isUnix && this.peerGone)) return -EPIPE;
    const room = this.roomLeft();
    // Short of memory, the kernel takes less than there is room for.
    const n = random.chance(15) ? random.below(Math.max(1, Math.min(room, length))) : Math.min(room, length);
    if (n < length) this.wantsRoom = true;
    return n <= 0 ? -EAGAIN : n;
  }

  send(memory: Uint8Array, at: number, length: number, random: Random): number {
    const n = this.takeable(length, random);
    if (n < 0) return n;
    if (this.source < 0) this.source = memory[at];
    if (!isStream(memory, at, n, this.source, this.sent)) {
      throw new Error(`${this.name}: bytes at ${this.sent} are not those of stream ${this.source} at that place`);
    }
    this.sent += n;
    return n;
  }

  /** As `send`, for bytes that are in a pipe: `position` of stream `source`. */
  sendFromPipe(source: number, position: number, length: number, random: Random): number {
    const n = this.takeable(length, random);
    if (n < 0) return n;
    if (this.source < 0) this.source = source;
    if (this.source !== source || this.sent !== position) {
      throw new Error(
        `${this.name}: got stream ${source} at ${position} after stream ${this.source} up to ${this.sent}`,
      );
    }
    this.sent += n;
    return n;
  }

  /** Bytes that the relay has sent and that have not reached the peer. */
  get unacknowledged(): number {
    return this.dead ? 0 : this.sent - this.delivered;
  }

  shutdownWrite(random: Random): void {
    this.relayFin = true;
    edge(this, random);
  }

  close(manner: "orderly" | "abortive"): void {
    this.closed = manner;
    if (!this.established || this.dead) return;
    if (this.isUnix) {
      // A unix socket's bytes are with the peer as soon as they are sent; unread ones of ours reset the peer.
      if (this.arrived > this.read) this.peerReset = true;
      this.delivered = this.sent;
      this.relayFin = true;
      return;
    }
    if (manner === "abortive" || this.arrived > this.read || this.peerGone) this.die();
    else this.relayFin = true;
  }

  /** The connection ends here and now: a reset goes to the peer, what waited to be sent is discarded. */
  private die(): void {
    this.dead = true;
    this.peerReset = true;
  }

  // The world between the two ends.

  connected(random: Random): void {
    this.established = true;
    edge(this, random);
  }

  failed(errno: number, random: Random): void {
    this.error = errno;
    this.dead = true;
    edge(this, random);
  }

  /** Moves some of what is under way. True if anything moved. */
  move(random: Random, all: boolean): boolean {
    if (!this.established || this.dead) return false;
    return [this.moveToRelay(random, all), this.moveToPeer(random, all)].includes(true);
  }

  private moveToRelay(random: Random, all: boolean): boolean {
    if (this.closed !== "no") {
      // Bytes for a socket that is closed already are answered with a reset.
      if (this.peerSent > this.arrived && !this.isUnix) {
        this.die();
        return true;
      }
      return false;
    }
    const most = Math.min(this.peerSent - this.arrived, this.rooms.receive - (this.arrived - this.read));
    const n = most > 0 && !all && random.chance(50) ? random.between(1, most) : most;
    const fin = this.peerFin && !this.finArrived && this.arrived + n === this.peerSent && (all || random.chance(60));
    if (n <= 0 && !fin) return false;
    this.arrived += n;
    if (fin) this.finArrived = true;
    edge(this, random);
    return true;
  }

  private moveToPeer(random: Random, all: boolean): boolean {
    if (this.isUnix && this.peerGone) return false;
    const most = Math.max(0, Math.min(this.sent - this.delivered, this.rooms.peer - (this.delivered - this.peerRead)));
    const n = most > 0 && !all && random.chance(50) ? random.between(1, most) : most;
    if (n > 0 && this.fenced) throw new Error(`${this.name}: bytes reach the server after the cut was acknowledged`);
    if (n > 0 && this.peerGone) {
      this.resetByPeer(random);
      return true;
    }
    this.delivered += n;
    if (this.peerReads) this.peerRead = this.delivered;
    const fin = this.relayFin && !this.finDelivered && this.delivered === this.sent;
    if (fin) {
      this.finDelivered = true;
      // The acknowledgement of a FIN is a change of state, which wakes whoever watches.
      if (this.closed === "no") edge(this, random);
    }
    if (this.closed === "no" && this.wantsRoom && this.roomLeft() * 3 >= this.rooms.send) {
      this.wantsRoom = false;
      edge(this, random);
      return true;
    }
    return n > 0 || fin;
  }

  // The peer's program.

  peerSend(bytes: number): void {
    if (!this.peerFin && !this.peerGone && !this.peerReset) this.peerSent += bytes;
  }

  peerShutdown(): void {
    this.peerFin = true;
  }

  peerClose(random: Random): void {
    if (this.peerGone) return;
    if (this.delivered > this.peerRead && !this.isUnix) {
      this.resetByPeer(random);
      return;
    }
    this.peerGone = true;
    this.peerFin = true;
    if (this.isUnix) {
      this.arrived = this.peerSent;
      this.finArrived = true;
      if (this.closed === "no") edge(this, random);
    }
  }

  /** The peer resets: what was under way in either direction is lost, what has arrived can still be read. */
  resetByPeer(random: Random): void {
    if (this.isUnix && !this.peerGone) {
      this.peerClose(random);
      return;
    }
    this.peerGone = true;
    this.peerFin = true;
    if (this.dead) return;
    this.dead = true;
    if (this.closed !== "no" || !this.established) return;
    this.error = this.finArrived ? EPIPE : ECONNRESET;
    edge(this, random);
  }

  get name(): string {
    return `${this.peer} connection ${this.id} (port ${this.port})`;
  }
}
