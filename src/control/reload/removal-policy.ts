// What `on-removed` says, as `reconcile` goes by it. Pure. Control thread.

import { formatTimeMs } from "../../base/units.ts";
import type { RemovalPolicy } from "../reconcile/leaving-state.ts";

/** Without the keyword sessions stay, as in HAProxy. */
export const removalPolicyOf = (configured: RemovalPolicy | undefined): RemovalPolicy => configured ?? { kind: "keep" };

/** As in the file: "keep", "drain 30s", "shutdown-sessions". */
export const removalPolicyText = (policy: RemovalPolicy): string =>
  policy.kind === "drain" ? `drain ${formatTimeMs(policy.timeMs)}` : policy.kind;
