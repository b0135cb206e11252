// Runs a check's script on one target: at most one connection at a time, one deadline, and all of it released when the result
// is told. The rules are those of HAProxy's tcp-check: what arrives is judged again from the first of adjoining expect
// steps, a send drops what was read before it, and a failure names the step that it met.

import type { CheckConfig } from "../../config/health-model.ts";
import { checkPoll, type PollMember } from "./check-poll.ts";
import { checkTarget } from "./check-target.ts";
import { handshakeWords } from "./check-tls.ts";
import type { CheckConnection, CheckTarget } from "./connection.ts";
import { NodeConnection } from "./node-connection.ts";
import { PolledConnection, sockaddrOf } from "./polled-connection.ts";
import { type CheckResult, type CheckStatus, checkResult } from "./result.ts";
import {
  ANSWER_SIZE_BYTES,
  type ConnectScriptStep,
  type ExpectScriptStep,
  type Script,
  type ScriptStep,
  type SendScriptStep,
} from "./script.ts";
import { isLocalShortage, socketErrorWords } from "./socket-errors.ts";

export type ScriptTimes = Pick<CheckConfig, "interMs" | "timeoutMs" | "connectTimeoutMs">;

/** What a connection, or an external check as a whole, may take at most. */
export const connectBoundMs = ({ interMs, timeoutMs, connectTimeoutMs }: ScriptTimes): number =>
  timeoutMs === undefined ? interMs : Math.min(interMs, connectTimeoutMs ?? interMs);

/**
 * `onResult` is called once, later than this returns, and not at all after what is returned was called: that cancels the run. A
 * connection may take min(timeout connect, inter) if `timeout check` is set, and the rest that timeout; otherwise all of it
 * together, from each connect on, takes inter.
 */
export function startScript(
  script: Script,
  times: ScriptTimes,
  target: CheckTarget,
  onResult: (result: CheckResult) => void,
): () => void {
  return new ScriptRun(script, times, target, onResult).release;
}

/** The same as a promise. Rejects only with the signal's reason. */
export function runScript(
  script: Script,
  times: ScriptTimes,
  target: CheckTarget,
  signal: AbortSignal,
): Promise<CheckResult> {
  return untilAborted(signal, (resolve) => startScript(script, times, target, resolve));
}

/** A promise of something that is started and can be cancelled: once the signal aborts it rejects with its reason. */
export function untilAborted<T>(signal: AbortSignal, start: (resolve: (value: T) => void) => () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const cancel = start((value) => {
      signal.removeEventListener("abort", abort);
      resolve(value);
    });
    const abort = () => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
  });
}

interface Failure {
  readonly status: CheckStatus;
  readonly text: string;
  readonly code?: number;
}

/** A step is done, or waits for a sign of change; or the whole check has failed. */
const DONE = 0;
const WAITING = 1;
type Progress = typeof DONE | typeof WAITING | Failure;

const EMPTY: Buffer = Buffer.alloc(0);

class ScriptRun implements PollMember {
  readonly #steps: readonly ScriptStep[];
  readonly #flavour: Script["flavour"];
  readonly #times: ScriptTimes;
  readonly #target: CheckTarget;
  readonly #onResult: (result: CheckResult) => void;
  readonly #startedMs = performance.now();
  readonly #slot: number;
  #connection: CheckConnection | undefined;
  /** The connection, where its events come through the poll. */
  #polled: PolledConnection | undefined;
  #expired = false;
  #isOver = false;
  #answer = EMPTY;
  #code = 0;
  /** The step that is on, and whether it has begun: connected, sent, or read for the first time. */
  #at = 0;
  #hasBegun = false;
  /** An expect step has to see new bytes, or the end, before it judges. */
  #mustRead = true;

  constructor(script: Script, times: ScriptTimes, target: CheckTarget, onResult: (result: CheckResult) => void) {
    this.#steps = script.steps;
    this.#flavour = script.flavour;
    this.#times = times;
    this.#target = target;
    this.#onResult = onResult;
    this.#slot = checkPoll.join(this);
    // Every script begins with a connection.
    this.#open(this.#steps[0] as ConnectScriptStep);
    if (this.#polled?.error !== undefined || this.#polled?.phase === "open") checkPoll.wakeSoon(this.#slot);
  }

  /** Closes all; nothing is heard afterwards. */
  readonly release = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection?.close();
    checkPoll.leave(this.#slot);
  };

  onEvents(bits: number): void {
    this.#polled?.onEvents(bits);
    this.#advance();
  }

  onDeadline(): void {
    this.#expired = true;
    this.#advance();
  }

  readonly #advance = (): void => {
    if (this.#isOver) return;
    for (;;) {
      const step = this.#steps[this.#at];
      if (step === undefined) {
        this.#end(this.#passed());
        return;
      }
      const progress =
        step.kind === "connect" ? this.#connect(step) : step.kind === "send" ? this.#send(step) : this.#expect(step);
      if (progress === WAITING) return;
      if (progress !== DONE) {
        this.#end(progress);
        return;
      }
    }
  };

  #end({ status, text, code = 0 }: Failure): void {
    this.release();
    this.#onResult(checkResult(status, text, code, performance.now() - this.#startedMs));
  }

