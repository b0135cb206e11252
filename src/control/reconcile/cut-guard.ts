// `cut-guard`: whether checks may end a server's sessions now. Reads states only; control thread.

import { isEligible } from "../../balance/candidates.ts";
import { AdminState, OperState, SERVER_WORDS, V_ADMIN, V_OPER } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";

/** Maintenance that somebody asked for: no sign of trouble, and not for the guard to question. */
const ASKED_FOR = AdminState.FORCED_MAINT | AdminState.INHERITED_MAINT;

/** The servers of a backend at one moment. */
export interface BackendHealth {
  /** Those that can be given sessions. */
  readonly usable: number;
  /** Those that are down, of `counted`: all that are not in maintenance by somebody's wish. */
  readonly down: number;
  readonly counted: number;
}

/** Counts them as they are now. */
export function backendHealth(memory: SharedMemory, backend: ProxyEntry): BackendHealth {
  let [usable, down, counted] = [0, 0, 0];
  for (const { index } of backend.servers) {
    if (isEligible(memory.serversI32, index)) usable++;
    if (isAskedFor(memory, index)) continue;
    counted++;
    if (memory.serversI32[index * SERVER_WORDS + V_OPER] === OperState.STOPPED) down++;
  }
  return { usable, down, counted };
}

/** Why the sessions of a server that is down are kept; undefined: they may end. */
export function guardReason(
  memory: SharedMemory,
  server: ServerEntry,
  health: () => BackendHealth,
): string | undefined {
  const { cutGuardPercent } = server.config.policy;
  if (cutGuardPercent === 0 || isAskedFor(memory, server.index)) return undefined;
  const { usable, down, counted } = health();
  if (usable === 0) return "no other server is up";
  return down * 100 > cutGuardPercent * counted ? `${down} of ${counted} servers are down` : undefined;
}

const isAskedFor = (memory: SharedMemory, server: number): boolean =>
  (memory.serversI32[server * SERVER_WORDS + V_ADMIN] & ASKED_FOR) !== 0;
