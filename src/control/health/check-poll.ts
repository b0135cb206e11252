// Sockets of thousands of checks a second: an epoll instance of their own and one timer wheel, at a third of what sockets and
// timers of Node's cost. The event loop cannot wait on it, so it is polled: in the turn after something began, then ever more rarely.
// Control thread; holds no descriptor while nothing waits.

import { TimerWheel } from "../../base/timer-wheel.ts";
import { LinuxKernel } from "../../sys/linux-kernel.ts";
import { checkPace } from "./pace.ts";

/** What waits: for events of its descriptor, for a deadline, or just for the next turn. */
export interface PollMember {
  /** Bits of epoll, of the descriptor that was watched last; 0 after `wakeSoon`. */
  onEvents(bits: number): void;
  onDeadline(): void;
}

interface Slot {
  member: PollMember | undefined;
  /** Of the descriptor whose events count; older ones are stale. */
  generation: number;
}

const POLL_MS_MAX = 8;
const CAPACITY_LEAST = 64;

/** All checks that wait. A member is known by the slot that `join` gave it, until `leave`. */
export class CheckPoll {
  readonly kernel = new LinuxKernel();
  #poll = -1;
  /** How many events the kernel gave last, and which of them is the next. */
  #events = 0;
  #nextEvent = 0;
  #open = 0;
  readonly #slots: Slot[] = [];
  readonly #free: number[] = [];
  #capacity = CAPACITY_LEAST;
  /** The present, in ms, as the wheel reads it. */
  readonly #clock = Float64Array.of(performance.now());
  #deadlines = new TimerWheel(CAPACITY_LEAST, this.#clock);
  #generation = 0;
  #soon: { readonly slot: number; readonly member: PollMember }[] = [];
  #turn: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pollMs = 1;

  /** Its handlers are called in later turns only. */
  join(member: PollMember): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    if (slot === this.#slots.length) this.#slots.push({ member, generation: 0 });
    else this.#slots[slot]!.member = member;
    this.#open++;
    if (slot >= this.#capacity) this.#grow();
    this.#pollMs = 1;
    this.#turn ??= setImmediate(this.#pollNow);
    return slot;
  }

  /** Adds a descriptor, for every event of a socket, edge-triggered; it takes the place of the one before. 0 or -errno. */
  watch(slot: number, fd: number): number {
    if (this.#poll < 0) this.#poll = this.kernel.openPoll();
    if (this.#poll < 0) return this.#poll;
    this.#generation = (this.#generation + 1) & 0x7fffffff;
    this.#slots[slot]!.generation = this.#generation;
    return this.kernel.watch(this.#poll, fd, slot, this.#generation);
  }

  /** The only deadline of a member: it takes the place of an earlier one. */
  setDeadline(slot: number, inMs: number): void {
    this.#deadlines.set(slot, performance.now() + inMs);
  }

  /** Calls `onEvents(0)` in the next turn. */
  wakeSoon(slot: number): void {
    const { member } = this.#slots[slot]!;
    if (member === undefined) return;
    this.#soon.push({ slot, member });
    this.#turn ??= setImmediate(this.#pollNow);
  }

  /** Nothing is heard afterwards. The member's descriptor has to be closed already. */
  leave(slot: number): void {
    this.#slots[slot]!.member = undefined;
    this.#slots[slot]!.generation = 0;
    this.#free.push(slot);
    this.#deadlines.remove(slot);
    if (--this.#open > 0) return;
    clearTimeout(this.#timer);
    if (this.#poll >= 0) this.kernel.close(this.#poll);
    this.#poll = -1;
    this.#events = 0;
  }

  readonly #pollNow = (): void => {
    clearImmediate(this.#turn);
    clearTimeout(this.#timer);
    this.#turn = undefined;
    const soon = this.#soon;
    if (soon.length > 0) {
      this.#soon = [];
      for (const { slot, member } of soon) if (this.#slots[slot]!.member === member) member.onEvents(0);
    }
    if (!this.#takeEvents()) {
      // What has come counts before what is too late.
      this.#turn ??= setImmediate(this.#pollNow);
      return;
    }
    this.#clock[0] = performance.now();
    this.#deadlines.advance((slot) => this.#slots[slot]!.member?.onDeadline());
    if (this.#open === 0 || this.#turn !== undefined) return;
    this.#timer = setTimeout(this.#pollNow, this.#pollMs);
    this.#pollMs = Math.min(this.#pollMs * 2, POLL_MS_MAX);
  };

  /** Whether there is none left; if not, the rest is for another turn. */
  #takeEvents(): boolean {
    const { kernel } = this;
    checkPace.beginTurn();
    let goesOn = true;
    while (this.#poll >= 0) {
      if (this.#nextEvent >= this.#events) {
        this.#events = kernel.wait(this.#poll, 0);
        this.#nextEvent = 0;
        if (this.#events <= 0) return true;
      }
      if (!goesOn) return false;
      // Handlers open and close descriptors, but none waits: the events stay where they are.
      const i = this.#nextEvent++;
      const slot = this.#slots[kernel.eventLow(i)];
      if (slot?.generation !== kernel.eventHigh(i)) continue;
      slot.member?.onEvents(kernel.eventBits(i));
      goesOn = checkPace.goesOn();
    }
    return true;
  }

  #grow(): void {
    const old = this.#deadlines;
    const held = this.#capacity;
    this.#capacity *= 2;
    this.#clock[0] = performance.now();
    this.#deadlines = new TimerWheel(this.#capacity, this.#clock);
    for (let slot = 0; slot < held; slot++) if (old.has(slot)) this.#deadlines.set(slot, old.deadlineOf(slot));
  }
}

/** That of the process: all checks share it. */
export const checkPoll = new CheckPoll();
