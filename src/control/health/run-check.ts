// One run of one health check: a function of the check and the server's address. Whatever the server does, the promise settles
// within the check's times, and every descriptor is closed when it has.

import type { CheckConfig, CheckProtocol } from "../../config/health-model.ts";
import type { CheckTarget } from "./check-socket.ts";
import { type ExternalCheckFacts, runExternalCheck } from "./external-check.ts";
import { httpCheckScript } from "./http-check-script.ts";
import { ldapScript, mysqlScript, pgsqlScript, redisScript, smtpScript, sslHelloScript } from "./protocol-scripts.ts";
import type { CheckResult } from "./result.ts";
import { runScript } from "./run-script.ts";
import type { Script } from "./script.ts";
import { type ConnectionDefaults, implicitConnect, tcpCheckScript } from "./tcp-check-script.ts";
import { startTcpConnectCheck } from "./tcp-connect-check.ts";

const scripts = new WeakMap<CheckConfig, Script>();

function scriptOf(check: CheckConfig): Script {
  let script = scripts.get(check);
  if (script === undefined) {
    const { sendProxy, tls } = check;
    script = buildScript(check.protocol, { sendProxy, ...(tls === undefined ? {} : { tls }) });
    scripts.set(check, script);
  }
  return script;
}

function buildScript(protocol: CheckProtocol, defaults: ConnectionDefaults): Script {
  switch (protocol.kind) {
    case "tcp":
      return { flavour: "protocol", steps: [implicitConnect(defaults)] };
    case "http":
      return httpCheckScript(protocol.steps, defaults);
    case "tcp-check":
      return tcpCheckScript(protocol.steps, defaults);
    case "pgsql":
      return pgsqlScript(protocol, defaults);
    case "mysql":
      return mysqlScript(protocol, defaults);
    case "redis":
      return redisScript(defaults);
    case "smtp":
      return smtpScript(protocol, defaults);
    case "ldap":
      return ldapScript(defaults);
    case "ssl-hello":
      return sslHelloScript(defaults);
    case "external":
      throw new Error("an external check has no script");
  }
}

/** Where a check goes: its own address and port where it has them, the server's otherwise. */
export function checkTarget(check: Pick<CheckConfig, "addr" | "port">, server: CheckTarget): CheckTarget {
  const { addr, port } = check;
  if (addr === undefined && port === undefined) return server;
  if ("path" in server) return addr === undefined ? server : { host: addr, port: port ?? 0 };
  return { host: addr ?? server.host, port: port ?? server.port };
}

/** Whether the plain, lean way will do. */
export function isPlainTcp(check: CheckConfig): boolean {
  return check.protocol.kind === "tcp" && check.tls === undefined && !check.sendProxy;
}

/** What a connection may take at most. */
export function connectBoundMs(check: Pick<CheckConfig, "interMs" | "timeoutMs" | "connectTimeoutMs">): number {
  const { interMs, timeoutMs, connectTimeoutMs } = check;
  return timeoutMs === undefined ? interMs : Math.min(interMs, connectTimeoutMs ?? interMs);
}

const NO_FACTS: ExternalCheckFacts = {
  proxyName: "",
  proxyId: 0,
  serverName: "",
  serverId: 0,
  serverMaxconn: 0,
  serverCurrentSessions: 0,
};

/**
 * Checks once. `target` is final (see `checkTarget`). Rejects with the signal's reason if that aborts it, and with nothing else.
 * `facts` are for external checks only.
 */
export async function runCheck(
  check: CheckConfig,
  target: CheckTarget,
  signal: AbortSignal,
  facts: ExternalCheckFacts = NO_FACTS,
): Promise<CheckResult> {
  signal.throwIfAborted();
  if (check.protocol.kind === "external") return runExternalCheck(check.protocol, check, target, facts, signal);
  if (!isPlainTcp(check)) return runScript(scriptOf(check), check, target, signal);
  return new Promise((resolve, reject) => {
    const cancel = startTcpConnectCheck(target, connectBoundMs(check), (result) => {
      signal.removeEventListener("abort", abort);
      resolve(result);
    });
    const abort = () => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
  });
}
