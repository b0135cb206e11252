// How the sessions of an eviction are let go, whichever they are: what is due is done to them and noted, and its end is told. Control
// thread, only called by `commit`.

import { CutReason } from "../../memory/cut-reason.ts";
import { CutChoice, type CutManner } from "../../memory/order.ts";
import type { CommitContext } from "../commit-context.ts";
import type { CutResult } from "../cut.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ServerEntry } from "../registry.ts";
import { paceAfter } from "./cut-pace.ts";
import { type Eviction, type EvictionOutcome, endedThemselves, sessionsCut, sessionsOf } from "./eviction.ts";
import { evictionStep } from "./eviction-plan.ts";

const CHOICES = { random: CutChoice.RANDOM, oldest: CutChoice.OLDEST, idle: CutChoice.LONGEST_IDLE } as const;

type Cut = Pick<CutResult, "ended" | "discardedBytes">;

/** How sessions of an eviction are ended: some, chosen as `manner` says, or all that are left and, of a server, may still come. */
export interface Cuts {
  some(most: number, manner: CutManner): Promise<Cut>;
  rest(): Promise<Cut>;
}

/** Does what is due now: when to come again, or "empty" when none is left. */
export async function letGo(context: CommitContext, eviction: Eviction, cuts: Cuts): Promise<number | "empty"> {
  const { memory } = context;
  const { request } = eviction;
  const nowMs = context.nowMs();
  const sessions = sessionsOf(memory, eviction);
  if (sessions === 0) {
    await cutRest(context, eviction, cuts);
    return "empty";
  }
  const step = evictionStep(request, eviction, nowMs, sessions, context.random());
  switch (step.kind) {
    case "wait":
      return step.nextMs;
    case "some": {
      if (step.most > 0) {
        const done = await cuts.some(step.most, {
          choice: CHOICES[request.order],
          idleMs: step.who === "quiet" ? request.idleMs : 0,
          resetClients: request.resetClients,
          reason: CutReason.EVICTION,
        });
        eviction[step.who === "quiet" ? "cutIdle" : "cutPaced"] += done.ended;
        noteEnd(context, eviction, done);
        eviction.pace = step.pace === undefined ? undefined : paceAfter(step.pace, nowMs, sessions, done.ended);
      } else eviction.pace = step.pace;
      eviction.notBeforeMs = step.notBeforeMs;
      return sessionsOf(memory, eviction) === 0 ? context.nowMs() : step.nextMs;
    }
    case "all": {
      const { ended } = await cutRest(context, eviction, cuts);
      eviction[step.because === "pace" ? "cutPaced" : "cutAtDeadline"] += ended;
      return "empty";
    }
  }
}

async function cutRest(context: CommitContext, eviction: Eviction, cuts: Cuts): Promise<Cut> {
  const done = await cuts.rest();
  noteEnd(context, eviction, done);
  eviction.lastCloseMs ??= elapsedMs(context, eviction);
  return done;
}

function noteEnd(context: CommitContext, eviction: Eviction, { ended, discardedBytes }: Cut): void {
  eviction.discardedBytes += discardedBytes;
  if (ended > 0 && sessionsOf(context.memory, eviction) === 0) eviction.lastCloseMs = elapsedMs(context, eviction);
}

const elapsedMs = (context: CommitContext, eviction: Eviction): number => context.nowMs() - eviction.startedMs;

/** Ends an eviction, whatever is left. */
export function endEviction(
  context: CommitContext,
  eviction: Eviction,
  outcome: EvictionOutcome,
  reason: string,
): void {
  const left = sessionsOf(context.memory, eviction);
  eviction.survivors = left;
  eviction.outcome = outcome;
  eviction.reason = reason;
  eviction.endedMs = elapsedMs(context, eviction);
  const { server } = eviction;
  if (server !== undefined && server.health.policy.eviction === eviction) server.health.policy.eviction = undefined;
  const cut = sessionsCut(eviction);
  const own = endedThemselves(context.memory, eviction);
  const why = outcome === "done" ? `is done${reason === "" ? "" : `, ${reason}`}` : `ends, ${reason}`;
  const text = `eviction ${eviction.id} ${why}: ${cut} sessions were ended, ${own} ended by themselves, ${left} are left`;
  if (server === undefined) sayOfSessions(context, eviction.filter, text);
  else say(context, server, text);
}

/** A line of the log about what becomes of a server's sessions. */
export function say(
  context: CommitContext,
  server: ServerEntry,
  text: string,
  level: LogLevel = LogLevel.NOTICE,
): void {
  const subject = `${server.config.backup ? "Backup " : ""}Server ${server.backend.name}/${server.name}`;
  context.events.onPolicy(server.backend, level, `${subject}: ${text}.`);
}

/** The same about the eviction of sessions. */
export function sayOfSessions(context: CommitContext, filter: string, text: string): void {
  context.events.onPolicy(undefined, LogLevel.NOTICE, `Sessions ${filter}: ${text}.`);
}
