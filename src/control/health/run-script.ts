// Runs a check's script on one target: at most one connection at a time, one timer, and all of it released when the promise
// settles. The rules are those of HAProxy's tcp-check: what arrives is judged again from the first of adjoining expect
// steps, a send drops what was read before it, and a failure names the step that it met.

import type { CheckConfig } from "../../config/health-model.ts";
import { CheckSocket, type CheckTarget } from "./check-socket.ts";
import { handshakeWords } from "./check-tls.ts";
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

/**
 * Resolves with the result; rejects only with the signal's reason. A connection may take min(timeout connect, inter) if
 * `timeout check` is set, and the rest that timeout; otherwise all of it together, from each connect on, takes inter.
 */
export async function runScript(
  script: Script,
  times: ScriptTimes,
  target: CheckTarget,
  signal: AbortSignal,
): Promise<CheckResult> {
  signal.throwIfAborted();
  const run = new ScriptRun(script, times, target);
  const abort = () => run.wake();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await run.run(signal);
  } finally {
    signal.removeEventListener("abort", abort);
    run.release();
  }
}

interface Failure {
  readonly status: CheckStatus;
  readonly text: string;
  readonly code?: number;
}

class ScriptRun {
  readonly #script: Script;
  readonly #times: ScriptTimes;
  readonly #target: CheckTarget;
  readonly #startedMs = performance.now();
  #socket: CheckSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #expired = false;
  #wake: (() => void) | undefined;
  #answer: Buffer = Buffer.alloc(0);
  #code = 0;
  /** The step that a failure is told of. */
  #current: ScriptStep | undefined;
  #signal: AbortSignal | undefined;

  constructor(script: Script, times: ScriptTimes, target: CheckTarget) {
    this.#script = script;
    this.#times = times;
    this.#target = target;
  }

  readonly wake = (): void => {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  };

  release(): void {
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  async run(signal: AbortSignal): Promise<CheckResult> {
    this.#signal = signal;
    const failure = await this.#steps();
    const end = failure ?? this.#passed();
    return checkResult(end.status, end.text, end.code ?? 0, performance.now() - this.#startedMs);
  }

  async #steps(): Promise<Failure | undefined> {
    const { steps } = this.#script;
    let mustRead = true;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      this.#current = step;
      this.#code = 0;
      if (step.kind === "connect") {
        const failure = await this.#connect(step);
        if (failure) return failure;
        mustRead = true;
      } else if (step.kind === "send") {
        const failure = await this.#send(step);
        if (failure) return failure;
        mustRead = true;
      } else {
        if (mustRead) {
          const failure = await this.#read(step);
          if (failure) return failure;
          mustRead = false;
        }
        const verdict = step.judge(this.#answer, this.#isLast());
        if (verdict.kind === "failed") {
          return {
            status: verdict.status,
            text: verdict.text,
            code: verdict.code ?? step.statusCode?.(this.#answer) ?? 0,
          };
        }
        this.#code = verdict.kind === "met" ? (verdict.code ?? 0) : 0;
        if (verdict.kind === "wait") {
          i = headOf(steps, i);
          this.#current = steps[i];
          const failure = await this.#read(steps[i] as ExpectScriptStep);
          if (failure) return failure;
          i--;
        }
      }
    }
    return undefined;
  }

  async #connect(step: ConnectScriptStep): Promise<Failure | undefined> {
    this.#socket?.close();
    this.#answer = Buffer.alloc(0);
    const { interMs, timeoutMs, connectTimeoutMs } = this.#times;
    this.#setDeadline(timeoutMs !== undefined ? Math.min(interMs, connectTimeoutMs ?? interMs) : interMs);
    const socket = new CheckSocket({
      target: targetOf(step, this.#target),
      sendProxy: step.sendProxy,
      linger: step.linger,
      ...(step.tls ? { tls: step.tls } : {}),
      onChange: this.wake,
    });
    this.#socket = socket;
    while (socket.phase !== "open") {
      const failure = this.#trouble();
      if (failure) return failure;
      await this.#change();
    }
    if (timeoutMs !== undefined) this.#setDeadline(timeoutMs);
    return undefined;
  }

  async #send(step: SendScriptStep): Promise<Failure | undefined> {
    const socket = this.#socket!;
    this.#answer = Buffer.alloc(0);
    socket.send(step.bytes());
    while (socket.sending) {
      const failure = this.#trouble();
      if (failure) return failure;
      await this.#change();
    }
    return undefined;
  }

  /** Waits until there is more to judge: bytes, or the end. */
  async #read(step: ExpectScriptStep): Promise<Failure | undefined> {
    const socket = this.#socket!;
    for (;;) {
      const room = ANSWER_SIZE_BYTES - this.#answer.length;
      if (socket.hasPending && room > 0) {
        const taken = socket.take(room);
        this.#answer = this.#answer.length === 0 ? taken : Buffer.concat([this.#answer, taken]);
        return undefined;
      }
      if (socket.ended || (socket.error && this.#answer.length > 0)) {
        return this.#answer.length === 0 && this.#script.flavour !== "http" ? emptyAnswer(step) : undefined;
      }
      const failure = this.#trouble();
      if (failure) return failure;
      await this.#change();
    }
  }

  #isLast(): boolean {
    const socket = this.#socket!;
    if (this.#answer.length >= ANSWER_SIZE_BYTES) return true;
    return !socket.hasPending && (socket.ended || socket.error !== undefined);
  }

  /** An error of the connection, or a timeout. */
  #trouble(): Failure | undefined {
    const socket = this.#socket!;
    const where = this.#script.flavour === "tcp-check" ? this.#where() : "";
    if (socket.error) {
      if (socket.phase === "securing") return { status: "L6RSP", text: `${handshakeWords(socket.error)}${where}` };
      const isServers = socket.phase === "connecting" && !isLocalShortage(socket.error);
      return { status: isServers ? "L4CON" : "SOCKERR", text: `${socketErrorWords(socket.error)}${where}` };
    }
    if (!this.#expired) return undefined;
    if (socket.phase === "connecting") return { status: "L4TOUT", text: where };
    if (socket.phase === "securing") return { status: "L6TOUT", text: where };
    const step = this.#current;
    return { status: (step?.kind === "expect" ? step.timeoutStatus : undefined) ?? "L7TOUT", text: where };
  }

  #where(): string {
    const step = this.#current!;
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
    const last = this.#script.steps.at(-1);
    const fallback = this.#script.flavour === "tcp-check" ? "(tcp-check)" : "";
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
    clearTimeout(this.#timer);
    this.#expired = false;
    this.#timer = setTimeout(() => {
      this.#expired = true;
      this.wake();
    }, ms);
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#signal?.aborted) this.wake();
    });
    this.#signal?.throwIfAborted();
  }
}

function headOf(steps: readonly ScriptStep[], from: number): number {
  let head = from;
  while (head > 0 && steps[head - 1]!.kind === "expect") head--;
  return head;
}

function targetOf(step: ConnectScriptStep, target: CheckTarget): CheckTarget {
  if (step.addr === undefined && step.port === undefined) return target;
  if ("path" in target) return step.addr === undefined ? target : { host: step.addr, port: step.port ?? 0 };
  return { host: step.addr ?? target.host, port: step.port ?? target.port };
}

function emptyAnswer(step: ExpectScriptStep): Failure {
  const comment = step.comment ? ` comment: '${step.comment}'` : "";
  return { status: step.errorStatus ?? "L7RSP", text: `TCPCHK got an empty response at step ${step.number}${comment}` };
}
