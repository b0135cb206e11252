// The external check: a program whose exit code is the result, with the arguments and environment that HAProxy gives. It is
// ended when its time is over, and killed if it does not end then; nothing of it stays behind.

import { spawn } from "node:child_process";
import type { CheckTarget } from "./connection.ts";
import { type CheckResult, checkResult } from "./result.ts";
import { connectBoundMs, type ScriptTimes } from "./run-script.ts";
import { socketErrorWords } from "./socket-errors.ts";

const DEFAULT_PATH = "";
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 1000;

/** What the program is told about the server, besides its address. */
export interface ExternalCheckFacts {
  readonly proxyName: string;
  readonly proxyId: number;
  readonly serverName: string;
  readonly serverId: number;
  /** 0: no limit. */
  readonly serverMaxconn: number;
  readonly serverCurrentSessions: number;
  /** The first address that the proxy listens on, if it does. */
  readonly proxyAddress?: CheckTarget;
}

function wordsOf(target: CheckTarget | undefined): [address: string, port: string] {
  if (target === undefined) return ["NOT_USED", "NOT_USED"];
  if ("path" in target) return [target.path, "NOT_USED"];
  return [target.host, `${target.port}`];
}

/** Runs it once. Rejects only if aborted, and then kills the program. */
export function runExternalCheck(
  external: { readonly command: string; readonly path?: string },
  times: ScriptTimes,
  target: CheckTarget,
  facts: ExternalCheckFacts,
  signal: AbortSignal,
): Promise<CheckResult> {
  const startedMs = performance.now();
  const [proxyAddress, proxyPort] = wordsOf(facts.proxyAddress);
  const [serverAddress, serverPort] = wordsOf(target);
  const env = {
    PATH: external.path ?? DEFAULT_PATH,
    HAPROXY_PROXY_NAME: facts.proxyName,
    HAPROXY_PROXY_ID: `${facts.proxyId}`,
    HAPROXY_PROXY_ADDR: proxyAddress,
    HAPROXY_PROXY_PORT: proxyPort,
    HAPROXY_SERVER_NAME: facts.serverName,
    HAPROXY_SERVER_ID: `${facts.serverId}`,
    HAPROXY_SERVER_ADDR: serverAddress,
    HAPROXY_SERVER_PORT: serverPort,
    HAPROXY_SERVER_MAXCONN: `${facts.serverMaxconn}`,
    HAPROXY_SERVER_CURCONN: `${facts.serverCurrentSessions}`,
    HAPROXY_SERVER_SSL: "0",
    HAPROXY_SERVER_PROTO: "tcp",
  };
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const args = [proxyAddress, proxyPort, serverAddress, serverPort];
    const child = spawn(external.command, args, { env, stdio: "ignore" });
    let killer: NodeJS.Timeout | undefined;
    const end = (status: "PROCOK" | "PROCERR" | "PROCTOUT" | "SOCKERR", code: number, text = "") => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      resolve(checkResult(status, text, code, performance.now() - startedMs));
    };
    const terminate = () => {
      child.kill("SIGTERM");
      killer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
    };
    const abort = () => {
      clearTimeout(timer);
      terminate();
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      terminate();
      end("PROCTOUT", 0);
    }, connectBoundMs(times));
    signal.addEventListener("abort", abort, { once: true });
    child.once("error", (error) => {
      // As a shell would: a program that cannot be run ends with an error code of its own.
      const isMissing = child.pid === undefined && /ENOENT|EACCES/.test((error as NodeJS.ErrnoException).code ?? "");
      if (isMissing) end("PROCERR", 255);
      else if (child.pid === undefined) end("SOCKERR", 0, socketErrorWords(error));
    });
    child.once("exit", (code, killedBy) => {
      clearTimeout(killer);
      end(code === 0 ? "PROCOK" : "PROCERR", killedBy !== null ? -1 : (code ?? -1));
    });
  });
}
