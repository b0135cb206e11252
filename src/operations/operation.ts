// What an operation is: a command by name, what it takes, who may run it, and what it answers. Control thread. Ways in decode
// words, run an operation and encode its answer; nothing else happens there.

import type { AdminLevel } from "../config/model.ts";
import type { ManagementPeer } from "../control/kernel-answer.ts";
import type { Program } from "../control/program.ts";

/** syslog's numbers, as `set severity-output` shows them. */
export const Severity = { error: 3, warning: 4, notice: 5, info: 6 } as const;
export type Severity = (typeof Severity)[keyof typeof Severity];

/**
 * The text of an answer, each line with its line feed; "" for silent success. A dump comes in chunks and has no severity. The
 * way in adds what its protocol wants (the Runtime API: an empty line).
 */
export interface Answer {
  readonly text: string | AsyncIterable<string>;
  readonly severity?: Severity;
}

/** How a Runtime API connection takes commands: one line and close, line after line, or with a prompt. */
export type InputMode = "once" | "interactive" | "prompt";

/** What commands can change about the connection they came by. Other ways in have their own. */
export interface Connection {
  level: AdminLevel;
  mode: InputMode;
  /** The prompt shows the uptime. */
  timedPrompt: boolean;
  severityOutput: "none" | "number" | "string";
  /** Idle time after which the connection is closed. */
  timeoutMs: number;
  /** `quit` was asked for: nothing more is answered. */
  closing: boolean;
}

export interface OperationContext {
  readonly program: Program;
  readonly connection: Connection;
  /** Aborted when nobody is left who could take the answer. A closed sending side alone is not that. */
  readonly signal: AbortSignal;
  /** Where the command came from, where that is an IP address; undefined for a unix socket. */
  readonly peer?: ManagementPeer | undefined;
  /** Says something before the answer, at once. */
  readonly tell?: (text: string) => Promise<unknown>;
}

export interface Operation {
  /** The command's own words: ["show", "servers", "state"]. */
  readonly words: readonly string[];
  /** What follows them, for help: "[<backend>]". */
  readonly args: string;
  readonly level: AdminLevel;
  /** One line, no full stop. */
  readonly summary: string;
  /** `args` are the words after the command's own. */
  run(context: OperationContext, args: readonly string[]): Answer | Promise<Answer>;
}

const RANK: Readonly<Record<AdminLevel, number>> = { user: 0, operator: 1, admin: 2 };

export const mayRun = (level: AdminLevel, operation: Operation): boolean => RANK[level] >= RANK[operation.level];
export const isAtLeast = (level: AdminLevel, wanted: AdminLevel): boolean => RANK[level] >= RANK[wanted];
