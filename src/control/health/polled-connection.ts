// A check's connection as a bare descriptor: non-blocking calls, made when the checks' epoll says so. For IP addresses and unix
// sockets without TLS, which is what thousands of servers are checked by. Control thread.

import { ipSockaddr, isIpAddress, unixSockaddr } from "../../base/address.ts";
import {
  AF_UNIX,
  EAGAIN,
  EINPROGRESS,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
} from "../../sys/constants.ts";
import { errorName, errorText } from "../../sys/libc.ts";
import type { CheckPoll } from "./check-poll.ts";
import type { CheckConnection, CheckTarget, ConnectionError, ConnectionPhase } from "./connection.ts";
import { ANSWER_SIZE_BYTES } from "./script.ts";

/** Scratch memory of all connections: each call is done with it before the next begins. */
interface Scratch {
  readonly bytes: Buffer;
  readonly at: number;
}

const scratches = new WeakMap<CheckPoll, Scratch>();

function scratchOf(poll: CheckPoll): Scratch {
  let scratch = scratches.get(poll);
  if (scratch === undefined) {
    const bytes = Buffer.from(new SharedArrayBuffer(ANSWER_SIZE_BYTES));
    scratch = { bytes, at: poll.kernel.addressOf(bytes) };
    scratches.set(poll, scratch);
  }
  return scratch;
}

export interface PolledOptions {
  /** Closes in good order; otherwise with a reset. */
  readonly linger: boolean;
  /** Nothing is sent before something has come. */
  readonly hearsFirst: boolean;
}

export class PolledConnection implements CheckConnection {
  phase: ConnectionPhase = "connecting";
  ended = false;
  error: ConnectionError | undefined;
  readonly #poll: CheckPoll;
  readonly #scratch: Scratch;
  readonly #isAbortive: boolean;
  #fd = -1;
  #isReadable = false;
  /** The peer or the connection is gone: no further event will announce what is left to read. */
  #isClosing = false;
  #unsent: Uint8Array | undefined;

  /** Connects to a sockaddr. The events of the poll's slot are for `onEvents`. */
  constructor(poll: CheckPoll, slot: number, address: Uint8Array, { linger, hearsFirst }: PolledOptions) {
    this.#poll = poll;
    this.#scratch = scratchOf(poll);
    const { kernel } = poll;
    const family = address[0] ?? 0;
    this.#isAbortive = !linger && family !== AF_UNIX;
    const fd = kernel.streamSocket(family);
    if (fd < 0) {
      this.#fail(fd);
      return;
    }
    this.#fd = fd;
    // The handshake's last ACK then goes with what follows it: a request, or the reset that ends a plain check, which the server's
    // program so never hears of. One that speaks first has to hear of it at once.
    if (family !== AF_UNIX && !hearsFirst) kernel.holdAcknowledgement(fd);
    this.#scratch.bytes.set(address);
    const result = kernel.connect(fd, this.#scratch.at, address.length);
    if (result === 0) this.phase = "open";
    else if (result !== -EINPROGRESS) {
      this.#fail(result);
      return;
    }
    const watched = poll.watch(slot, fd);
    if (watched < 0) this.#fail(watched);
  }

  onEvents(bits: number): void {
    if (this.#fd < 0 || this.error !== undefined) return;
    if (this.phase === "connecting") {
      const errno = (bits & (EPOLLERR | EPOLLHUP)) === 0 ? 0 : this.#poll.kernel.socketError(this.#fd);
      if (errno !== 0) {
        this.#fail(-errno);
        return;
      }
      if ((bits & (EPOLLOUT | EPOLLHUP)) === 0) return;
      this.phase = "open";
    }
    if ((bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.#isClosing = true;
    if ((bits & EPOLLIN) !== 0 || this.#isClosing) this.#isReadable = true;
    if ((bits & EPOLLOUT) !== 0) this.#flush();
  }

  get sending(): boolean {
    return this.#unsent !== undefined;
  }

  get isOver(): boolean {
    return this.ended || (this.error !== undefined && !this.#isReadable);
  }

  send(bytes: Uint8Array): void {
    this.#unsent = bytes;
    this.#flush();
  }

  #flush(): void {
    const { kernel } = this.#poll;
    while (this.#unsent !== undefined) {
      const piece =
        this.#unsent.length > ANSWER_SIZE_BYTES ? this.#unsent.subarray(0, ANSWER_SIZE_BYTES) : this.#unsent;
      this.#scratch.bytes.set(piece);
      const sent = kernel.send(this.#fd, this.#scratch.at, piece.length);
      if (sent < 0) {
        if (sent !== -EAGAIN) this.#fail(sent);
        return;
      }
      this.#unsent = sent === this.#unsent.length ? undefined : this.#unsent.subarray(sent);
    }
  }

  take(sizeBytes: number): Buffer | undefined {
    if (!this.#isReadable || this.ended || this.#fd < 0) return undefined;
    const wanted = Math.min(sizeBytes, ANSWER_SIZE_BYTES);
    const n = this.#poll.kernel.receive(this.#fd, this.#scratch.at, wanted);
    if (n > 0) {
      // Less than asked for: there was no more, and an event will tell of what comes.
      this.#isReadable = n === wanted || this.#isClosing;
      return Buffer.from(this.#scratch.bytes.subarray(0, n));
    }
    this.#isReadable = false;
    if (n === 0) this.ended = true;
    else if (n !== -EAGAIN) this.#fail(n);
    return undefined;
  }

  close(): void {
    if (this.#fd < 0) return;
    const { kernel } = this.#poll;
    if (this.#isAbortive && this.phase === "open") kernel.closeAbortively(this.#fd);
    else kernel.close(this.#fd);
    this.#fd = -1;
  }

  #fail(result: number): void {
    this.error ??= { code: errorName(-result), message: errorText(-result) };
  }
}

/** Addresses in the kernel's form, by host and port: servers are few, and checked again and again. */
const addresses = new Map<string, Map<number, Uint8Array>>();
const ADDRESSES_MAX = 32_768;
let addressCount = 0;

/** A target as the kernel takes it; undefined for a host name. Throws RangeError for a socket's path that is too long. */
export function sockaddrOf(target: CheckTarget): Uint8Array | undefined {
  if ("path" in target) {
    const isAbstract = target.path.startsWith("\0");
    return unixSockaddr(isAbstract ? target.path.slice(1) : target.path, isAbstract);
  }
  const { host, port } = target;
  const known = addresses.get(host)?.get(port);
  if (known !== undefined) return known;
  if (!isIpAddress(host)) return undefined;
  if (addressCount >= ADDRESSES_MAX) {
    addresses.clear();
    addressCount = 0;
  }
  const address = ipSockaddr(host, port);
  const ports = addresses.get(host) ?? new Map<number, Uint8Array>();
  addresses.set(host, ports.set(port, address));
  addressCount++;
  return address;
}
