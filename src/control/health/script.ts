// A check as a script: connect, send, expect, in order. All protocols but the plain TCP check and external programs are
// written in it, as HAProxy writes them as tcp-check rules; run-script.ts runs it. Pure data.

import type { CheckTls } from "../../config/health-model.ts";
import type { CheckStatus } from "./result.ts";

/**
 * Which texts results carry. "tcp-check": the step that failed is named; "http" and "protocol" (pgsql, smtp ...): it is not.
 */
export type ScriptFlavour = "tcp-check" | "http" | "protocol";

export interface Script {
  readonly flavour: ScriptFlavour;
  readonly steps: readonly ScriptStep[];
}

export type ScriptStep = ConnectScriptStep | SendScriptStep | ExpectScriptStep;

interface StepCommon {
  /** HAProxy's number of the step, from 1; 0: the connection that nobody wrote. */
  readonly number: number;
  readonly comment?: string;
}

export interface ConnectScriptStep extends StepCommon {
  readonly kind: "connect";
  readonly addr?: string;
  readonly port?: number;
  readonly sendProxy: boolean;
  /** Closes orderly; otherwise a check ends its connection with a reset, which leaves no TIME_WAIT behind. */
  readonly linger: boolean;
  readonly tls?: CheckTls;
}

export interface SendScriptStep extends StepCommon {
  readonly kind: "send";
  readonly bytes: () => Uint8Array;
}

/** What an expect step says of the answer so far. */
export type Verdict =
  | { readonly kind: "wait" }
  /** The step is met; `code` as of the protocol. */
  | { readonly kind: "met"; readonly code?: number }
  /** The check ends here, with what it found so far. */
  | { readonly kind: "ended"; readonly status: CheckStatus; readonly code: number; readonly text: string }
  | { readonly kind: "failed"; readonly status: CheckStatus; readonly code?: number; readonly text: string };

export interface ExpectScriptStep extends StepCommon {
  readonly kind: "expect";
  /** Judges all that came since the last send. `isLast`: no more will come, or no more would fit. */
  readonly judge: (answer: Buffer, isLast: boolean) => Verdict;
  /** As in "at step 2 of tcp-check (expect string 'x')". */
  readonly label: string;
  readonly okStatus?: CheckStatus;
  readonly errorStatus?: CheckStatus;
  readonly timeoutStatus?: CheckStatus;
  /** The result's text and code if this is the last step. */
  readonly onSuccess?: (answer: Buffer) => string;
  readonly statusCode?: (answer: Buffer) => number;
}

export const WAIT: Verdict = { kind: "wait" };
export const MET: Verdict = { kind: "met" };

/** How much of an answer a check keeps, and judges by: HAProxy's tune.bufsize. */
export const ANSWER_SIZE_BYTES = 16384;

/** A text of the configuration, one character a byte, as descriptions are. */
export function byteText(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** A bytes' text, one character a byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
