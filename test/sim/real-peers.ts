// Peers on real sockets of 127.0.0.1, driven without waiting from the test's own thread: each sends a numbered stream and
// checks that what it gets is one stream from its start on.

import { AF_INET, EAGAIN, EINPROGRESS, SOL_SOCKET } from "../../src/sys/constants.ts";
import { c } from "../../src/sys/libc.ts";
import { LinuxKernel } from "../../src/sys/linux-kernel.ts";
import { isStream, writeStream } from "./stream-content.ts";

const SO_RCVBUF = 8;
const PIECE_BYTES = 1 << 16;

/** The peers' own way to the kernel. */
export const kernel = new LinuxKernel();

const piece = new Uint8Array(new SharedArrayBuffer(PIECE_BYTES));
const pieceAddress = kernel.addressOf(piece);
const numbers = new Int32Array(new SharedArrayBuffer(128));
const numbersAddress = kernel.addressOf(numbers);

function loopback(port: number): Uint8Array {
  const sockaddr = new Uint8Array(numbers.buffer, 64, 16);
  sockaddr.set([AF_INET, 0, port >>> 8, port & 255, 127, 0, 0, 1]);
  return sockaddr;
}

/** Asks for a small receive buffer, so that a peer that does not read fills it soon. */
function shrink(fd: number): void {
  numbers[0] = 4096;
  c.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, numbersAddress, 4);
}

/** A listening socket on a port that the kernel chose. */
export function openListener(): { fd: number; port: number } {
  const fd = kernel.streamSocket(AF_INET);
  shrink(fd);
  if (c.bind(fd, loopback(0), 16) < 0 || c.listen(fd, 64) < 0) throw new Error("cannot listen on 127.0.0.1");
  return { fd, port: kernel.localPort(fd) };
}

export class RealPeer {
  readonly id: number;
  readonly fd: number;
  sent = 0;
  received = 0;
  /** Stream that it gets, -1 before the first byte. */
  source = -1;
  reads = true;
  hasShut = false;
  /** What the last read said: 0 while open, 1 at the end of the stream, or -errno. */
  ended = 0;
  isClosed = false;

  constructor(id: number, fd: number) {
    this.id = id;
    this.fd = fd;
  }

  /** Sends up to `bytes`, as many as the kernel takes. */
  send(bytes: number): void {
    if (this.isClosed || this.hasShut) return;
    for (let left = bytes; left > 0; ) {
      const n = Math.min(left, PIECE_BYTES);
      writeStream(piece, 0, n, this.id, this.sent);
      const taken = kernel.send(this.fd, pieceAddress, n);
      if (taken <= 0) return;
      this.sent += taken;
      left -= taken;
    }
  }

  /** Reads all that is there. */
  read(): void {
    for (let round = 0; round < 10_000 && !this.isClosed && this.ended === 0; round++) {
      const n = kernel.receive(this.fd, pieceAddress, PIECE_BYTES);
      if (n === -EAGAIN) return;
      if (n <= 0) {
        this.ended = n === 0 ? 1 : n;
        return;
      }
      if (this.source < 0) this.source = piece[0];
      if (!isStream(piece, 0, n, this.source, this.received)) {
        throw new Error(`peer ${this.id}: bytes at ${this.received} are not those of stream ${this.source} there`);
      }
      this.received += n;
    }
  }

  shutdown(): void {
    if (this.isClosed || this.hasShut) return;
    this.hasShut = true;
    kernel.shutdownWrite(this.fd);
  }

  close(isAbortive: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (isAbortive) kernel.closeAbortively(this.fd);
    else kernel.close(this.fd);
  }
}

/** A client of the port; undefined if the kernel refuses at once. */
export function connectClient(id: number, port: number): RealPeer | undefined {
  const fd = kernel.streamSocket(AF_INET);
  shrink(fd);
  loopback(port);
  const answer = kernel.connect(fd, numbersAddress + 64, 16);
  if (answer === 0 || answer === -EINPROGRESS) return new RealPeer(id, fd);
  kernel.close(fd);
  return undefined;
}

/** Takes what waits at an upstream's listening socket. */
export function acceptAll(listener: number, firstId: number): RealPeer[] {
  const accepted: RealPeer[] = [];
  for (let round = 0; round < 100; round++) {
    numbers[4] = 28;
    const fd = kernel.accept(listener, numbersAddress + 64, numbersAddress + 16);
    if (fd < 0) break;
    accepted.push(new RealPeer(firstId + accepted.length, fd));
  }
  return accepted;
}
