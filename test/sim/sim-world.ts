// The simulated machine and its peers: one clock, one descriptor table as a process has it, the connections, the upstream
// servers' listening sockets. Everything by chance comes from one seed.

import { ECONNREFUSED, EMFILE, ENETUNREACH, ENFILE, ENOBUFS, ENOMEM, EPOLLIN } from "../../src/sys/constants.ts";
import { Connection, type Rooms } from "./connection.ts";
import { Random } from "./random.ts";
import { edge, forget, type Pollable, type SimPoll, type Watch } from "./sim-poll.ts";

export class Listener implements Pollable {
  readonly watches: Watch[] = [];
  readonly backlog: Connection[] = [];
  bits(): number {
    return this.backlog.length > 0 ? EPOLLIN : 0;
  }
}

export class Wake implements Pollable {
  readonly watches: Watch[] = [];
  count = 0;
  bits(): number {
    return this.count > 0 ? EPOLLIN : 0;
  }
}

export class Pipe {
  readonly capacity: number;
  source = -1;
  position = 0;
  bytes = 0;
  constructor(capacity: number) {
    this.capacity = capacity;
  }
}

export type Descriptor =
  | { readonly kind: "poll"; readonly poll: SimPoll }
  | { readonly kind: "wake"; readonly wake: Wake }
  | { readonly kind: "listener"; readonly listener: Listener }
  | { readonly kind: "socket"; readonly connection: Connection }
  | { readonly kind: "pipe-read" | "pipe-write"; readonly pipe: Pipe };

/** How an upstream answers connect(): in its own time, or never, or the kernel refuses at once. */
export type UpstreamAnswer = "accept" | "refuse" | "silent" | "unreachable";

export interface Upstream {
  readonly port: number;
  readonly isUnix: boolean;
  answer: UpstreamAnswer;
  delayMs: number;
}

interface Attempt {
  readonly connection: Connection;
  readonly at: number;
  readonly accepted: boolean;
}

/** Sizes of socket buffers, and of what peers send at once, that go together: small ones make many steps of few bytes. */
const SCALES = [
  { rooms: [1, 5, 64], pieces: [1, 3, 60, 200] },
  { rooms: [64, 500, 3000], pieces: [1, 60, 2000, 5000] },
  { rooms: [3000, 70_000, 300_000], pieces: [1, 2000, 65_536, 150_000, 400_000] },
] as const;
const FIRST_FD = 3;

export class SimWorld {
  readonly random: Random;
  now = 1000;
  readonly descriptors = new Map<number, Descriptor>();
  /** Descriptors at most (RLIMIT_NOFILE), and how often a call fails for want of something, in percent. */
  fdLimit = 1000;
  faultPercent = 0;
  /** How many of the peers read what they get as soon as it arrives. */
  readingPercent = 75;
  /** False: splice answers EINVAL. */
  splices = true;
  readonly upstreams = new Map<number, Upstream>();
  readonly clients: Connection[] = [];
  readonly servers: Connection[] = [];
  private attempts: Attempt[] = [];
  /** Called within system calls, so that other threads can act in between. */
  betweenCalls: (thread: number, call: string) => void = () => {};
  /** Sees every connect() before it is made. */
  beforeConnect: (thread: number, fd: number) => void = () => {};

  private readonly scale: (typeof SCALES)[number];

  constructor(seed: number) {
    this.random = new Random(seed);
    this.scale = this.random.pick([...SCALES, SCALES[2]]);
  }

  // Descriptors.

  /** The lowest free number, as Linux gives it; -EMFILE if there is none. */
  open(descriptor: Descriptor): number {
    if (this.descriptors.size >= this.fdLimit) return -EMFILE;
    let fd = FIRST_FD;
    while (this.descriptors.has(fd)) fd++;
    this.descriptors.set(fd, descriptor);
    return fd;
  }

  get(fd: number): Descriptor {
    const found = this.descriptors.get(fd);
    if (found === undefined) throw new Error(`a system call on descriptor ${fd}, which is not open (EBADF)`);
    return found;
  }

