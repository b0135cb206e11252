// One `resolvers` section at work: its names, its nameservers, one timer. It asks, listens, and tells who wanted a name what became of
// it. Control thread. Every name is asked for once, however many servers have it.

import { randomInt } from "node:crypto";
import type { ResolversConfig } from "../../config/resolvers-model.ts";
import type { NameserverCounters } from "./counters.ts";
import { encodeQuery, messageId, type QueryType, readAnswer } from "./message.ts";
import type { Nameserver } from "./nameserver.ts";
import {
  asked,
  dueMs,
  newResolution,
  onAnswer,
  onDue,
  type Resolution,
  type ResolutionTimes,
  type Stepped,
  withoutRecords,
} from "./resolution.ts";

/** Who wants a name: a server, or the service that servers stand for. */
export interface Requester {
  /** Records are known. `by`: "<section>/<nameserver>" for the first requester, "DNS cache" for the others. True: something changed. */
  onResolved(resolution: Resolution, by: string): boolean;
  /** A round failed. True: the requester still relies on the records known so far. */
  onFailed(resolution: Resolution, nowMs: number): boolean;
}

/** Time and timers; the system's, or a test's. */
export interface Clock {
  /** ms, monotonic. */
  now(): number;
  /** Calls back once, at or after `atMs`; returns how to call it off. */
  at(atMs: number, call: () => void): () => void;
}

interface Entry {
  resolution: Resolution;
  /** Of the question under way, and of its repetitions; another family is another question. */
  id: number | undefined;
  idType: QueryType;
  readonly requesters: Requester[];
  readonly key: string;
}

const IDS = 65_536;
const ID_TRIES_MAX = 100;

/** Least time between two looks at what is due: with thousands of names many are due at once. */
const TICK_MS = 5;

export class Resolver {
  readonly config: ResolversConfig;
  private readonly clock: Clock;
  private readonly times: ResolutionTimes;
  private readonly nameservers: readonly Nameserver[];
  private readonly entries = new Map<string, Entry>();
  private readonly byId = new Map<number, Entry>();
  private readonly linked = new Map<Requester, Entry>();
  private cancel: (() => void) | undefined;
  private wakesMs = Number.POSITIVE_INFINITY;
  private stopped = false;

  /** `open` opens the nameservers, which tell `listen` what they hear. */
  constructor(
    config: ResolversConfig,
    clock: Clock,
    open: (listen: (message: Uint8Array, nameserver: Nameserver) => void) => readonly Nameserver[],
  ) {
    this.config = config;
    this.clock = clock;
    this.times = config;
    this.nameservers = open((message, nameserver) => this.receive(message, nameserver));
  }

  /** Each nameserver's counters, in the section's order. */
  get counters(): readonly { readonly id: string; readonly counters: NameserverCounters }[] {
    return this.nameservers;
  }

  /** Asks for `name` from now on on the requester's behalf; a name that is new is asked for at once. */
  link(name: string, type: QueryType, requester: Requester): void {
    const key = `${type} ${name}`;
    const entry = this.entries.get(key) ?? {
      resolution: newResolution(name, type, this.clock.now()),
      id: undefined,
      idType: type,
      requesters: [],
      key,
    };
    this.entries.set(key, entry);
    entry.requesters.push(requester);
    this.linked.set(requester, entry);
    this.wakeBy(dueMs(entry.resolution, this.times));
  }

  /** The requester wants no name any more. */
  unlink(requester: Requester): void {
    const entry = this.linked.get(requester);
    if (entry === undefined) return;
    this.linked.delete(requester);
    entry.requesters.splice(entry.requesters.indexOf(requester), 1);
    if (entry.requesters.length > 0) return;
    this.entries.delete(entry.key);
    this.endRound(entry);
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
    for (const nameserver of this.nameservers) nameserver.close();
  }

  /** Makes sure that `tick` runs at `atMs`. What moves away from then on leaves the timer as it is: it looks for nothing once. */
  private wakeBy(atMs: number): void {
    if (this.stopped || atMs >= this.wakesMs) return;
    this.cancel?.();
    this.wakesMs = atMs;
    this.cancel = this.clock.at(atMs, () => this.tick());
  }

  private tick(): void {
    const now = this.clock.now();
    this.wakesMs = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const entry of [...this.entries.values()]) {
      if (dueMs(entry.resolution, this.times) <= now) this.take(entry, onDue(entry.resolution, this.times, now), now);
      if (this.entries.get(entry.key) === entry) next = Math.min(next, dueMs(entry.resolution, this.times));
    }
    this.wakeBy(Math.max(next, now + TICK_MS));
  }

  private take(entry: Entry, { resolution, next }: Stepped, nowMs: number): void {
    entry.resolution = resolution;
    if (next === "ask") this.ask(entry);
    else if (next === "failed") {
      this.endRound(entry);
      const keeps = [...entry.requesters].map((requester) => requester.onFailed(resolution, nowMs));
      if (!keeps.some((keep) => keep)) entry.resolution = withoutRecords(resolution);
    }
  }

  /** What comes under the id from now on comes too late. */
  private endRound(entry: Entry): void {
    if (entry.id !== undefined && this.byId.get(entry.id) === entry) this.byId.delete(entry.id);
    entry.id = undefined;
  }

  private ask(entry: Entry): void {
    const { resolution } = entry;
    const type = resolution.round?.asked ?? resolution.preferred;
    // A late answer about the other family is not an answer to this question.
    if (entry.idType !== type) this.endRound(entry);
    entry.idType = type;
    entry.id ??= this.newId(entry);
    const query = encodeQuery(entry.id, resolution.name, type, this.config.payloadBytes);
    for (const nameserver of this.nameservers) nameserver.send(query);
    entry.resolution = asked(resolution, this.nameservers.length);
  }

  /** Not to be guessed from outside, and not in use. */
  private newId(entry: Entry): number {
    let id = randomInt(IDS);
    // Where nearly all are in use, the next free one.
    for (let tries = 0; tries < IDS && this.byId.has(id); tries++) {
      id = tries < ID_TRIES_MAX ? randomInt(IDS) : (id + 1) % IDS;
    }
    this.byId.set(id, entry);
    return id;
  }

  private receive(message: Uint8Array, nameserver: Nameserver): void {
    const { counters } = nameserver;
    const { payloadBytes } = this.config;
    const id = messageId(message);
    if (message.length > payloadBytes) {
      counters.too_big++;
      return;
    }
    const entry = id === undefined ? undefined : this.byId.get(id);
    if (entry === undefined) {
      counters[id === undefined ? "invalid" : "outdated"]++;
      return;
    }
    const { resolution } = entry;
    const type = resolution.round?.asked ?? resolution.preferred;
    const answer = readAnswer(message, resolution.name, type, payloadBytes);
    counters[answer.ok ? "valid" : answer.fault]++;
    const now = this.clock.now();
    const step = onAnswer(resolution, answer, this.times, now);
    if (step.next === "resolved") {
      entry.resolution = step.resolution;
      this.endRound(entry);
      this.tell(entry, nameserver);
    } else this.take(entry, step, now);
    this.wakeBy(dueMs(entry.resolution, this.times));
  }

  /** The first requester hears it from the nameserver, the others from what is known by then, as HAProxy tells it. */
  private tell({ resolution, requesters }: Entry, { id, counters }: Nameserver): void {
    for (const [index, requester] of [...requesters].entries()) {
      const changed = requester.onResolved(resolution, index === 0 ? `${this.config.name}/${id}` : "DNS cache");
      if (changed && index === 0) counters.update++;
    }
  }
}
