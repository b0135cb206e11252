// Evictions that are under way as lines of Headgate's own state file. Pure but for what it reads of the tables.

import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Eviction, SavedEviction } from "../reconcile/eviction.ts";
import { sessionsLeft } from "../reconcile/eviction.ts";
import { decodeTexts, encodeTexts, numberOf, ownLine, quoted, type Words } from "./own-lines.ts";

/** Of a server, which goes on after a restart, or of sessions, which are gone by then. */
export type OwnEviction = SavedEviction &
  (
    | { readonly backend: string; readonly server: string; readonly filter?: undefined }
    | { readonly filter: string; readonly backend?: undefined; readonly server?: undefined }
  );

/** What an eviction's line says, by the word for it. */
const REQUEST_TIMES = { drain: "drainMs", idle: "idleMs", over: "overMs", rate: "ratePerSecond" } as const;
const REQUEST_FLAGS = { reset: "resetClients", delete: "deleteServer", foreign: "destroyForeign" } as const;
const STATES = ["queued", "connecting", "turnAround", "established", "halfClosed"] as const;
const COUNTS = ["matched", "cutIdle", "cutPaced", "cutAtDeadline", "discardedBytes"] as const;
const ORDERS = ["idle", "oldest", "random"] as const;

/** One that is under way. */
export function evictionLine(memory: SharedMemory, eviction: Eviction): string {
  const { request, server } = eviction;
  const words: Record<string, string | number> = { begin: eviction.startedWallMs, order: request.order };
  for (const [word, field] of Object.entries(REQUEST_TIMES)) words[word] = request[field];
  for (const [word, field] of Object.entries(REQUEST_FLAGS)) words[word] = request[field] ? 1 : 0;
  if (request.deadlineMs !== undefined) words.deadline = request.deadlineMs;
  for (const field of COUNTS) words[field] = eviction[field];
  for (const field of STATES) words[field] = eviction.byState[field];
  words.left = sessionsLeft(memory, eviction) + eviction.endedWithProcess;
  if (server === undefined)
    return ownLine("sessions", [eviction.id], { ...words, filter: encodeTexts([eviction.filter]) });
  return ownLine("eviction", [eviction.id, server.backend.name, server.name], words);
}

/** Reads a line of `kind` "eviction" or "sessions"; what is wrong with it, if anything is. */
export function readEviction(
  kind: "eviction" | "sessions",
  names: readonly string[],
  words: Words,
): { readonly eviction: OwnEviction } | { readonly fault: string } {
  const [id = "", backend = "", server = ""] = names;
  const numbers = ["begin", ...Object.keys(REQUEST_TIMES), ...Object.keys(REQUEST_FLAGS), ...COUNTS, ...STATES];
  const missing = numbers.find((name) => Number.isNaN(numberOf(words, name)));
  if (missing !== undefined) return { fault: `expected a number behind '${missing}='` };
  const order = ORDERS.find((known) => known === words.get("order"));
  if (order === undefined)
    return { fault: `expected ${ORDERS.join(", ")} behind 'order=', found ${quoted(words.get("order"))}` };
  const number = (name: string): number => numberOf(words, name);
  const deadlineMs = words.has("deadline") ? number("deadline") : undefined;
  const [filter] = decodeTexts(words.get("filter")) ?? [];
  const isNamed = kind === "eviction" ? server !== "" : filter !== undefined;
  if (!/^\d{1,9}$/.test(id) || !isNamed || Number.isNaN(deadlineMs))
    return { fault: "expected an eviction's number, and its backend and server or its filter" };
  const saved: SavedEviction = {
    id: Number(id),
    startedWallMs: number("begin"),
    request: {
      drainMs: number("drain"),
      idleMs: number("idle"),
      overMs: number("over"),
      ratePerSecond: number("rate"),
      order,
      deadlineMs,
      resetClients: number("reset") === 1,
      deleteServer: number("delete") === 1,
      destroyForeign: number("foreign") === 1,
    },
    matched: number("matched"),
    byState: {
      queued: number("queued"),
      connecting: number("connecting"),
      turnAround: number("turnAround"),
      established: number("established"),
      halfClosed: number("halfClosed"),
    },
    cutIdle: number("cutIdle"),
    cutPaced: number("cutPaced"),
    cutAtDeadline: number("cutAtDeadline"),
    discardedBytes: number("discardedBytes"),
    // Older files do not say it.
    left: number("left") || 0,
  };
  return { eviction: kind === "eviction" ? { ...saved, backend, server } : { ...saved, filter: filter ?? "" } };
}
