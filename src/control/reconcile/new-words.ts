// A reload brings other words about the sessions of a server that is in maintenance, drains or is down already: they hold for the state
// that it is in, as if it had entered it with them. Control thread, only called by `commit`.

import { sameValue } from "../../config/diff/same-value.ts";
import type { HealthPolicy } from "../../config/health-model.ts";
import { OperState, SERVER_WORDS, V_ADMIN, V_OPER } from "../../memory/server-row.ts";
import type { CommitContext } from "../commit-context.ts";
import type { ServerEntry } from "../registry.ts";
import { forgetDown, noteDown } from "./marked-down.ts";
import {
  beginDrain,
  beginMaintenance,
  endDrain,
  endMaintenance,
  isDraining,
  isInMaintenance,
} from "./out-of-service.ts";

/**
 * To be called when the server has its new words, `before` are those that it had; what is due is done at the next `reconcile`. Times count
 * from now; those of a word that only got another time, from when it began to hold.
 */
export function noteNewWords(context: CommitContext, server: ServerEntry, before: HealthPolicy): void {
  const { policy: now } = server.config;
  const row = server.index * SERVER_WORDS;
  const admin = context.memory.serversI32[row + V_ADMIN];
  const isDown = context.memory.serversI32[row + V_OPER] === OperState.STOPPED;
  const [wasMaint, onMaint] = [before.sessions?.onMaint, now.sessions?.onMaint];
  const { policy } = server.health;
  if (isInMaintenance(admin) && !sameValue(wasMaint, onMaint)) {
    if (onMaint === undefined || onMaint === "keep") endMaintenance(context, server, "on-maint lets its sessions be");
    else if (policy.maintenance === undefined) beginMaintenance(context, server);
    if (onMaint !== undefined) forgetDown(server);
  }
  if (isDraining(admin) && !sameValue(before.sessions?.onDrain, now.sessions?.onDrain)) {
    endDrain(context, server, "on-drain says something else");
    beginDrain(context, server);
  }
  if (!isDown || (isInMaintenance(admin) && onMaint !== undefined)) return;
  const decidedBefore = !isInMaintenance(admin) || wasMaint === undefined;
  if (now.onMarkedDown === undefined) forgetDown(server);
  else if (before.onMarkedDown === undefined || !decidedBefore) noteDown(context, server);
  else if (policy.down !== undefined && !sameValue(before.onMarkedDown, now.onMarkedDown)) policy.down.pace = undefined;
}
