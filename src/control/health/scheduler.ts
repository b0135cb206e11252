// When each check runs: one timer wheel and one timer for all of them, each check at most once at a time, the next one an
// interval after the end of the last, less what that was late. Knows nothing of servers or of what checks find; owns no socket.
// Control thread.

import { TimerWheel } from "../../base/timer-wheel.ts";
import { type CheckPace, checkPace } from "./pace.ts";

/** Something that is checked again and again. */
export interface ScheduledCheck {
  readonly intervalMs: number;
  /**
   * Begins one run and gives what cancels it. `onEnd` is called exactly once when the run is over, never from within `start`, and
   * not at all after a cancellation.
   */
  readonly start: (onEnd: () => void) => () => void;
}

export interface CheckSchedulerOptions {
  /** Monotonic; default performance.now(). */
  readonly nowMs?: () => number;
  /** `spread-checks`: each interval is moved by up to this share of itself, either way. Default 0. */
  readonly spreadPercent?: number;
  /** `max-spread-checks`: the first checks are spread over no more than this. */
  readonly maxSpreadMs?: number;
  /** 0 .. 1. */
  readonly random?: () => number;
  /** Default: that of the process. */
  readonly pace?: CheckPace;
}

/** Intervals shorter than this do not narrow the stretch that first checks are spread over: HAProxy's threshold. */
const SPREAD_INTERVAL_LEAST_MS = 1000;
/** Runs begun in one turn of the event loop at most: after a stall, commands are answered between them. */
const STARTS_PER_TURN = 64;
/** Runs due within this are begun together: 10,000 a second then cost 250 turns of the event loop, not 1,000. */
const TICK_MS = 4;
const CAPACITY_LEAST = 64;

interface Job {
  readonly member: number;
  readonly start: ScheduledCheck["start"];
  intervalMs: number;
  /** When the last run ended, or would have if it had begun in time; or when it was added. */
  sinceMs: number;
  /** When the next run is, or was, due. */
  dueMs: number;
  cancel: (() => void) | undefined;
  isSuspended: boolean;
  /** Its time has come, and it waits for its turn. */
  isDue: boolean;
}

/** Checks by a key of the caller's: one key, one check. Close it in the end. */
export class CheckScheduler<Key> {
  readonly #nowMs: () => number;
  #spreadPercent: number;
  readonly #maxSpreadMs: number;
  readonly #random: () => number;
  readonly #pace: CheckPace;
  readonly #jobs = new Map<Key, Job>();
  #members: (Job | undefined)[] = [];
  readonly #free: number[] = [];
  /** The present, in ms, as the wheel reads it. */
  readonly #clock = new Float64Array(1);
  #wheel: TimerWheel;
  #capacity = CAPACITY_LEAST;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #due: Job[] = [];
  #turn: NodeJS.Immediate | undefined;

  constructor(options: CheckSchedulerOptions = {}) {
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#spreadPercent = options.spreadPercent ?? 0;
    this.#maxSpreadMs = options.maxSpreadMs ?? Number.POSITIVE_INFINITY;
    this.#random = options.random ?? Math.random;
    this.#pace = options.pace ?? checkPace;
    this.#clock[0] = this.#nowMs();
    this.#wheel = new TimerWheel(this.#capacity, this.#clock);
  }

  get size(): number {
    return this.#jobs.size;
  }

  has(key: Key): boolean {
    return this.#jobs.has(key);
  }

  /** Adds many at once, as at start: their first runs are spread evenly, in order, over the shortest interval (of a second or more). */
  addAll(checks: readonly (readonly [key: Key, check: ScheduledCheck])[]): void {
    const intervals = checks.map(([, check]) => check.intervalMs).filter((ms) => ms >= SPREAD_INTERVAL_LEAST_MS);
    const shortest = intervals.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY);
    checks.forEach(([key, check], position) => {
      const base = Number.isFinite(shortest) ? Math.max(shortest, check.intervalMs) : check.intervalMs;
      const overMs = Math.min(this.#spread(base), this.#maxSpreadMs);
      this.#add(key, check, (overMs * position) / checks.length);
    });
    this.#arm();
  }

  /** Adds one; its first run is an interval away. */
  add(key: Key, check: ScheduledCheck): void {
    this.#add(key, check, this.#spread(check.intervalMs));
    this.#arm();
  }

  /** Forgets it, and cancels a run on its way. */
  remove(key: Key): void {
    const job = this.#jobs.get(key);
    if (job === undefined) return;
    this.suspend(key);
    this.#jobs.delete(key);
    this.#members[job.member] = undefined;
    this.#free.push(job.member);
  }

