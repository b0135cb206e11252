// The real Kernel: libc and nothing else. One instance a thread; its scratch words are that thread's own.

import { EVENTS_MAX, PIPE_BYTES } from "../base/limits.ts";
import {
  CLOCK_MONOTONIC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  F_SETPIPE_SZ,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_PEEK,
  MSG_TRUNC,
  O_CLOEXEC,
  O_NONBLOCK,
  SHUT_WR,
  SIOCOUTQ,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
  TCP_NODELAY,
  TCP_QUICKACK,
} from "./constants.ts";
import type { Kernel } from "./kernel.ts";
import { c, errno } from "./libc.ts";

// struct epoll_event is packed on x86-64 (12 bytes) and naturally aligned elsewhere (16 bytes).
const EVENT_WORDS = process.arch === "x64" ? 3 : 4;
const DATA_WORD = process.arch === "x64" ? 1 : 2;
const SESSION_EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

// Scratch layout, in Int32 words.
const LINGER_WORD = 0; // {1, 0}
const ONE_WORD = 2;
const ZERO_WORD = 3;
const EVENTFD_WORD = 4; // u64 1
const INTEGER_WORD = 6; // out: int
const LENGTH_WORD = 7; // in/out: socklen_t
const ADDRESS_WORD = 8; // out: sockaddr (28 bytes)
const EVENT_WORD = 16; // in: epoll_event
const PIPE_WORD = 20; // out: int[2]
const CLOCK_WORD = 24; // out: struct timespec
const READ_WORD = 28; // out: u64, and the peeked byte
const EVENTS_WORD = 32; // out: epoll_event[]

export class LinuxKernel implements Kernel {
  readonly clock = new Float64Array(1);
  pipeRead = -1;
  pipeWrite = -1;
  private readonly words = new Int32Array(new SharedArrayBuffer((EVENTS_WORD + EVENTS_MAX * EVENT_WORDS) * 4));
  private readonly base: number;
  // Addresses do not fit a small integer, and V8 boxes one anew for each call if it is computed there or read from a field
  // that only ever held doubles. One that once held undefined keeps its box: these calls then allocate nothing.
  private clockAddress: number | undefined = undefined;
  private eventsAddress: number | undefined = undefined;
  private eventAddress: number | undefined = undefined;
  private oneAddress: number | undefined = undefined;
  private lingerAddress: number | undefined = undefined;
  private integerAddress: number | undefined = undefined;
  private wakeAddress: number | undefined = undefined;
  private readAddress: number | undefined = undefined;

  constructor() {
    const words = this.words;
    this.base = c.memmoveAddress(words, words, 0);
    this.clockAddress = this.base + CLOCK_WORD * 4;
    this.eventsAddress = this.base + EVENTS_WORD * 4;
    this.eventAddress = this.base + EVENT_WORD * 4;
    this.oneAddress = this.base + ONE_WORD * 4;
    this.lingerAddress = this.base + LINGER_WORD * 4;
    this.integerAddress = this.base + INTEGER_WORD * 4;
    this.wakeAddress = this.base + EVENTFD_WORD * 4;
    this.readAddress = this.base + READ_WORD * 4;
    words[LINGER_WORD] = 1;
    words[ONE_WORD] = 1;
    words[EVENTFD_WORD] = 1;
    this.readClock();
  }

  readClock(): void {
    c.clockGettime(CLOCK_MONOTONIC, this.clockAddress as number);
    const words = this.words;
    // Seconds since boot fit 32 bits; both words are 64 bits wide in little-endian order.
    this.clock[0] = words[CLOCK_WORD] * 1000 + words[CLOCK_WORD + 2] / 1e6;
  }

  wallMs(): number {
    return Date.now();
  }

  addressOf(view: ArrayBufferView): number {
    return c.memmoveAddress(view, view, 0);
  }

  accept(listener: number, address: number, addressLength: number): number {
    const fd = c.accept4(listener, address, addressLength, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? -errno() : fd;
  }

  streamSocket(family: number): number {
    const fd = c.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno() : fd;
  }

  setNoDelay(fd: number): void {
    c.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, this.oneAddress as number, 4);
  }

