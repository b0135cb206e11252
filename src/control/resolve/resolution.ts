// One name asked for again and again: when to ask, whom to believe, when to ask for the other family, when to give up, and how long
// what was heard still counts. Pure: every function takes the time (ms, monotonic) and gives the next state. HAProxy's rules.

import type { HoldConfig } from "../../config/resolvers-model.ts";
import type { AnswerFault, AnswerResult, DnsRecord, QueryType } from "./message.ts";

/** How the last completed round ended; "none" before the first. */
export type ResolutionStatus = "none" | "valid" | "nx" | "refused" | "timeout" | "other";

/** Times in ms, from the resolvers section. */
export interface ResolutionTimes {
  /** From the end of a round to the next one. */
  readonly resolveTimeoutMs: number;
  /** From a question to the next try. */
  readonly retryTimeoutMs: number;
  readonly retries: number;
  readonly hold: HoldConfig;
}

/** A record, and when an answer last had it. */
export interface KnownRecord {
  readonly key: string;
  readonly record: DnsRecord;
  readonly lastSeenMs: number;
  /** When the additional address of a service was last seen; undefined if it has none. */
  readonly addressSeenMs?: number;
}

/** A round of questions under way: all nameservers are asked with one id. */
export interface Round {
  readonly asked: QueryType;
  readonly triesLeft: number;
  readonly askedMs: number;
  /** Nameservers that the last question reached, and those that answered it. */
  readonly queries: number;
  readonly responses: number;
}

export interface Resolution {
  readonly name: string;
  /** What is asked first; for addresses the other family is asked where it fails. */
  readonly preferred: QueryType;
  readonly status: ResolutionStatus;
  /** Start, or the end of the last round; undefined: ask at once. */
  readonly lastRoundMs: number | undefined;
  readonly lastValidMs: number;
  readonly round: Round | undefined;
  /** Ordered by key, so that every process that hears the same picks the same. */
  readonly records: readonly KnownRecord[];
}

/** What the runner does next. */
export type NextStep = "wait" | "ask" | "failed" | "resolved";

export interface Stepped {
  readonly resolution: Resolution;
  readonly next: NextStep;
}

/** A name that nothing is known of. */
export function newResolution(name: string, preferred: QueryType, nowMs: number): Resolution {
  return { name, preferred, status: "none", lastRoundMs: undefined, lastValidMs: nowMs, round: undefined, records: [] };
}

/** When something is due: the next try, or the next round. */
export function dueMs(resolution: Resolution, times: ResolutionTimes): number {
  const { round, lastRoundMs } = resolution;
  if (round !== undefined) return round.askedMs + times.retryTimeoutMs;
  return lastRoundMs === undefined ? 0 : lastRoundMs + times.resolveTimeoutMs;
}

/** Begins a round, or tries again, or gives up. Called when `dueMs` is reached. */
export function onDue(resolution: Resolution, times: ResolutionTimes, nowMs: number): Stepped {
  const { round, preferred } = resolution;
  if (round === undefined) {
    const first = { asked: preferred, triesLeft: times.retries - 1, askedMs: nowMs, queries: 0, responses: 0 };
    return { resolution: { ...resolution, round: first }, next: "ask" };
  }
  if (round.triesLeft <= 0) {
    const status = round.responses === 0 ? "timeout" : resolution.status;
    return { resolution: { ...endRound(resolution, nowMs), status }, next: "failed" };
  }
  // Somebody answered, but with nothing to use, and not all: the other family is tried before the next try is spent.
  const other = otherFamily(preferred);
  if (round.responses > 0 && round.asked === preferred && other !== undefined) {
    return askAgain(resolution, round, { asked: other, askedMs: nowMs });
  }
  return askAgain(resolution, round, { asked: preferred, askedMs: nowMs, triesLeft: round.triesLeft - 1 });
}

/** Notes how many nameservers the question of the current round was sent to. */
export function asked(resolution: Resolution, queries: number): Resolution {
  return resolution.round === undefined ? resolution : { ...resolution, round: { ...resolution.round, queries } };
}

