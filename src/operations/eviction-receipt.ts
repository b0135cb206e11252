// The receipt of an eviction as an object with stable keys, and as text. The command line, which only has the JSON, shares the text.

import { formatTimeMs } from "../base/units.ts";
import { type KernelAnswer, UNKNOWN } from "../control/kernel-answer.ts";
import {
  type CountByState,
  type Eviction,
  type EvictionOutcome,
  type EvictionRequest,
  endedThemselves,
  sessionsLeft,
  sessionsRequeued,
} from "../control/reconcile/eviction.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";

/** As it was asked for; without a deadline it is null. */
export type AskedFor = Omit<EvictionRequest, "deadlineMs"> & { readonly deadlineMs: number | null };

/** Keys as in JSON. Times are ms; counts are sessions where nothing else is said. */
export interface EvictionReceipt {
  readonly id: number;
  /** Null for an eviction of sessions, which has `filter` instead: the words that selected them. */
  readonly server: string | null;
  readonly address: string | null;
  readonly filter: string | null;
  readonly outcome: EvictionOutcome;
  readonly reason: string;
  /** Done, no session is left, and the kernel knows of no connection but those that were ended on demand. */
  readonly verified: boolean;
  readonly started: string;
  readonly asked: AskedFor;
  readonly matched: number;
  readonly byState: Readonly<CountByState>;
  /** Those that only waited for the server, and went to others. */
  readonly requeued: number;
  readonly endedThemselves: number;
  /** Those that were left when the process before this one ended. */
  readonly endedWithProcess: number;
  readonly cutIdle: number;
  readonly cutPaced: number;
  readonly cutAtDeadline: number;
  readonly bytesDiscarded: number;
  readonly lastCloseMs: number | null;
  readonly endedMs: number | null;
  readonly survivors: number;
  /** Null while it runs, for sessions, for a server without an IP address and port of its own, and where the kernel could not be asked. */
  readonly kernel: KernelAnswer | null;
  /** Null where it was not asked for. */
  readonly deleted: boolean | null;
}

const rounded = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms * 10) / 10);

/** The receipt as it stands now. */
export function receiptOf(memory: SharedMemory, eviction: Eviction): EvictionReceipt {
  const { server, kernel } = eviction;
  const survivors = sessionsLeft(memory, eviction);
  const isProven =
    kernel === undefined ||
    (kernel !== UNKNOWN && kernel.own === 0 && kernel.foreign.every(({ destroyed }) => destroyed === ""));
  return {
    id: eviction.id,
    server: server === undefined ? null : `${server.backend.name}/${server.name}`,
    address: server === undefined ? null : server.port === 0 ? server.host : `${server.host}:${server.port}`,
    filter: eviction.filter ?? null,
    outcome: eviction.outcome,
    reason: eviction.reason,
    verified: eviction.outcome === "done" && survivors === 0 && isProven,
    started: new Date(eviction.startedWallMs).toISOString(),
    asked: { ...eviction.request, deadlineMs: eviction.request.deadlineMs ?? null },
    matched: eviction.matched,
    byState: eviction.byState,
    requeued: sessionsRequeued(eviction),
    endedThemselves: endedThemselves(memory, eviction),
    endedWithProcess: eviction.endedWithProcess,
    cutIdle: eviction.cutIdle,
    cutPaced: eviction.cutPaced,
    cutAtDeadline: eviction.cutAtDeadline,
    bytesDiscarded: eviction.discardedBytes,
    lastCloseMs: rounded(eviction.lastCloseMs),
    endedMs: rounded(eviction.endedMs),
    survivors,
    kernel: kernel === undefined || kernel === UNKNOWN ? null : kernel,
    deleted: eviction.deleted ?? null,
  };
}

/** What was asked for, in the command's words; "at once" without any. */
export function askedText(asked: EvictionRequest | AskedFor): string {
  const words = [
    asked.drainMs > 0 ? `drain ${formatTimeMs(asked.drainMs)}` : "",
    asked.idleMs > 0 ? `idle ${formatTimeMs(asked.idleMs)}` : "",
    asked.overMs > 0 ? `over ${formatTimeMs(asked.overMs)}` : "",
    asked.ratePerSecond > 0 ? `rate ${asked.ratePerSecond}` : "",
    asked.overMs + asked.ratePerSecond > 0 ? `order ${asked.order}` : "",
    typeof asked.deadlineMs !== "number" ? "" : `deadline ${formatTimeMs(asked.deadlineMs)}`,
    asked.resetClients ? "client rst" : "",
    asked.deleteServer ? "delete" : "",
    asked.destroyForeign ? "destroy-foreign" : "",
  ].filter((word) => word !== "");
  return words.length === 0 ? "at once" : words.join(", ");
}

