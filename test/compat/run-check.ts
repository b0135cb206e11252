// One run of a check as a promise, for tests.

import type { CheckConfig } from "../../src/config/health-model.ts";
import type { CheckTarget } from "../../src/control/health/connection.ts";
import type { ExternalCheckFacts } from "../../src/control/health/external-check.ts";
import type { CheckResult } from "../../src/control/health/result.ts";
import { startCheck } from "../../src/control/health/run-check.ts";
import { untilAborted } from "../../src/control/health/run-script.ts";

const NO_FACTS: ExternalCheckFacts = {
  proxyName: "",
  proxyId: 0,
  serverName: "",
  serverId: 0,
  serverMaxconn: 0,
  serverCurrentSessions: 0,
};

/** Rejects with the signal's reason if that aborts it, and with nothing else. */
export function runCheck(
  check: CheckConfig,
  target: CheckTarget,
  signal: AbortSignal,
  facts: ExternalCheckFacts = NO_FACTS,
): Promise<CheckResult> {
  return untilAborted(signal, (resolve) => startCheck(check, target, () => facts, resolve));
}
