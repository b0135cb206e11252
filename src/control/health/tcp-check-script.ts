// `option tcp-check`: the configuration's steps as a script. Also what the protocols share: an expect step made of a match.

import type { CheckTls, ExpectCommon, TcpCheckStep } from "../../config/health-model.ts";
import type { CheckStatus } from "./result.ts";
import {
  byteText,
  type ConnectScriptStep,
  type ExpectScriptStep,
  latin1,
  MET,
  type Script,
  type ScriptFlavour,
  WAIT,
} from "./script.ts";

/** What all connections of a check have, unless a step says otherwise. */
export interface ConnectionDefaults {
  readonly sendProxy: boolean;
  readonly tls?: CheckTls;
}

/** The connection that every script without one of its own begins with. */
export function implicitConnect(defaults: ConnectionDefaults): ConnectScriptStep {
  return { kind: "connect", number: 0, linger: false, ...defaults };
}

export type TcpMatch = Extract<TcpCheckStep, { kind: "expect" }>["match"];

/** Words of an expect step; texts may depend on the answer. */
export interface ExpectWords {
  readonly number: number;
  readonly flavour: ScriptFlavour;
  readonly match: TcpMatch;
  readonly negated?: boolean;
  readonly minRecv?: number;
  readonly comment?: string;
  readonly okStatus?: CheckStatus;
  readonly errorStatus?: CheckStatus;
  readonly timeoutStatus?: CheckStatus;
  readonly onSuccess?: (answer: Buffer) => string;
  readonly onError?: (answer: Buffer) => string;
  readonly statusCode?: (answer: Buffer) => number;
}

/** A step that waits until the answer matches, or no longer can, and says what the mismatch was. */
export function expectStep(words: ExpectWords): ExpectScriptStep {
  const { number, match, comment, okStatus, errorStatus, timeoutStatus, onSuccess, statusCode } = words;
  return {
    kind: "expect",
    number,
    label: labelOf(match),
    judge: (answer, isLast) => {
      const least = Math.max("bytes" in match ? match.bytes.length : 0, words.minRecv ?? 0);
      if (!isLast && answer.length < least) return WAIT;
      const isMatch = matches(match, answer);
      // Without min-recv, what does not match yet may still come to.
      if (!isMatch && !isLast && (words.minRecv ?? -1) < 0) return WAIT;
      if (isMatch !== (words.negated ?? false)) return MET;
      return { kind: "failed", status: errorStatus ?? "L7RSP", text: mismatchText(words, isMatch, answer) };
    },
    ...(comment === undefined ? {} : { comment }),
    ...(okStatus === undefined ? {} : { okStatus }),
    ...(errorStatus === undefined ? {} : { errorStatus }),
    ...(timeoutStatus === undefined ? {} : { timeoutStatus }),
    ...(onSuccess === undefined ? {} : { onSuccess }),
    ...(statusCode === undefined ? {} : { statusCode }),
  };
}

function matches(match: TcpMatch, answer: Buffer): boolean {
  switch (match.kind) {
    case "string":
    case "binary":
      return answer.indexOf(match.bytes) >= 0;
    case "rstring":
      return match.pattern.test(latin1(answer));
    case "rbinary":
      return match.pattern.test(answer.toString("hex").toUpperCase());
  }
}

function labelOf(match: TcpMatch): string {
  switch (match.kind) {
    case "string":
      return `expect string '${latin1(match.bytes)}'`;
    case "binary":
      return `expect binary '${Buffer.from(match.bytes).toString("hex").toUpperCase()}'`;
    case "rstring":
      return "expect regex";
    case "rbinary":
      return "expect binary regex";
  }
}

function mismatchText(words: ExpectWords, isMatch: boolean, answer: Buffer): string {
  const { match, number } = words;
  const comment = words.comment ? ` comment: ${words.comment}` : "";
  if (words.onError) return words.onError(answer) + comment;
  if (words.flavour !== "tcp-check") return comment;
  const what =
    match.kind === "string"
      ? `'${latin1(match.bytes)}'`
      : { binary: "(binary)", rstring: "(regex)", rbinary: "(binary regex)" }[match.kind];
  return `${isMatch ? "TCPCHK matched unwanted content" : "TCPCHK did not match content"} ${what} at step ${number}${comment}`;
}

/** The words that users give to expect steps of tcp-check and http-check alike. */
export function commonWords(step: ExpectCommon) {
  const onSuccess = step.onSuccess === undefined ? undefined : byteText(step.onSuccess);
  const onError = step.onError === undefined ? undefined : byteText(step.onError);
  return {
    negated: step.negated,
    ...(step.comment === undefined ? {} : { comment: byteText(step.comment) }),
    ...(step.minRecv === undefined ? {} : { minRecv: step.minRecv }),
    ...(step.okStatus === undefined ? {} : { okStatus: step.okStatus as CheckStatus }),
    ...(step.errorStatus === undefined ? {} : { errorStatus: step.errorStatus as CheckStatus }),
    ...(step.timeoutStatus === undefined ? {} : { timeoutStatus: step.timeoutStatus as CheckStatus }),
    ...(onSuccess === undefined ? {} : { onSuccess: () => onSuccess }),
    ...(onError === undefined ? {} : { onError: () => onError }),
  };
}

/** A connection that a rule asks for. */
export function connectStep(step: Extract<TcpCheckStep, { kind: "connect" }>, number: number): ConnectScriptStep {
  const { addr, port, sendProxy, linger, tls, comment } = step;
  return {
    kind: "connect",
    number,
    sendProxy,
    linger,
    ...(addr === undefined ? {} : { addr }),
    ...(port === undefined ? {} : { port }),
    ...(tls === undefined ? {} : { tls }),
    ...(comment === undefined ? {} : { comment: byteText(comment) }),
  };
}

/** The steps of `option tcp-check` as a script; it connects first even where no rule says so. */
export function tcpCheckScript(steps: readonly TcpCheckStep[], defaults: ConnectionDefaults): Script {
  const script: Script["steps"][number][] = [];
  steps.forEach((step, index) => {
    const number = (step.index ?? index) + 1;
    if (step.kind === "connect") script.push(connectStep(step, number));
    else if (step.kind === "send") {
      const { bytes, comment } = step;
      script.push({
        kind: "send",
        number,
        bytes: () => bytes,
        ...(comment === undefined ? {} : { comment: byteText(comment) }),
      });
    } else if (step.kind === "expect") {
      script.push(expectStep({ number, flavour: "tcp-check", match: step.match, ...commonWords(step) }));
    }
  });
  if (script[0]?.kind !== "connect") script.unshift(implicitConnect(defaults));
  return { flavour: "tcp-check", steps: script };
}
