// An eviction: what was asked, how far it is, and how it ended. Written by `evict-server.ts` only; operations read it. Control thread.

import { SERVER_WORDS, V_ATTACHED } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { KernelAnswer, UNKNOWN } from "../kernel-answer.ts";
import type { ServerEntry } from "../registry.ts";
import type { Pace } from "./cut-pace.ts";
import { type Population, populationLeft } from "./population.ts";

export type EvictionOrder = "idle" | "oldest" | "random";

export interface EvictionRequest {
  /** So long nobody is cut; 0: not at all. */
  readonly drainMs: number;
  /** Only sessions that have been quiet so long are cut before the deadline; 0: any. */
  readonly idleMs: number;
  /** Cuts are spread over so long; or so many a second. At most one of the two; 0: neither. */
  readonly overMs: number;
  readonly ratePerSecond: number;
  /** Who goes first at a pace. */
  readonly order: EvictionOrder;
  /** From the order on; undefined: none. */
  readonly deadlineMs: number | undefined;
  readonly resetClients: boolean;
  readonly deleteServer: boolean;
  readonly destroyForeign: boolean;
}

export const EVICT_NOW: EvictionRequest = {
  drainMs: 0,
  idleMs: 0,
  overMs: 0,
  ratePerSecond: 0,
  order: "random",
  deadlineMs: undefined,
  resetClients: false,
  deleteServer: false,
  destroyForeign: false,
};

/** Sessions by what they were doing when the eviction began. Those that only waited for an evicted server were sent to others. */
export interface CountByState {
  queued: number;
  connecting: number;
  turnAround: number;
  established: number;
  halfClosed: number;
}

/** `restarted`: of sessions, which ended with the process that had them. */
export type EvictionOutcome = "running" | "done" | "cancelled" | "replaced" | "restarted";

/** Of a server, which is taken out of service, or of sessions. */
export type Eviction = ServerEviction | SessionsEviction;

export interface ServerEviction extends EvictionState {
  readonly server: ServerEntry;
  readonly population?: undefined;
  readonly filter?: undefined;
}

/** No server is taken out of service for it; who comes later stays. */
export interface SessionsEviction extends EvictionState {
  readonly server?: undefined;
  /** None of before a restart. */
  readonly population: Population;
  /** As it was asked for, for people. */
  readonly filter: string;
}

export interface EvictionState {
  readonly id: number;
  readonly request: EvictionRequest;
  readonly startedWallMs: number;
  /** By the relays' clock. */
  readonly startedMs: number;
  /** Its sessions have been counted, and may be cut. */
  hasBegun: boolean;
  outcome: EvictionOutcome;
  /** Why it ended, where that does not go without saying. */
  reason: string;
  /** Sessions of the server when it began, and those that waited for it; or those that were selected. */
  matched: number;
  readonly byState: CountByState;
  cutIdle: number;
  cutPaced: number;
  cutAtDeadline: number;
  discardedBytes: number;
  /** Sessions that were left when the process before ended, as it last wrote them down. */
  endedWithProcess: number;
  /** From the order to the last session's end; undefined while there are some. */
  lastCloseMs: number | undefined;
  /** From the order to the end of the eviction. */
  endedMs: number | undefined;
  pace: Pace | undefined;
  notBeforeMs: number;
  /** Sessions left when it ended. */
  survivors: number;
  kernel: KernelAnswer | typeof UNKNOWN | undefined;
  /** Undefined: it was not to be deleted, or not yet. Else whether it was. */
  deleted: boolean | undefined;
}

/** Sessions on the server right now. */
export const attachedTo = (memory: SharedMemory, { index }: ServerEntry): number =>
  Atomics.load(memory.serversI32, index * SERVER_WORDS + V_ATTACHED);

/** Its sessions that are there now. */
export const sessionsOf = (memory: SharedMemory, eviction: Eviction): number =>
  eviction.server === undefined ? populationLeft(memory, eviction.population) : attachedTo(memory, eviction.server);

/** Sessions that are left: now, or when it ended. */
export const sessionsLeft = (memory: SharedMemory, eviction: Eviction): number =>
  eviction.outcome === "running" ? sessionsOf(memory, eviction) : eviction.survivors;

/** Sessions that only waited for the server, and were sent to others. */
export const sessionsRequeued = ({ server, byState }: Eviction): number => (server === undefined ? 0 : byState.queued);

