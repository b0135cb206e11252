// The `Kernel` of one simulated relay thread. A thread with nothing to do sleeps: `wait` throws ASLEEP, and the driver tries
// again when an event or the clock may have woken it, so a relay that sleeps on work that it owes is found out.

import {
  AF_INET,
  AF_UNIX,
  EAGAIN,
  ECONNABORTED,
  EINPROGRESS,
  EINVAL,
  EMFILE,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
} from "../../src/sys/constants.ts";
import type { Kernel } from "../../src/sys/kernel.ts";
import { Connection } from "./connection.ts";
import { type Pollable, type SimEvent, SimPoll } from "./sim-poll.ts";
import { Pipe, type SimWorld, Wake } from "./sim-world.ts";

/** Thrown by `wait` when the thread goes to sleep, and while it does. */
export const ASLEEP = Symbol("asleep");

const SOCKET_MASK = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP;
const PIPE_ROOMS = [100, 20_000, 70_000, 1 << 20] as const;

interface Range {
  readonly start: number;
  readonly bytes: Uint8Array;
}

export class SimKernel implements Kernel {
  readonly clock = new Float64Array(1);
  pipeRead = -1;
  pipeWrite = -1;
  /** Names of the calls made, while somebody wants to know. */
  trace: string[] | undefined;
  /** A wait returns all that is there, not just some of it. */
  takesAll = false;
  /** Puts the events of a wait into an order that a test needs. */
  arrange: (events: SimEvent[]) => SimEvent[] = (events) => events;
  private readonly world: SimWorld;
  private readonly thread: number;
  private readonly ranges: Range[] = [];
  private nextAddress = 1 << 30;
  private batch: readonly SimEvent[] = [];
  /** undefined while awake; else when it wakes by itself. */
  private sleepsUntil: number | undefined;

  constructor(world: SimWorld, thread: number) {
    this.world = world;
    this.thread = thread;
  }

  private enter(call: string): void {
    this.trace?.push(call);
    this.world.betweenCalls(this.thread, call);
  }

  readClock(): void {
    this.clock[0] = this.world.now;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.world.now;
  }

