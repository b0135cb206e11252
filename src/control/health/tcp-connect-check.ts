// The plain TCP check: connects and closes. It is what thousands of servers get each second, so it is written for little work:
// one socket, one timer that the caller may share, no promise but the caller's.

import { connect } from "node:net";
import type { CheckTarget } from "./check-socket.ts";
import { type CheckResult, checkResult } from "./result.ts";
import { isLocalShortage, socketErrorWords } from "./socket-errors.ts";

/**
 * Connects once; `onResult` is called exactly once unless the check is cancelled before, by calling what is returned.
 */
export function startTcpConnectCheck(
  target: CheckTarget,
  timeoutMs: number,
  onResult: (result: CheckResult) => void,
): () => void {
  const startedMs = performance.now();
  const socket = connect({ ...target, autoSelectFamily: false });
  let isOver = false;
  const end = (result: CheckResult | undefined) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    if (result === undefined || result.status !== "L4OK" || "path" in target) socket.destroy();
    // A reset leaves no TIME_WAIT behind, and no half-open session at the server.
    else socket.resetAndDestroy();
    if (result !== undefined) onResult(result);
  };
  const elapsedMs = () => performance.now() - startedMs;
  const timer = setTimeout(() => end(checkResult("L4TOUT", "", 0, elapsedMs())), timeoutMs);
  socket.once("connect", () => end(checkResult("L4OK", "", 0, elapsedMs())));
  socket.on("error", (error) => {
    const status = isLocalShortage(error) ? "SOCKERR" : "L4CON";
    end(checkResult(status, socketErrorWords(error), 0, elapsedMs()));
  });
  return () => end(undefined);
}