/** Takes one nameserver's answer. The first that is of use ends the round; useless ones count once all have answered. */
export function onAnswer(resolution: Resolution, answer: AnswerResult, times: ResolutionTimes, nowMs: number): Stepped {
  const { preferred } = resolution;
  if (resolution.round === undefined) return { resolution, next: "wait" };
  const round = { ...resolution.round, responses: resolution.round.responses + 1 };
  if (answer.ok) {
    const records = remember(resolution.records, answer.records, times.hold.obsolete, nowMs);
    return {
      resolution: { ...endRound(resolution, nowMs), status: "valid", lastValidMs: nowMs, records },
      next: "resolved",
    };
  }
  const heard: Resolution = { ...resolution, round, status: statusOf(answer.fault) };
  if (round.responses < round.queries) return { resolution: heard, next: "wait" };
  if (round.asked !== preferred) {
    if (round.triesLeft > 0) return { resolution: heard, next: "wait" };
    return { resolution: endRound(heard, nowMs), next: "failed" };
  }
  const other = otherFamily(preferred);
  if (other === undefined) return { resolution: heard, next: "wait" };
  return askAgain(heard, round, { asked: other, askedMs: nowMs });
}

/** Until when a failing name keeps what it resolved to, counted from its last good answer. */
export function heldUntilMs({ status, lastValidMs }: Resolution, hold: HoldConfig): number {
  if (status === "valid") return lastValidMs;
  return lastValidMs + (status === "none" ? hold.other : hold[status]);
}

/** Forgets every record: nothing that was heard counts any more. */
export const withoutRecords = (resolution: Resolution): Resolution => ({ ...resolution, records: [] });

function askAgain(resolution: Resolution, round: Round, change: Partial<Round>): Stepped {
  return { resolution: { ...resolution, round: { ...round, queries: 0, responses: 0, ...change } }, next: "ask" };
}

const endRound = (resolution: Resolution, nowMs: number): Resolution => ({
  ...resolution,
  round: undefined,
  lastRoundMs: nowMs,
});

const otherFamily = (type: QueryType): QueryType | undefined =>
  type === "A" ? "AAAA" : type === "AAAA" ? "A" : undefined;

const statusOf = (fault: AnswerFault): ResolutionStatus => (fault === "nx" || fault === "refused" ? fault : "other");

const keyOf = (record: DnsRecord): string =>
  record.kind === "address" ? record.address : `${record.target}:${record.port}`;

/** What is known after an answer: its records, and earlier ones that were seen within `obsoleteMs`. */
export function remember(
  known: readonly KnownRecord[],
  answer: readonly DnsRecord[],
  obsoleteMs: number,
  nowMs: number,
): readonly KnownRecord[] {
  const byKey = new Map(known.map((entry) => [entry.key, entry]));
  for (const record of answer) {
    const key = keyOf(record);
    byKey.set(key, seen(byKey.get(key), key, record, nowMs));
  }
  return [...byKey.values()]
    .filter(({ lastSeenMs }) => lastSeenMs + obsoleteMs >= nowMs)
    .map((entry) => withoutOldAddress(entry, obsoleteMs, nowMs))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function seen(before: KnownRecord | undefined, key: string, record: DnsRecord, nowMs: number): KnownRecord {
  if (record.kind === "address") return { key, record, lastSeenMs: nowMs };
  if (record.address !== undefined) return { key, record, lastSeenMs: nowMs, addressSeenMs: nowMs };
  const old = before?.record;
  if (old?.kind !== "service" || old.address === undefined) return { key, record, lastSeenMs: nowMs };
  // The answer left the address out this time: the one known counts until it is obsolete.
  const { addressSeenMs } = before ?? {};
  return { key, record: { ...record, address: old.address }, lastSeenMs: nowMs, addressSeenMs };
}

function withoutOldAddress(entry: KnownRecord, obsoleteMs: number, nowMs: number): KnownRecord {
  const { record, addressSeenMs } = entry;
  if (record.kind !== "service" || addressSeenMs === undefined || addressSeenMs + obsoleteMs >= nowMs) return entry;
  const { kind, target, port, weight } = record;
  return { key: entry.key, record: { kind, target, port, weight }, lastSeenMs: entry.lastSeenMs };
}
