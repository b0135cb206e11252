// A hierarchical timer wheel over small integers (rows): four levels of 256 slots, 1 ms a tick, about 49 days. Insert,
// move and remove are O(1) and allocate nothing. Deadlines are rounded up to the tick, so nothing fires early.

const LEVELS = 4;
const SLOTS = 256;
/** Ticks that one slot of a level spans. */
const SPANS = [1, 2 ** 8, 2 ** 16, 2 ** 24] as const;

export class TimerWheel {
  /** Absolute tick at which each member fires; 0 while it does not wait. */
  private readonly deadlines: Float64Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly slotOf: Int32Array;
  private readonly heads = new Int32Array(LEVELS * SLOTS).fill(-1);
  private readonly occupied = new Int32Array(LEVELS * (SLOTS / 32));
  private readonly clock: Float64Array;
  private tick: number;
  private count = 0;
  /** No member fires before this tick; once it has passed it says nothing and is worked out anew. */
  private earliest = Number.POSITIVE_INFINITY;

  /**
   * @param capacity members are 0 .. capacity - 1
   * @param clock its first element is the present, in ms; read here and not passed, because a call would box the number
   */
  constructor(capacity: number, clock: Float64Array) {
    this.clock = clock;
    this.deadlines = new Float64Array(capacity);
    this.next = new Int32Array(capacity);
    this.previous = new Int32Array(capacity);
    this.slotOf = new Int32Array(capacity);
    this.tick = Math.floor(clock[0]);
  }

  get size(): number {
    return this.count;
  }

  /** True while `member` waits. */
  has(member: number): boolean {
    return this.deadlines[member] !== 0;
  }

  /** The ms at which `member` fires, 0 if it does not wait. */
  deadlineOf(member: number): number {
    return this.deadlines[member];
  }

  /** Sets or moves the deadline of `member`. */
  set(member: number, deadlineMs: number): void {
    if (this.deadlines[member] !== 0) this.remove(member);
    const at = Math.max(Math.ceil(deadlineMs), this.tick + 1);
    this.deadlines[member] = at;
    this.count++;
    if (at < this.earliest) this.earliest = at;
    this.link(member, at);
  }

  remove(member: number): void {
    if (this.deadlines[member] === 0) return;
    this.deadlines[member] = 0;
    this.count--;
    this.unlink(member);
  }

  /** ms from now until `advance` should be called: 0 .. 2^31 - 1, or -1 if nobody waits. May be too early, never late. */
  waitMs(): number {
    if (this.count === 0) return -1;
    if (this.earliest <= this.tick) this.findEarliest();
    return Math.max(0, Math.min(Math.ceil(this.earliest - this.clock[0]), 0x7fffffff));
  }

  private findEarliest(): void {
    this.earliest = Number.POSITIVE_INFINITY;
    for (let level = 0; level < LEVELS; level++) {
      const position = Math.floor(this.tick / SPANS[level]);
      const distance = this.nextOccupied(level, (position + 1) & (SLOTS - 1));
      // The slot at distance d beyond the current one is reached when the level's position gets there.
      if (distance >= 0) this.earliest = Math.min(this.earliest, (position + 1 + distance) * SPANS[level]);
    }
  }

  /** Fires all that is due by now, in order of slots; `fire` may set and remove members freely. */
  advance(fire: (member: number) => void): void {
    const target = Math.floor(this.clock[0]);
    while (this.tick < target) {
      if (this.count === 0) {
        this.tick = target;
        return;
      }
      // Jump over empty stretches of the lowest level, up to its next wrap.
      const position = this.tick & (SLOTS - 1);
      const free = this.nextOccupied(0, (position + 1) & (SLOTS - 1));
      const untilWrap = SLOTS - 1 - position;
      if (free !== 0 && untilWrap > 0) {
        const skip = Math.min(free < 0 ? untilWrap : Math.min(free, untilWrap), target - this.tick - 1);
        if (skip > 0) this.tick += skip;
      }
      this.tick++;
      this.cascade();
      this.expire(this.tick & (SLOTS - 1), fire);
    }
  }

  private expire(slot: number, fire: (member: number) => void): void {
    for (let member = this.heads[slot]; member >= 0; member = this.heads[slot]) {
      this.deadlines[member] = 0;
      this.count--;
      this.unlink(member);
      fire(member);
    }
  }

  /** At the wrap of a level its next slot of the level above is spread over the levels below. */
  private cascade(): void {
    for (let level = 1; level < LEVELS; level++) {
      if (this.tick % SPANS[level] !== 0) return;
      const slot = level * SLOTS + (Math.floor(this.tick / SPANS[level]) & (SLOTS - 1));
      for (let member = this.heads[slot]; member >= 0; member = this.heads[slot]) {
        this.unlink(member);
        this.link(member, this.deadlines[member]);
      }
    }
  }

  private link(member: number, at: number): void {
    // Beyond the top level's reach it waits in the farthest slot and is linked anew from there.
    const reach = Math.min(at, this.tick + 2 ** 32 - 2 ** 24);
    const delta = reach - this.tick;
    const level = delta < 256 ? 0 : delta < 65536 ? 1 : delta < 16777216 ? 2 : 3;
    const slot = level * SLOTS + (Math.floor(reach / SPANS[level]) & (SLOTS - 1));
    const head = this.heads[slot];
    this.slotOf[member] = slot;
    this.next[member] = head;
    this.previous[member] = -1;
    if (head >= 0) this.previous[head] = member;
    else this.occupied[slot >> 5] |= 1 << (slot & 31);
    this.heads[slot] = member;
  }

  private unlink(member: number): void {
    const slot = this.slotOf[member];
    const next = this.next[member];
    const previous = this.previous[member];
    if (next >= 0) this.previous[next] = previous;
    if (previous >= 0) this.next[previous] = next;
    else {
      this.heads[slot] = next;
      if (next < 0) this.occupied[slot >> 5] &= ~(1 << (slot & 31));
    }
  }

  /** How far after `from` (inclusive, wrapping) the level's next occupied slot is; -1 if it is empty. */
  private nextOccupied(level: number, from: number): number {
    const base = level * (SLOTS / 32);
    for (let step = 0; step <= SLOTS / 32; step++) {
      const index = ((from >> 5) + step) & (SLOTS / 32 - 1);
      let bits = this.occupied[base + index];
      if (step === 0) bits &= -1 << (from & 31);
      if (step === SLOTS / 32) bits &= ~(-1 << (from & 31));
      if (bits !== 0) {
        const slot = index * 32 + (31 - Math.clz32(bits & -bits));
        return (slot - from + SLOTS) & (SLOTS - 1);
      }
    }
    return -1;
  }
}