  addressOf(view: ArrayBufferView): number {
    const start = this.nextAddress;
    this.ranges.push({ start, bytes: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) });
    this.nextAddress += Math.ceil(view.byteLength / 4096) * 4096 + 4096;
    return start;
  }

  /** The memory at `address`, `length` bytes of which must be mapped. */
  private at(address: number, length: number): Uint8Array {
    for (const { start, bytes } of this.ranges) {
      if (address < start || address + length > start + bytes.length) continue;
      return bytes.subarray(address - start, address - start + length);
    }
    throw new Error(`address ${address} (+${length}) is not mapped (EFAULT)`);
  }

  accept(listener: number, address: number, addressLength: number): number {
    this.enter("accept");
    const found = this.world.get(listener);
    if (found.kind !== "listener") throw new Error("accept on something that does not listen");
    const fault = this.world.fault();
    if (fault < 0) return fault;
    const { backlog } = found.listener;
    if (backlog.length === 0) return -EAGAIN;
    if (backlog[0].dead && this.world.random.chance(50)) {
      backlog[0].aborted = true;
      backlog.shift();
      return -ECONNABORTED;
    }
    const client = backlog[0];
    const fd = this.world.open({ kind: "socket", connection: client });
    if (fd < 0) return fd;
    backlog.shift();
    const sockaddr = this.at(address, 28);
    sockaddr.set([AF_INET, 0, client.port >>> 8, client.port & 255, 127, 0, 0, 1 + (client.id % 5)]);
    this.at(addressLength, 4).set([16, 0, 0, 0]);
    return fd;
  }

  streamSocket(family: number): number {
    this.enter("socket");
    const fault = this.world.fault();
    if (fault < 0) return fault;
    const { servers } = this.world;
    const connection = new Connection(servers.length, "server", family === AF_UNIX, this.world.randomRooms());
    const fd = this.world.open({ kind: "socket", connection });
    connection.peerReads = this.world.random.chance(this.world.readingPercent);
    if (fd >= 0) servers.push(connection);
    return fd;
  }

  connect(fd: number, address: number, length: number): number {
    this.enter("connect");
    const bytes = this.at(address, length);
    const connection = this.world.socket(fd);
    this.world.beforeConnect(this.thread, fd);
    if (this.world.faultPercent > 0 && this.world.random.chance(10)) return -EAGAIN;
    const path = (): number => Number(Buffer.from(bytes).toString("latin1", 2, length - 1));
    const port = connection.isUnix ? path() : bytes[2] * 256 + bytes[3];
    const answer = this.world.connectUpstream(connection, port);
    return answer > 0 ? -EINPROGRESS : answer;
  }

  receive(fd: number, address: number, length: number): number {
    this.enter(`receive ${fd}`);
    return this.world.socket(fd).receive(this.at(address, length), 0, length);
  }

  peek(fd: number): number {
    this.enter(`peek ${fd}`);
    return Math.min(1, this.world.socket(fd).readable());
  }

  copyWaiting(fd: number, address: number, length: number): number {
    this.enter(`peek ${fd}`);
    return this.world.socket(fd).copyWaiting(this.at(address, length), 0, length);
  }

  discard(fd: number, address: number, length: number): number {
    this.enter(`discard ${fd}`);
    return this.world.socket(fd).receive(this.at(address, length), 0, length);
  }

  send(fd: number, address: number, length: number): number {
    this.enter(`send ${fd}`);
    return this.world.socket(fd).send(this.at(address, length), 0, length, this.world.random);
  }

  private pipe(fd: number, kind: "pipe-read" | "pipe-write"): Pipe {
    const found = this.world.get(fd);
    if (found.kind !== kind) throw new Error(`descriptor ${fd} is a ${found.kind}, not a ${kind}`);
    return (found as { pipe: Pipe }).pipe;
  }

  spliceIn(fd: number, pipe: number, length: number): number {
    this.enter(`splice-in ${fd}`);
    const into = this.pipe(pipe, "pipe-write");
    const socket = this.world.socket(fd);
    if (!this.world.splices) return -EINVAL;
    if (into.bytes === into.capacity) return -EAGAIN;
    const n = Math.min(socket.readable(), length, into.capacity - into.bytes);
    if (n <= 0) return n;
    if (into.bytes > 0 && (into.source !== socket.id || into.position + into.bytes !== socket.read)) {
      throw new Error(`a pipe with bytes of stream ${into.source} gets others, of ${socket.name}`);
    }
    if (into.bytes === 0) into.position = socket.read;
    into.source = socket.id;
    into.bytes += n;
    socket.read += n;
    return n;
  }

  spliceOut(pipe: number, fd: number, length: number): number {
    this.enter(`splice-out ${fd}`);
    const from = this.pipe(pipe, "pipe-read");
    if (from.bytes === 0) return -EAGAIN;
    const most = Math.min(length, from.bytes);
    const n = this.world.socket(fd).sendFromPipe(from.source, from.position, most, this.world.random);
    if (n > 0) {
      from.bytes -= n;
      from.position += n;
    }
    return n;
  }

  openPipe(): number {
    this.enter("pipe");
    const fault = this.world.fault();
    if (fault < 0) return fault;
    const pipe = new Pipe(this.world.random.pick(PIPE_ROOMS));
    const read = this.world.open({ kind: "pipe-read", pipe });
    if (read < 0) return read;
    const write = this.world.open({ kind: "pipe-write", pipe });
    if (write < 0) {
      this.world.close(read, "orderly");
      return -EMFILE;
    }
    this.pipeRead = read;
    this.pipeWrite = write;
    return 0;
  }

  shutdownWrite(fd: number): number {
    this.enter(`shutdown ${fd}`);
    this.world.socket(fd).shutdownWrite(this.world.random);
    return 0;
  }

  close(fd: number): number {
    this.enter(`close ${fd}`);
    this.world.close(fd, "orderly");
    return 0;
  }

  closeAbortively(fd: number): number {
    this.enter(`reset ${fd}`);
    this.world.close(fd, "abortive");
    return 0;
  }

  setNoDelay(fd: number): void {
    this.world.socket(fd);
  }

  setKeepalive(fd: number): number {
    this.world.socket(fd);
    return 0;
  }

  unacknowledged(fd: number): number {
    const { sent, delivered, relayFin, finDelivered } = this.world.socket(fd);
    return sent - delivered + (relayFin && !finDelivered ? 1 : 0);
  }

  socketError(fd: number): number {
    return this.world.socket(fd).socketError();
  }

  localPort(fd: number): number {
    this.world.socket(fd);
    return 4000;
  }

  /** Addresses are not simulated: no simulated frontend logs them. */
  localAddress(fd: number): number {
    this.world.socket(fd);
    return -EINVAL;
  }

  peerAddress(fd: number): number {
    this.world.socket(fd);
    return -EINVAL;
  }

  private pollable(fd: number): Pollable {
    const found = this.world.get(fd);
    if (found.kind === "socket") return found.connection;
    if (found.kind === "listener") return found.listener;
    if (found.kind === "wake") return found.wake;
    throw new Error(`descriptor ${fd} is a ${found.kind}, which nobody watches`);
  }

  private poll(fd: number): SimPoll {
    const found = this.world.get(fd);
    if (found.kind !== "poll") throw new Error(`descriptor ${fd} is a ${found.kind}, not a poll`);
    return found.poll;
  }

  watch(poll: number, fd: number, low: number, high: number): number {
    this.enter(`watch ${fd}`);
    const fault = this.world.fault();
    if (fault < 0) return fault;
    const target = this.pollable(fd);
    this.poll(poll).add({ target, mask: SOCKET_MASK, low, high, isEdge: true, isExclusive: false });
    return 0;
  }

  watchReadable(poll: number, fd: number, low: number, high: number, exclusive: boolean): number {
    const fault = this.world.fault();
    if (fault < 0) return fault;
    const target = this.pollable(fd);
    this.poll(poll).add({ target, mask: EPOLLIN, low, high, isEdge: false, isExclusive: exclusive });
    return 0;
  }

  unwatch(poll: number, fd: number): number {
    if (!this.poll(poll).remove(this.pollable(fd))) throw new Error(`descriptor ${fd} was not watched (ENOENT)`);
    return 0;
  }

  openPoll(): number {
    return this.world.open({ kind: "poll", poll: new SimPoll() });
  }

  /** True if the thread would wake up now. */
  isAwake(poll: number): boolean {
    const until = this.sleepsUntil;
    return until === undefined || until <= this.world.now || this.poll(poll).hasEvents();
  }

  /** When it wakes up by itself; infinite if never. */
  wakesAt(): number {
    return this.sleepsUntil ?? this.world.now;
  }

  wait(poll: number, timeoutMs: number): number {
    // A thread goes to sleep right after its last turn: what others do later does not change how long.
    const isNew = this.sleepsUntil === undefined;
    this.sleepsUntil ??= timeoutMs < 0 ? Number.POSITIVE_INFINITY : this.world.now + timeoutMs;
    if (isNew || !this.isAwake(poll)) throw ASLEEP;
    this.sleepsUntil = undefined;
    const { random } = this.world;
    this.batch = this.arrange(
      this.poll(poll).collect(this.takesAll || random.chance(50) ? 512 : random.between(1, 4), random),
    );
    return this.batch.length;
  }

  eventBits(index: number): number {
    return this.batch[index].bits;
  }

  eventLow(index: number): number {
    return this.batch[index].low;
  }

  eventHigh(index: number): number {
    return this.batch[index].high;
  }

  openWake(): number {
    return this.world.open({ kind: "wake", wake: new Wake() });
  }

  wake(fd: number): number {
    const found = this.world.get(fd);
    if (found.kind !== "wake") throw new Error(`descriptor ${fd} is a ${found.kind}, nothing to wake by`);
    found.wake.count++;
    for (const watch of found.wake.watches) watch.poll.markReady(watch);
    return 0;
  }

  takeWake(fd: number): number {
    const found = this.world.get(fd);
    if (found.kind === "wake") found.wake.count = 0;
    return 0;
  }
}