  /** A shorter interval counts from now on, a longer one from the last run's end. */
  setInterval(key: Key, intervalMs: number): void {
    const job = this.#jobs.get(key);
    if (job === undefined || job.intervalMs === intervalMs) return;
    const isShorter = intervalMs < job.intervalMs;
    job.intervalMs = intervalMs;
    if (!this.#wheel.has(job.member)) return;
    const nextMs = (isShorter ? this.#nowMs() : job.sinceMs) + this.#spread(intervalMs);
    this.#setDue(job, isShorter ? Math.min(nextMs, this.#wheel.deadlineOf(job.member)) : nextMs);
    this.#arm();
  }

  /** Runs no more until `resume`; a run on its way is cancelled. */
  suspend(key: Key): void {
    const job = this.#jobs.get(key);
    if (job === undefined || job.isSuspended) return;
    job.isSuspended = true;
    job.isDue = false;
    this.#wheel.remove(job.member);
    const { cancel } = job;
    job.cancel = undefined;
    cancel?.();
  }

  /** Goes on in the rhythm that it had. */
  resume(key: Key): void {
    const job = this.#jobs.get(key);
    if (job === undefined || !job.isSuspended) return;
    job.isSuspended = false;
    const now = this.#nowMs();
    this.#setDue(job, now + job.intervalMs - ((now - job.sinceMs) % job.intervalMs));
    this.#arm();
  }

  /** Another `spread-checks` for the runs to come. */
  set spreadPercent(percent: number) {
    this.#spreadPercent = percent;
  }

  isRunning(key: Key): boolean {
    return this.#jobs.get(key)?.cancel !== undefined;
  }

  /** Forgets all. */
  close(): void {
    for (const key of [...this.#jobs.keys()]) this.remove(key);
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#due = [];
    this.#turn = undefined;
  }

  #add(key: Key, check: ScheduledCheck, delayMs: number): void {
    if (this.#jobs.has(key)) throw new Error("the key has a check already");
    const now = this.#nowMs();
    const member = this.#free.pop() ?? this.#members.length;
    if (member >= this.#capacity) this.#grow(now);
    const { start, intervalMs } = check;
    const job: Job = {
      member,
      start,
      intervalMs,
      sinceMs: now,
      dueMs: now,
      cancel: undefined,
      isSuspended: false,
      isDue: false,
    };
    this.#jobs.set(key, job);
    this.#members[member] = job;
    this.#setDue(job, now + delayMs);
  }

  #setDue(job: Job, dueMs: number): void {
    job.dueMs = dueMs;
    this.#wheel.set(job.member, dueMs);
  }

  #grow(now: number): void {
    const old = this.#wheel;
    this.#capacity *= 2;
    this.#clock[0] = now;
    this.#wheel = new TimerWheel(this.#capacity, this.#clock);
    for (const job of this.#jobs.values()) {
      if (old.has(job.member)) this.#wheel.set(job.member, old.deadlineOf(job.member));
    }
  }

  #spread(intervalMs: number): number {
    return intervalMs * (1 + (this.#spreadPercent / 100) * (1 - 2 * this.#random()));
  }

  #arm(): void {
    const now = this.#nowMs();
    this.#clock[0] = now;
    const untilNextMs = this.#wheel.waitMs();
    if (untilNextMs < 0) return;
    const waitMs = Math.max(TICK_MS, untilNextMs);
    // A timer that fires before it is needed is cheaper than a new one.
    if (this.#timerAtMs <= now + waitMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = now + waitMs;
    this.#timer = setTimeout(this.#tick, waitMs);
  }

  readonly #tick = (): void => {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#clock[0] = this.#nowMs();
    this.#wheel.advance((member) => {
      const job = this.#members[member];
      if (job === undefined) return;
      job.isDue = true;
      this.#due.push(job);
    });
    if (this.#turn === undefined) this.#startDue();
    this.#arm();
  };

  readonly #startDue = (): void => {
    this.#turn = undefined;
    const due = this.#due;
    const most = Math.min(due.length, STARTS_PER_TURN);
    this.#pace.beginTurn();
    let begun = 0;
    let goesOn = true;
    while (goesOn && begun < most) {
      const job = due[begun++]!;
      if (!job.isDue) continue;
      this.#start(job);
      goesOn = this.#pace.goesOn();
    }
    this.#due = due.slice(begun);
    if (this.#due.length > 0) this.#turn = setImmediate(this.#startDue);
  };

  #start(job: Job): void {
    job.isDue = false;
    // At most half an interval: what cannot keep up has pauses all the same.
    const lateMs = Math.min(Math.max(0, this.#nowMs() - job.dueMs), job.intervalMs / 2);
    this.#pace.noteLateness(lateMs, job.intervalMs);
    let isCancelled = false;
    const cancel = job.start(() => {
      if (isCancelled || job.cancel === undefined) return;
      job.cancel = undefined;
      // A run that began late keeps its place, so that a stall does not bring those together that it made wait.
      job.sinceMs = this.#nowMs() - lateMs;
      this.#setDue(job, job.sinceMs + this.#spread(job.intervalMs));
      this.#arm();
    });
    job.cancel = () => {
      isCancelled = true;
      cancel();
    };
  }
}
