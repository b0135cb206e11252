// One run of one health check: a function of the check and the server's address. Whatever the server does, the result comes
// within the check's times, and every descriptor is closed when it has.

import type { CheckConfig, CheckProtocol } from "../../config/health-model.ts";
import type { CheckTarget } from "./connection.ts";
import { type ExternalCheckFacts, runExternalCheck } from "./external-check.ts";
import { httpCheckScript } from "./http-check-script.ts";
import { ldapScript, mysqlScript, pgsqlScript, redisScript, smtpScript, sslHelloScript } from "./protocol-scripts.ts";
import type { CheckResult } from "./result.ts";
import { connectBoundMs, type ScriptTimes, startScript } from "./run-script.ts";
import type { Script } from "./script.ts";
import { type ConnectionDefaults, implicitConnect, tcpCheckScript } from "./tcp-check-script.ts";
import { startTcpConnectCheck } from "./tcp-connect-check.ts";

/** Scripts of servers that are down, and of the others where it makes a difference (`http-check disable-on-404`). */
const scripts = { down: new WeakMap<CheckConfig, Script>(), up: new WeakMap<CheckConfig, Script>() } as const;

function scriptOf(check: CheckConfig, isUp: boolean): Script {
  const mayBe404 = isUp && check.protocol.kind === "http" && check.protocol.disableOn404 === true;
  const known = scripts[mayBe404 ? "up" : "down"];
  let script = known.get(check);
  if (script === undefined) {
    const { sendProxy, tls } = check;
    script = buildScript(check.protocol, { sendProxy, ...(tls === undefined ? {} : { tls }) }, mayBe404);
    known.set(check, script);
  }
  return script;
}

function buildScript(protocol: CheckProtocol, defaults: ConnectionDefaults, mayBe404: boolean): Script {
  switch (protocol.kind) {
    case "tcp":
      return { flavour: "protocol", steps: [implicitConnect(defaults)] };
    case "http":
      return httpCheckScript(protocol.steps, defaults, mayBe404);
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

/** Whether the plain, lean way will do. */
function isPlainTcp(check: CheckConfig): boolean {
  return check.protocol.kind === "tcp" && check.tls === undefined && !check.sendProxy;
}

/**
 * Checks once. `target` is final (see `checkTarget`); `facts` are for external checks only. `onResult` is called once, later than
 * this returns, and not at all after what is returned was called: that cancels the check. `isUp`: the server is not
 * down when the check begins.
 */
export function startCheck(
  check: CheckConfig,
  target: CheckTarget,
  facts: () => ExternalCheckFacts,
  onResult: (result: CheckResult) => void,
  isUp = false,
): () => void {
  if (check.protocol.kind === "external") return startExternal(check.protocol, check, target, facts(), onResult);
  if (isPlainTcp(check)) return startTcpConnectCheck(target, connectBoundMs(check), onResult);
  return startScript(scriptOf(check, isUp), check, target, onResult);
}

function startExternal(
  external: Extract<CheckProtocol, { kind: "external" }>,
  times: ScriptTimes,
  target: CheckTarget,
  facts: ExternalCheckFacts,
  onResult: (result: CheckResult) => void,
): () => void {
  const controller = new AbortController();
  runExternalCheck(external, times, target, facts, controller.signal).then(onResult, (error: unknown) => {
    // Only the cancellation may reject.
    if (!controller.signal.aborted) throw error;
  });
  return () => controller.abort();
}