  #next(): typeof DONE {
    this.#at++;
    this.#hasBegun = false;
    this.#code = 0;
    return DONE;
  }

  #open(step: ConnectScriptStep): void {
    this.#hasBegun = true;
    this.#connection?.close();
    this.#answer = EMPTY;
    this.#setDeadline(connectBoundMs(this.#times));
    const target = checkTarget(step, this.#target);
    const address = step.tls === undefined && !step.sendProxy ? sockaddrOf(target) : undefined;
    if (address !== undefined) {
      const hearsFirst = this.#steps[this.#at + 1]?.kind === "expect";
      this.#polled = new PolledConnection(checkPoll, this.#slot, address, { linger: step.linger, hearsFirst });
      this.#connection = this.#polled;
    } else {
      const { sendProxy, linger, tls } = step;
      this.#polled = undefined;
      this.#connection = new NodeConnection({ target, sendProxy, linger, ...(tls ? { tls } : {}) }, this.#advance);
    }
  }

  #connect(step: ConnectScriptStep): Progress {
    if (!this.#hasBegun) this.#open(step);
    if (this.#connection!.phase !== "open") return this.#trouble() ?? WAITING;
    if (this.#times.timeoutMs !== undefined) this.#setDeadline(this.#times.timeoutMs);
    this.#mustRead = true;
    return this.#next();
  }

  #send(step: SendScriptStep): Progress {
    const connection = this.#connection!;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#answer = EMPTY;
      connection.send(step.bytes());
    }
    if (connection.sending) return this.#trouble() ?? WAITING;
    this.#mustRead = true;
    return this.#next();
  }

  #expect(step: ExpectScriptStep): Progress {
    if (this.#mustRead) {
      const read = this.#read(step);
      if (read !== DONE) return read;
      this.#mustRead = false;
    }
    this.#code = 0;
    const verdict = step.judge(this.#answer, this.#isLast());
    if (verdict.kind === "ended") return verdict;
    if (verdict.kind === "failed") {
      return {
        status: verdict.status,
        text: verdict.text,
        code: verdict.code ?? step.statusCode?.(this.#answer) ?? 0,
      };
    }
    if (verdict.kind === "met") {
      this.#next();
      this.#code = verdict.code ?? 0;
      return DONE;
    }
    this.#at = headOf(this.#steps, this.#at);
    this.#mustRead = true;
    return DONE;
  }

  /** Done when there is more to judge: bytes, or the end. */
  #read(step: ExpectScriptStep): Progress {
    const connection = this.#connection!;
    const room = ANSWER_SIZE_BYTES - this.#answer.length;
    const taken = room > 0 ? connection.take(room) : undefined;
    if (taken !== undefined) {
      this.#answer = this.#answer.length === 0 ? taken : Buffer.concat([this.#answer, taken]);
      return DONE;
    }
    if (this.#isAnswerOver() && (connection.ended || this.#answer.length > 0)) {
      return this.#answer.length === 0 && this.#flavour !== "http" ? emptyAnswer(step) : DONE;
    }
    return this.#trouble() ?? WAITING;
  }

  #isLast(): boolean {
    return this.#answer.length >= ANSWER_SIZE_BYTES || this.#isAnswerOver();
  }

  /** An answer that a reset breaks off is judged as it is, but not by HTTP's rules: there it is the socket's error that counts. */
  #isAnswerOver(): boolean {
    return this.#flavour === "http" ? this.#connection!.ended : this.#connection!.isOver;
  }

  /** An error of the connection, or a timeout. */
  #trouble(): Failure | undefined {
    const connection = this.#connection!;
    if (!connection.error && !this.#expired) return undefined;
    const where = this.#flavour === "tcp-check" ? this.#where() : "";
    if (connection.error) {
      if (connection.phase === "securing")
        return { status: "L6RSP", text: `${handshakeWords(connection.error)}${where}` };
      const isServers = connection.phase === "connecting" && !isLocalShortage(connection.error);
      return { status: isServers ? "L4CON" : "SOCKERR", text: `${socketErrorWords(connection.error)}${where}` };
    }
    if (connection.phase === "connecting") return { status: "L4TOUT", text: where };
    if (connection.phase === "securing") return { status: "L6TOUT", text: where };
    const step = this.#steps[this.#at];
    return { status: (step?.kind === "expect" ? step.timeoutStatus : undefined) ?? "L7TOUT", text: where };
  }

  #where(): string {
    const step = this.#steps[this.#at]!;
    if (step.number === 0) return " at initial connection step of tcp-check";
    const label =
      step.kind === "expect"
        ? ` (${step.label})`
        : step.kind === "send"
          ? " (send)"
          : step.port === undefined
            ? " (connect)"
            : ` (connect port ${step.port})`;
    return ` at step ${step.number} of tcp-check${label}${step.comment ? ` comment: '${step.comment}'` : ""}`;
  }

  #passed(): Failure {
    const last = this.#steps.at(-1);
    const fallback = this.#flavour === "tcp-check" ? "(tcp-check)" : "";
    if (last?.kind === "expect") {
      return {
        status: last.okStatus ?? "L7OK",
        text: last.onSuccess?.(this.#answer) ?? fallback,
        code: last.statusCode?.(this.#answer) ?? this.#code,
      };
    }
    if (last?.kind === "connect")
      return { status: last.tls ? "L6OK" : "L4OK", text: last.number === 0 ? "" : "(tcp-check)" };
    return { status: "L7OK", text: "(tcp-check)" };
  }

  #setDeadline(ms: number): void {
    this.#expired = false;
    checkPoll.setDeadline(this.#slot, ms);
  }
}

function headOf(steps: readonly ScriptStep[], from: number): number {
  let head = from;
  while (head > 0 && steps[head - 1]!.kind === "expect") head--;
  return head;
}

function emptyAnswer(step: ExpectScriptStep): Failure {
  const comment = step.comment ? ` comment: '${step.comment}'` : "";
  return { status: step.errorStatus ?? "L7RSP", text: `TCPCHK got an empty response at step ${step.number}${comment}` };
}
