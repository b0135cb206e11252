// Connects and closes, thousands of times a second: plain TCP checks on an epoll instance of their own, which costs a third of a
// socket of Node's. The event loop cannot wait on it, so it is polled: in the turn after a start, then ever more rarely, at least
// each POLL_MS_MAX while a probe is open. Control thread; holds no descriptor while no probe is open.

import { ipSockaddr, isIpAddress, unixSockaddr } from "../../base/address.ts";
import { EVENTS_MAX } from "../../base/limits.ts";
import { TimerWheel } from "../../base/timer-wheel.ts";
import { AF_INET, AF_INET6, EINPROGRESS, EPOLLERR, EPOLLHUP, IPPROTO_TCP } from "../../sys/constants.ts";
import type { Kernel } from "../../sys/kernel.ts";
import { c } from "../../sys/libc.ts";
import { LinuxKernel } from "../../sys/linux-kernel.ts";
import type { CheckTarget } from "./check-socket.ts";

/** How a probe ended: connected (0), an errno, or "timeout". */
export type ProbeEnd = number | "timeout";

interface Probe {
  readonly slot: number;
  readonly generation: number;
  fd: number;
  /** Known before the kernel was asked to wait; -1: not yet. */
  outcome: number;
  readonly onEnd: (end: ProbeEnd) => void;
}

const TCP_QUICKACK = 12;
const POLL_MS_MAX = 8;
const CAPACITY_LEAST = 64;

export class ConnectProbes {
  readonly #kernel: Kernel = new LinuxKernel();
  readonly #address = new Uint8Array(new SharedArrayBuffer(128));
  readonly #off = new Int32Array(new SharedArrayBuffer(4));
  readonly #addressAt = this.#kernel.addressOf(this.#address);
  readonly #offAt = this.#kernel.addressOf(this.#off);
  #poll = -1;
  #open = 0;
  #slots: (Probe | undefined)[] = [];
  readonly #free: number[] = [];
  #capacity = CAPACITY_LEAST;
  #deadlines = new TimerWheel(CAPACITY_LEAST, performance.now());
  #generation = 0;
  /** Ended by the call to connect itself; told in the next turn. */
  #ready: Probe[] = [];
  #turn: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pollMs = 1;

  /**
   * Connects to a sockaddr. `onEnd` is called once, in a later turn, with every descriptor of the probe closed;
   * not at all if what is returned was called before.
   */
  start(address: Uint8Array, timeoutMs: number, onEnd: (end: ProbeEnd) => void): () => void {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#generation = (this.#generation + 1) & 0x7fffffff;
    const probe: Probe = { slot, generation: this.#generation, fd: -1, outcome: -1, onEnd };
    this.#slots[slot] = probe;
    this.#open++;
    if (slot >= this.#capacity) this.#grow();
    this.#deadlines.set(slot, performance.now() + timeoutMs);
    this.#connect(probe, address);
    if (probe.outcome >= 0) this.#ready.push(probe);
    this.#pollMs = 1;
    this.#turn ??= setImmediate(this.#pollNow);
    return () => {
      if (this.#slots[slot] === probe) this.#release(probe);
    };
  }

  #connect(probe: Probe, address: Uint8Array): void {
    const family = address[0] ?? 0;
    const kernel = this.#kernel;
    if (this.#poll < 0) this.#poll = kernel.openPoll();
    const fd = this.#poll < 0 ? this.#poll : kernel.streamSocket(family);
    if (fd < 0) {
      probe.outcome = -fd;
      return;
    }
    probe.fd = fd;
    // The handshake's last ACK is held back, so that the reset comes in its place: the server's program never hears of the check.
    if (family === AF_INET || family === AF_INET6) c.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, this.#offAt, 4);
    this.#address.set(address);
    const result = kernel.connect(fd, this.#addressAt, address.length);
    if (result !== -EINPROGRESS) probe.outcome = -result;
    else {
      const watched = kernel.watch(this.#poll, fd, probe.slot, probe.generation);
      if (watched < 0) probe.outcome = -watched;
    }
  }

  readonly #pollNow = (): void => {
    clearImmediate(this.#turn);
    clearTimeout(this.#timer);
    this.#turn = undefined;
    const ready = this.#ready;
    this.#ready = [];
    for (const probe of ready) this.#end(probe, probe.outcome);
    this.#takeEvents();
    this.#deadlines.advance(performance.now(), (slot) => {
      const probe = this.#slots[slot];
      if (probe !== undefined) this.#end(probe, "timeout");
    });
    if (this.#open === 0 || this.#turn !== undefined) return;
    this.#timer = setTimeout(this.#pollNow, this.#pollMs);
    this.#pollMs = Math.min(this.#pollMs * 2, POLL_MS_MAX);
  };

  #takeEvents(): void {
    const kernel = this.#kernel;
    if (this.#poll < 0) return;
    for (;;) {
      const count = kernel.wait(this.#poll, 0);
      // Events are copied out first: what an end starts may poll no second time, but may open and close descriptors.
      const probes: Probe[] = [];
      for (let i = 0; i < count; i++) {
        const probe = this.#slots[kernel.eventLow(i)];
        if (probe === undefined || probe.generation !== kernel.eventHigh(i)) continue;
        const failed = (kernel.eventBits(i) & (EPOLLERR | EPOLLHUP)) !== 0;
        probe.outcome = failed ? kernel.socketError(probe.fd) : 0;
        probes.push(probe);
      }
      for (const probe of probes) this.#end(probe, probe.outcome);
      if (count < EVENTS_MAX || this.#poll < 0) return;
    }
  }

  #end(probe: Probe, end: ProbeEnd): void {
    // Cancelled since its event was read.
    if (this.#slots[probe.slot] !== probe) return;
    this.#release(probe);
    probe.onEnd(end);
  }

  #release(probe: Probe): void {
    this.#slots[probe.slot] = undefined;
    this.#free.push(probe.slot);
    this.#deadlines.remove(probe.slot);
    if (probe.fd >= 0) this.#kernel.closeAbortively(probe.fd);
    if (--this.#open > 0) return;
    clearTimeout(this.#timer);
    if (this.#poll >= 0) this.#kernel.close(this.#poll);
    this.#poll = -1;
  }

  #grow(): void {
    const old = this.#deadlines;
    this.#capacity *= 2;
    this.#deadlines = new TimerWheel(this.#capacity, performance.now());
    for (const probe of this.#slots) {
      if (probe && old.has(probe.slot)) this.#deadlines.set(probe.slot, old.deadlineOf(probe.slot));
    }
  }
}

/** Addresses in the kernel's form: servers are few, and checked again and again. */
const addresses = new Map<string, Uint8Array>();
const ADDRESSES_MAX = 32_768;

/** A target as `start` takes it; undefined for a host name. Throws RangeError for a socket's path that is too long. */
export function probeAddress(target: CheckTarget): Uint8Array | undefined {
  if ("path" in target) {
    const isAbstract = target.path.startsWith("\0");
    return unixSockaddr(isAbstract ? target.path.slice(1) : target.path, isAbstract);
  }
  const key = `${target.host} ${target.port}`;
  let address = addresses.get(key);
  if (address === undefined) {
    if (!isIpAddress(target.host)) return undefined;
    address = ipSockaddr(target.host, target.port);
    if (addresses.size >= ADDRESSES_MAX) addresses.clear();
    addresses.set(key, address);
  }
  return address;
}
