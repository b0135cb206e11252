// The plain TCP check: connects and closes. It is what thousands of servers get each second, so it takes the lean way of
// connect-probes.ts, and costs its caller no promise.

import { errorName, errorText } from "../../sys/libc.ts";
import type { CheckTarget } from "./check-socket.ts";
import { ConnectProbes, probeAddress } from "./connect-probes.ts";
import { type CheckResult, checkResult } from "./result.ts";
import { runScript } from "./run-script.ts";
import type { Script } from "./script.ts";
import { isLocalShortage } from "./socket-errors.ts";

const probes = new ConnectProbes();

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
  const address = probeAddress(target);
  if (address === undefined) return startByName(target, timeoutMs, onResult);
  const startedMs = performance.now();
  return probes.start(address, timeoutMs, (end) => {
    const durationMs = performance.now() - startedMs;
    if (end === 0) onResult(checkResult("L4OK", "", 0, durationMs));
    else if (end === "timeout") onResult(checkResult("L4TOUT", "", 0, durationMs));
    else {
      const status = isLocalShortage({ code: errorName(end) }) ? "SOCKERR" : "L4CON";
      onResult(checkResult(status, errorText(end), 0, durationMs));
    }
  });
}

function startByName(target: CheckTarget, timeoutMs: number, onResult: (result: CheckResult) => void): () => void {
  const controller = new AbortController();
  runScript(CONNECT, { interMs: timeoutMs }, target, controller.signal).then(onResult, (error: unknown) => {
    // Only the cancellation may reject.
    if (!controller.signal.aborted) throw error;
  });
  return () => controller.abort();
}
