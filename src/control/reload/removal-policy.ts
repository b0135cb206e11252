// What `on-removed` says, as `reconcile` goes by it. Pure. Control thread.

import { removalText } from "../../config/diff/value-text.ts";
import type { RemovalPolicy } from "../../config/health-model.ts";

/** Without the keyword sessions stay, as in HAProxy. */
export const removalPolicyOf = (configured: RemovalPolicy | undefined): RemovalPolicy => configured ?? { kind: "keep" };

/** As in the file: "keep", "drain 30s", "shutdown-sessions". */
export const removalPolicyText = (policy: RemovalPolicy): string => removalText(policy) ?? "keep";
