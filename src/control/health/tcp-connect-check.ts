// The plain TCP check: connects and closes. It is what thousands of servers get each second, so it has no script, and costs its
// caller no promise. Control thread.

import { checkPoll, type PollMember } from "./check-poll.ts";
import type { CheckTarget } from "./connection.ts";
import { PolledConnection, sockaddrOf } from "./polled-connection.ts";
import { type CheckResult, checkResult } from "./result.ts";
import { startScript } from "./run-script.ts";
import type { Script } from "./script.ts";
import { isLocalShortage } from "./socket-errors.ts";

/** The same with a host name, which has to be looked up first. */
const CONNECT: Script = {
  flavour: "protocol",
  steps: [{ kind: "connect", number: 0, linger: false, sendProxy: false }],
};

/**
 * Connects once. `onResult` is called once, later than this returns, and not at all after what is returned was called: that
 * cancels the check.
 */
export function startTcpConnectCheck(
  target: CheckTarget,
  timeoutMs: number,
  onResult: (result: CheckResult) => void,
): () => void {
  const address = sockaddrOf(target);
  if (address === undefined) return startScript(CONNECT, { interMs: timeoutMs }, target, onResult);
  const run = new ConnectRun(address, timeoutMs, onResult);
  return run.release;
}

class ConnectRun implements PollMember {
  readonly #startedMs = performance.now();
  readonly #slot: number;
  readonly #connection: PolledConnection;
  readonly #onResult: (result: CheckResult) => void;
  #isOver = false;

  constructor(address: Uint8Array, timeoutMs: number, onResult: (result: CheckResult) => void) {
    this.#onResult = onResult;
    this.#slot = checkPoll.join(this);
    this.#connection = new PolledConnection(checkPoll, this.#slot, address, { linger: false, hearsFirst: false });
    checkPoll.setDeadline(this.#slot, timeoutMs);
    if (this.#connection.phase !== "connecting" || this.#connection.error !== undefined) checkPoll.wakeSoon(this.#slot);
  }

  onEvents(bits: number): void {
    const connection = this.#connection;
    connection.onEvents(bits);
    const { error } = connection;
    if (error !== undefined) this.#end(isLocalShortage(error) ? "SOCKERR" : "L4CON", error.message);
    else if (connection.phase === "open") this.#end("L4OK", "");
  }

  onDeadline(): void {
    this.#end("L4TOUT", "");
  }

  readonly release = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.close();
    checkPoll.leave(this.#slot);
  };

  #end(status: CheckResult["status"], text: string): void {
    const durationMs = performance.now() - this.#startedMs;
    this.release();
    this.#onResult(checkResult(status, text, 0, durationMs));
  }
}