/** Sessions cut so far. */
export const sessionsCut = ({ cutIdle, cutPaced, cutAtDeadline }: Eviction): number =>
  cutIdle + cutPaced + cutAtDeadline;

/** Sessions that ended without being cut, while the process that had them went on. */
export function endedThemselves(memory: SharedMemory, eviction: Eviction): number {
  const accounted = sessionsRequeued(eviction) + sessionsCut(eviction) + eviction.endedWithProcess;
  return Math.max(0, eviction.matched - accounted - sessionsLeft(memory, eviction));
}

/** Evictions kept after they ended. */
const KEPT = 100;

/** What is kept of an eviction that is under way, for the time after a restart. */
export interface SavedEviction
  extends Pick<
    EvictionState,
    "id" | "request" | "startedWallMs" | "matched" | "cutIdle" | "cutPaced" | "cutAtDeadline" | "discardedBytes"
  > {
  readonly byState: Readonly<CountByState>;
  /** Sessions that had not ended yet. */
  readonly left: number;
}

/** All evictions of the process that are remembered. */
export class Evictions {
  #last = 0;
  #all: Eviction[] = [];

  /** In order of their numbers. */
  get all(): readonly Eviction[] {
    return this.#all;
  }

  /** The number of the last one; 0: there was none. */
  get last(): number {
    return this.#last;
  }

  byId(id: number): Eviction | undefined {
    return this.#all.find((eviction) => eviction.id === id);
  }

  begin(server: ServerEntry, request: EvictionRequest, nowMs: number): ServerEviction {
    return this.#add({ ...newState(this.#last + 1, request, Date.now(), nowMs), server });
  }

  /** Those that are counted in `byState`. */
  beginOfSessions(
    population: Population,
    filter: string,
    request: EvictionRequest,
    byState: CountByState,
    nowMs: number,
  ): SessionsEviction {
    const state = newState(this.#last + 1, request, Date.now(), nowMs);
    return this.#add({ ...state, population, filter, byState, matched: population.ids.length, hasBegun: true });
  }

  /** One of before a restart, under its number. */
  resume(server: ServerEntry, saved: SavedEviction, nowMs: number): ServerEviction {
    return this.#add({ ...stateBefore(saved, nowMs), server });
  }

  /** One of sessions of before a restart: they ended with the process that had them, and so did it. */
  noteRestarted(filter: string, saved: SavedEviction, nowMs: number): SessionsEviction {
    const state = stateBefore(saved, nowMs);
    const reason = "its sessions ended with the process that had them";
    return this.#add({ ...state, population: { ids: [] }, filter, hasBegun: true, outcome: "restarted", reason });
  }

  /** Numbers up to this one are not given out again. */
  skipTo(last: number): void {
    this.#last = Math.max(this.#last, last);
  }

  #add<E extends Eviction>(eviction: E): E {
    this.skipTo(eviction.id);
    const ended = this.#all.filter((other) => other.outcome !== "running");
    if (ended.length >= KEPT) this.#all.splice(this.#all.indexOf(ended[0]!), 1);
    this.#all.push(eviction);
    return eviction;
  }
}

export const noneByState = (): CountByState => ({
  queued: 0,
  connecting: 0,
  turnAround: 0,
  established: 0,
  halfClosed: 0,
});

/** As it was when it was last written down; its times count from its first beginning. */
function stateBefore(saved: SavedEviction, nowMs: number): EvictionState {
  const { id, request, startedWallMs, byState, matched, cutIdle, cutPaced, cutAtDeadline, discardedBytes, left } =
    saved;
  const startedMs = nowMs - Math.max(0, Date.now() - startedWallMs);
  const counts = { matched, cutIdle, cutPaced, cutAtDeadline, discardedBytes, endedWithProcess: left };
  return { ...newState(id, request, startedWallMs, startedMs), byState: { ...byState }, ...counts };
}

const newState = (id: number, request: EvictionRequest, startedWallMs: number, startedMs: number): EvictionState => ({
  id,
  request,
  startedWallMs,
  startedMs,
  hasBegun: false,
  outcome: "running",
  reason: "",
  matched: 0,
  byState: noneByState(),
  cutIdle: 0,
  cutPaced: 0,
  cutAtDeadline: 0,
  discardedBytes: 0,
  endedWithProcess: 0,
  lastCloseMs: undefined,
  endedMs: undefined,
  pace: undefined,
  notBeforeMs: 0,
  survivors: 0,
  kernel: undefined,
  deleted: undefined,
});
