// `show sess top`: the sessions that have or move the most. Only the first n are kept while the table is read, whatever its size.

import type { Program } from "../control/program.ts";
import type { Registry } from "../control/registry.ts";
import { bytesMoved, lastActiveMs, type Selector } from "../memory/selector.ts";
import { S_ACCEPT_F64 } from "../memory/session-row.ts";
import { SelectorWords } from "./selector-words.ts";
import { sessionLine } from "./session-lines.ts";
import { forSelected } from "./session-rows.ts";
import { type SessionView, viewSession } from "./session-view.ts";
import { shortTime } from "./state-text.ts";
import type { Found } from "./targets.ts";

export const TOP_USAGE = "show sess top [<n>] by bytes|age|idle|rate [<filter>*]";

const COUNT_DEFAULT = 10;
const COUNT_MAX = 1000;
/** Between the two looks that a rate takes. */
const RATE_SAMPLE_MS = 500;

const ORDERS = ["bytes", "age", "idle", "rate"] as const;
type Order = (typeof ORDERS)[number];

export interface Top {
  readonly count: number;
  readonly by: Order;
  readonly selector: Selector;
}

interface Ranked {
  readonly session: SessionView;
  readonly bytes: number;
  readonly idleMs: number;
  /** Undefined where nobody asked for rates. */
  readonly bytesPerSecond: number | undefined;
  readonly rank: number;
}

/** The words behind `show sess top`. */
export function parseTop(registry: Registry, args: readonly string[]): Found<Top> {
  let at = 0;
  let count = COUNT_DEFAULT;
  if (args[0] !== undefined && args[0] !== "by") {
    count = /^\d{1,9}$/.test(args[0]) ? Number(args[0]) : 0;
    if (count < 1 || count > COUNT_MAX) return { error: `Expects a number of sessions from 1 to ${COUNT_MAX}.` };
    at = 1;
  }
  const by = ORDERS.find((order) => order === args[at + 1]);
  if (args[at] !== "by" || by === undefined) return { error: `Usage: ${TOP_USAGE}` };
  const words = new SelectorWords(registry);
  for (at += 2; at < args.length; ) {
    const taken = words.take(args, at);
    if (taken.error !== undefined) return taken;
    if (taken.found === 0) return { error: `Unsupported option '${args[at]}', try 'show sess help' for more info.` };
    at += taken.found;
  }
  return { found: { count, by, selector: words.selector } };
}

/** The lines, the first one first; each as in `show sess`, with what it has and moves at its end. */
export async function* topSessions(program: Program, top: Top, signal: AbortSignal): AsyncGenerator<string> {
  const before = top.by === "rate" ? await sampleBytes(program, top.selector) : undefined;
  if (before !== undefined) await pause(signal);
  const first: Ranked[] = [];
  await forSelected(program, top.selector, ({ reader, thread, nowMs }) => {
    const bytes = bytesMoved(reader.f64, 0);
    const idleMs = Math.max(0, nowMs - lastActiveMs(reader.f64, 0));
    const sample = before?.get(reader.id);
    // One that came since has moved all its bytes since.
    const bytesPerSecond =
      before === undefined
        ? undefined
        : ((bytes - (sample?.bytes ?? 0)) * 1000) / Math.max(1, nowMs - (sample?.atMs ?? nowMs - RATE_SAMPLE_MS));
    // The row's own times decide, so that a part of the table that is read later does not rank higher.
    const rank =
      top.by === "bytes"
        ? bytes
        : top.by === "rate"
          ? (bytesPerSecond ?? 0)
          : -(top.by === "idle" ? lastActiveMs(reader.f64, 0) : reader.f64[S_ACCEPT_F64]);
    const last = first.at(-1);
    if (first.length === top.count && last !== undefined && rank <= last.rank) return;
    const entry = { session: viewSession(program, reader, thread, nowMs), bytes, idleMs, bytesPerSecond, rank };
    const place = first.findIndex((other) => rank > other.rank);
    first.splice(place < 0 ? first.length : place, 0, entry);
    if (first.length > top.count) first.pop();
  });
  for (const entry of first) yield topLine(entry);
}

function topLine({ session, bytes, idleMs, bytesPerSecond }: Ranked): string {
  const rate = bytesPerSecond === undefined ? "" : ` bytes/s=${Math.round(bytesPerSecond)}`;
  return `${sessionLine(session).trimEnd()} bytes=${bytes} idle=${shortTime(idleMs)}${rate}\n`;
}

async function sampleBytes(
  program: Program,
  selector: Selector,
): Promise<Map<number, { bytes: number; atMs: number }>> {
  const samples = new Map<number, { bytes: number; atMs: number }>();
  await forSelected(program, selector, ({ reader, nowMs }) => {
    samples.set(reader.id, { bytes: bytesMoved(reader.f64, 0), atMs: nowMs });
  });
  return samples;
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, RATE_SAMPLE_MS);
    signal.addEventListener("abort", end);
  });
}