  socket(fd: number): Connection {
    const found = this.get(fd);
    if (found.kind !== "socket") throw new Error(`descriptor ${fd} is a ${found.kind}, not a socket`);
    return found.connection;
  }

  close(fd: number, manner: "orderly" | "abortive"): void {
    const found = this.get(fd);
    this.descriptors.delete(fd);
    if (found.kind === "socket") {
      forget(found.connection);
      found.connection.close(manner);
      this.attempts = this.attempts.filter((attempt) => attempt.connection !== found.connection);
    } else if (found.kind === "listener") forget(found.listener);
  }

  /** A resource error now and then, else 0. */
  fault(): number {
    if (this.faultPercent === 0 || !this.random.chance(this.faultPercent)) return 0;
    return -this.random.pick([EMFILE, ENFILE, ENOBUFS, ENOMEM]);
  }

  openListener(): number {
    return this.open({ kind: "listener", listener: new Listener() });
  }

  addUpstream(port: number, isUnix: boolean): Upstream {
    const upstream: Upstream = { port, isUnix, answer: "accept", delayMs: 0 };
    this.upstreams.set(port, upstream);
    return upstream;
  }

  randomRooms(): Rooms {
    const { rooms } = this.scale;
    return { receive: this.random.pick(rooms), send: this.random.pick(rooms), peer: this.random.pick(rooms) };
  }

  /** How many bytes a peer sends at once. */
  pieceBytes(choice: number): number {
    return this.scale.pieces[choice % this.scale.pieces.length];
  }

  // Connections.

  /** A client connects to a listening socket: it is established at once, and waits to be accepted. */
  connectClient(listenerFd: number, rooms: Rooms = this.randomRooms()): Connection {
    const found = this.get(listenerFd);
    if (found.kind !== "listener") throw new Error(`descriptor ${listenerFd} does not listen`);
    const client = new Connection(this.clients.length, "client", false, rooms);
    client.port = 20_000 + client.id;
    client.established = true;
    client.peerReads = this.random.chance(this.readingPercent);
    this.clients.push(client);
    found.listener.backlog.push(client);
    edge(found.listener, this.random);
    return client;
  }

  /** The relay's connect(). */
  connectUpstream(connection: Connection, port: number): number {
    connection.port = port;
    const upstream = this.upstreams.get(port);
    if (upstream === undefined || upstream.answer === "unreachable") return -ENETUNREACH;
    if (upstream.isUnix) {
      if (upstream.answer === "refuse") return -ECONNREFUSED;
      connection.established = true;
      return 0;
    }
    const at = upstream.answer === "silent" ? Number.POSITIVE_INFINITY : this.now + upstream.delayMs;
    this.attempts.push({ connection, at, accepted: upstream.answer === "accept" });
    return 1;
  }

  /** Refuses every connection attempt that is still without an answer. */
  refuseAttempts(): void {
    this.attempts = this.attempts.map(({ connection }) => ({ connection, at: this.now, accepted: false }));
  }

  private answerAttempts(): boolean {
    const due = this.attempts.filter((attempt) => attempt.at <= this.now);
    if (due.length === 0) return false;
    this.attempts = this.attempts.filter((attempt) => attempt.at > this.now);
    for (const { connection, accepted } of due) {
      if (accepted) connection.connected(this.random);
      else connection.failed(ECONNREFUSED, this.random);
    }
    return true;
  }

  /** The network does some of its work, or with `all` as much as it can in one go. True if it did any. */
  network(all: boolean): boolean {
    let moved = this.answerAttempts();
    for (const connection of this.clients) {
      if ((all || this.random.chance(70)) && connection.move(this.random, all)) moved = true;
    }
    for (const connection of this.servers) {
      if ((all || this.random.chance(70)) && connection.move(this.random, all)) moved = true;
    }
    return moved;
  }

  /** When the next connection attempt is answered; infinite if none is under way. */
  nextAnswerAt(): number {
    return this.attempts.reduce((earliest, attempt) => Math.min(earliest, attempt.at), Number.POSITIVE_INFINITY);
  }
}