/** Nobody was given time: whoever was there was cut by the order. */
const isAtOnce = ({ drainMs, idleMs, overMs, ratePerSecond, deadlineMs }: EvictionRequest | AskedFor): boolean =>
  drainMs + idleMs + overMs + ratePerSecond === 0 && typeof deadlineMs !== "number";

const counted = (count: number, what: string): string => `${count} ${what}`;

/** "0 queued, 1 connecting, ..." */
export const byStateText = (byState: Readonly<CountByState>): string =>
  [
    counted(byState.queued, "queued"),
    counted(byState.connecting, "connecting"),
    counted(byState.turnAround, "in turn-around"),
    counted(byState.established, "established"),
    counted(byState.halfClosed, "half closed"),
  ].join(", ");

/** The receipt for people; each line with its line feed. */
export function receiptText(receipt: EvictionReceipt): string {
  const { kernel, outcome, reason, asked } = receipt;
  const verdict = outcome === "done" ? (receipt.verified ? "done, verified empty" : "done, but see below") : outcome;
  const line = (name: string, text: string): string => `  ${`${name}:`.padEnd(12)}${text}\n`;
  const whose = receipt.filter === null ? `${receipt.server} (${receipt.address})` : `sessions ${receipt.filter}`;
  return [
    `Eviction ${receipt.id} of ${whose}: ${verdict}${reason === "" ? "" : ` (${reason})`}.\n`,
    line("asked", askedText(asked)),
    line("sessions", `${receipt.matched} (${byStateText(receipt.byState)})`),
    line(
      "let go",
      `${receipt.endedThemselves} ended by themselves, ` +
        (receipt.filter === null ? `${receipt.requeued} sent to other servers, ` : "") +
        `${receipt.cutIdle} cut when idle, ` +
        `${receipt.cutPaced} cut at pace, ${receipt.cutAtDeadline} cut ${isAtOnce(asked) ? "at once" : "at the deadline"}` +
        (receipt.endedWithProcess === 0 ? "" : `, ${receipt.endedWithProcess} ended with the process`),
    ),
    line("discarded", `${receipt.bytesDiscarded} bytes`),
    line(
      "last close",
      receipt.lastCloseMs === null
        ? outcome === "restarted"
          ? "unknown"
          : "not yet"
        : `${receipt.lastCloseMs} ms after the order`,
    ),
    line(outcome === "running" ? "left" : "survivors", `${receipt.survivors}`),
    kernel === null ? "" : line("kernel", kernelText(kernel)),
    ...(kernel?.foreign ?? []).map((foreign) => `    ${foreignText(foreign)}\n`),
    receipt.deleted === null ? "" : line("deleted", receipt.deleted ? "yes" : "no"),
  ].join("");
}

function kernelText(kernel: KernelAnswer): string {
  const others = kernel.ofOtherServers === 0 ? "" : `, ${kernel.ofOtherServers} for other servers with this address`;
  const orphans = kernel.orphans === 0 ? "" : `, ${kernel.orphans} closed ones that still deliver bytes`;
  return `${kernel.own} connections of this process${others}, ${kernel.foreign.length} foreign${orphans}`;
}

function foreignText({ local, remote, state, pid, process, destroyed }: KernelAnswer["foreign"][number]): string {
  const holder = pid === null ? "holder unknown" : `pid ${pid} (${process})`;
  const end = destroyed === null ? "" : destroyed === "" ? ", destroyed" : `, not destroyed: ${destroyed}`;
  return `${local} -> ${remote} ${state} ${holder}${end}`;
}

/** One line for `show evictions`, without a line feed. */
export function receiptLine(receipt: EvictionReceipt): string {
  const cut = receipt.cutIdle + receipt.cutPaced + receipt.cutAtDeadline;
  const whose = receipt.filter === null ? `server=${receipt.server}` : `sessions=[${receipt.filter}]`;
  return (
    `${receipt.id}: ${whose} outcome=${receipt.outcome} verified=${receipt.verified ? "yes" : "no"} ` +
    `started=${receipt.started} matched=${receipt.matched} themselves=${receipt.endedThemselves} requeued=${receipt.requeued} ` +
    `cut=${cut} left=${receipt.survivors} asked=[${askedText(receipt.asked)}]`
  );
}