  /** Leaves the ACK that ends a handshake to what is sent next. Before `connect`, of a TCP socket. */
  holdAcknowledgement(fd: number): void {
    c.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, this.base + ZERO_WORD * 4, 4);
  }

  connect(fd: number, address: number, length: number): number {
    return c.connect(fd, address, length) < 0 ? -errno() : 0;
  }

  receive(fd: number, address: number, length: number): number {
    const n = c.recv(fd, address, length, MSG_DONTWAIT);
    return n < 0 ? -errno() : n;
  }

  peek(fd: number): number {
    const n = c.recv(fd, this.readAddress as number, 1, MSG_DONTWAIT | MSG_PEEK);
    return n < 0 ? -errno() : n;
  }

  copyWaiting(fd: number, address: number, length: number): number {
    const n = c.recv(fd, address, length, MSG_DONTWAIT | MSG_PEEK);
    return n < 0 ? -errno() : n;
  }

  /** Without a copy for TCP (MSG_TRUNC); a unix socket copies all the same. */
  discard(fd: number, address: number, length: number): number {
    const n = c.recv(fd, address, length, MSG_DONTWAIT | MSG_TRUNC);
    return n < 0 ? -errno() : n;
  }

  send(fd: number, address: number, length: number): number {
    const n = c.send(fd, address, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -errno() : n;
  }

  spliceIn(fd: number, pipe: number, length: number): number {
    const n = c.splice(fd, 0, pipe, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    return n < 0 ? -errno() : n;
  }

  spliceOut(pipe: number, fd: number, length: number): number {
    const n = c.splice(pipe, 0, fd, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    return n < 0 ? -errno() : n;
  }

  openPipe(): number {
    if (c.pipe2(this.base + PIPE_WORD * 4, O_NONBLOCK | O_CLOEXEC) < 0) return -errno();
    this.pipeRead = this.words[PIPE_WORD];
    this.pipeWrite = this.words[PIPE_WORD + 1];
    // A refusal (pipe-user-pages-soft) leaves the default size, which works as well.
    c.fcntl(this.pipeWrite, F_SETPIPE_SZ, PIPE_BYTES);
    return 0;
  }

  shutdownWrite(fd: number): number {
    return c.shutdown(fd, SHUT_WR) < 0 ? -errno() : 0;
  }

  close(fd: number): number {
    return c.close(fd) < 0 ? -errno() : 0;
  }

  closeAbortively(fd: number): number {
    c.setsockopt(fd, SOL_SOCKET, SO_LINGER, this.lingerAddress as number, 8);
    return c.close(fd) < 0 ? -errno() : 0;
  }

  setKeepalive(fd: number): number {
    return c.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, this.oneAddress as number, 4) < 0 ? -errno() : 0;
  }

  unacknowledged(fd: number): number {
    return c.ioctl(fd, SIOCOUTQ, this.integerAddress as number) < 0 ? -errno() : this.words[INTEGER_WORD];
  }

  socketError(fd: number): number {
    this.words[LENGTH_WORD] = 4;
    this.words[INTEGER_WORD] = 0;
    c.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.base + INTEGER_WORD * 4, this.base + LENGTH_WORD * 4);
    return this.words[INTEGER_WORD];
  }

  localPort(fd: number): number {
    this.words[LENGTH_WORD] = 28;
    if (c.getsockname(fd, this.base + ADDRESS_WORD * 4, this.base + LENGTH_WORD * 4) < 0) return -errno();
    const port = this.words[ADDRESS_WORD] >>> 16; // network byte order
    return ((port & 255) << 8) | (port >>> 8);
  }

  localAddress(fd: number, address: number): number {
    this.words[LENGTH_WORD] = 28;
    return c.getsockname(fd, address, this.base + LENGTH_WORD * 4) < 0 ? -errno() : 0;
  }

  peerAddress(fd: number, address: number): number {
    this.words[LENGTH_WORD] = 28;
    return c.getpeername(fd, address, this.base + LENGTH_WORD * 4) < 0 ? -errno() : 0;
  }

  private control(poll: number, op: number, fd: number, events: number, low: number, high: number): number {
    const words = this.words;
    words[EVENT_WORD] = events;
    words[EVENT_WORD + DATA_WORD] = low;
    words[EVENT_WORD + DATA_WORD + 1] = high;
    return c.epollCtl(poll, op, fd, this.eventAddress as number) < 0 ? -errno() : 0;
  }

  watch(poll: number, fd: number, low: number, high: number): number {
    return this.control(poll, EPOLL_CTL_ADD, fd, SESSION_EVENTS, low, high);
  }

  watchReadable(poll: number, fd: number, low: number, high: number, exclusive: boolean): number {
    return this.control(poll, EPOLL_CTL_ADD, fd, exclusive ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN, low, high);
  }

  unwatch(poll: number, fd: number): number {
    return this.control(poll, EPOLL_CTL_DEL, fd, 0, 0, 0);
  }

  openPoll(): number {
    const fd = c.epollCreate1(O_CLOEXEC);
    return fd < 0 ? -errno() : fd;
  }

  wait(poll: number, timeoutMs: number): number {
    const n = c.epollWait(poll, this.eventsAddress as number, EVENTS_MAX, timeoutMs);
    return n < 0 ? -errno() : n;
  }

  eventBits(index: number): number {
    return this.words[EVENTS_WORD + index * EVENT_WORDS];
  }

  eventLow(index: number): number {
    return this.words[EVENTS_WORD + index * EVENT_WORDS + DATA_WORD];
  }

  eventHigh(index: number): number {
    return this.words[EVENTS_WORD + index * EVENT_WORDS + DATA_WORD + 1];
  }

  openWake(): number {
    const fd = c.eventfd(0, O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno() : fd;
  }

  wake(fd: number): number {
    return c.write(fd, this.wakeAddress as number, 8) < 0 ? -errno() : 0;
  }

  takeWake(fd: number): number {
    return c.read(fd, this.readAddress as number, 8) < 0 ? -errno() : 0;
  }
}
