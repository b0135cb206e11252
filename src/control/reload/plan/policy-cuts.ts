// Whose sessions standing policies end because a reload brings other words about them, or takes their server out of service. Reads only,
// before anything changes; control thread.

import { formatTimeMs } from "../../../base/units.ts";
import { sameValue } from "../../../config/diff/same-value.ts";
import { drainText, maintText } from "../../../config/diff/session-settings.ts";
import { markedDownText } from "../../../config/diff/value-text.ts";
import type { HealthPolicy, SessionPolicy } from "../../../config/health-model.ts";
import type { ServerConfig } from "../../../config/model.ts";
import { lastActiveMs } from "../../../memory/selector.ts";
import { AdminState, OperState, SERVER_WORDS, V_ADMIN, V_OPER } from "../../../memory/server-row.ts";
import { S_ACCEPT_F64, S_SERVER } from "../../../memory/session-row.ts";
import type { SharedMemory } from "../../../memory/shared-memory.ts";
import { forSessions } from "../../cut.ts";
import { attachedTo } from "../../reconcile/eviction.ts";
import { isDraining, isInMaintenance } from "../../reconcile/out-of-service.ts";
import type { ServerEntry } from "../../registry.ts";
import type { Match } from "../match.ts";
import type { PolicyCut } from "./model.ts";

const { FORCED_MAINT, FORCED_DRAIN } = AdminState;

type Cut = Pick<PolicyCut, "because" | "setting" | "says" | "endsAfterMs">;

/** Of servers that stay; in the order of the configuration. */
export function policyCuts(memory: SharedMemory, { proxies }: Match, nowMs: number): readonly PolicyCut[] {
  const found: PolicyCut[] = [];
  for (const { config: proxy, servers } of proxies) {
    for (const { config, entry } of servers) {
      if (entry === undefined || entry.config === config) continue;
      const sessions = attachedTo(memory, entry);
      if (sessions === 0) continue;
      const of = `${proxy.name}/${config.name}`;
      const cut = entry.health.policy.eviction === undefined ? cutOf(memory, entry, config) : undefined;
      if (cut !== undefined) found.push({ of, sessions, ...cut });
      // Who ends anyway needs not be told to be too old.
      else found.push(...overdue(memory, entry, config, nowMs).map((each) => ({ of, ...each })));
    }
  }
  return found;
}

/** As `reconcile/new-words.ts` and the change of the server's state do it. */
function cutOf(memory: SharedMemory, { index, config: old }: ServerEntry, now: ServerConfig): Cut | undefined {
  const row = index * SERVER_WORDS;
  const before = memory.serversI32[row + V_ADMIN];
  const after = adminAfter(before, old, now);
  const [was, is] = [old.policy.sessions ?? {}, now.policy.sessions ?? {}];
  if (isInMaintenance(after)) {
    const entered = !isInMaintenance(before);
    const because = entered ? "enters maintenance" : "is in maintenance";
    if (is.onMaint !== undefined) {
      return entered || !sameValue(was.onMaint, is.onMaint) ? maintCut(is.onMaint, because) : undefined;
    }
    return entered || was.onMaint !== undefined || old.policy.onMarkedDown === undefined
      ? downCut(now.policy, because)
      : undefined;
  }
  if (!isInMaintenance(before) && memory.serversI32[row + V_OPER] === OperState.STOPPED) {
    if (old.policy.onMarkedDown === undefined) return downCut(now.policy, "is down");
  }
  return isDraining(after) && !sameValue(was.onDrain, is.onDrain) ? drainCut(is.onDrain) : undefined;
}

/** As it is once the file has had its say: `disabled` comes and goes with it. */
function adminAfter(admin: number, old: ServerConfig, now: ServerConfig): number {
  if (old.disabled === now.disabled) return admin;
  return now.disabled ? (admin & ~FORCED_DRAIN) | FORCED_MAINT : admin & ~(FORCED_MAINT | FORCED_DRAIN);
}

function maintCut(onMaint: NonNullable<SessionPolicy["onMaint"]>, because: Cut["because"]): Cut | undefined {
  if (onMaint === "keep") return undefined;
  return { because, setting: "on-maint", says: maintText(onMaint), endsAfterMs: onMaint.afterMs };
}

function drainCut(onDrain: SessionPolicy["onDrain"]): Cut | undefined {
  if (onDrain === undefined || onDrain === "keep") return undefined;
  const endsAfterMs = "overMs" in onDrain ? onDrain.overMs : null;
  return { because: "drains", setting: "on-drain", says: drainText(onDrain), endsAfterMs };
}

function downCut({ onMarkedDown }: HealthPolicy, because: Cut["because"]): Cut | undefined {
  if (onMarkedDown === undefined) return undefined;
  const endsAfterMs = onMarkedDown.afterMs + onMarkedDown.overMs;
  return { because, setting: "on-marked-down", says: markedDownText(onMarkedDown), endsAfterMs };
}

/** Sessions that live longer already than the new words let them. */
function overdue(
  memory: SharedMemory,
  { index, config: old }: ServerEntry,
  now: ServerConfig,
  nowMs: number,
): readonly Omit<PolicyCut, "of">[] {
  const [was, is] = [old.policy.sessions ?? {}, now.policy.sessions ?? {}];
  const ageMs = is.maxAge?.ms === was.maxAge?.ms ? 0 : (is.maxAge?.ms ?? 0);
  const idleMs = is.maxIdleMs === was.maxIdleMs ? 0 : (is.maxIdleMs ?? 0);
  if (ageMs + idleMs === 0) return [];
  let [aged, idle] = [0, 0];
  for (let thread = 0; thread < memory.threads; thread++) {
    forSessions(memory, thread, (base) => {
      if (memory.sessions[base + S_SERVER] !== index) return;
      if (ageMs > 0 && nowMs - memory.sessionsF64[base / 2 + S_ACCEPT_F64] >= ageMs) aged++;
      else if (idleMs > 0 && nowMs - lastActiveMs(memory.sessionsF64, base / 2) >= idleMs) idle++;
    });
  }
  const rows = [
    { because: "older", setting: "max-session-age", says: formatTimeMs(ageMs), sessions: aged, endsAfterMs: 0 },
    { because: "idle", setting: "max-session-idle", says: formatTimeMs(idleMs), sessions: idle, endsAfterMs: 0 },
  ] as const;
  return rows.filter(({ sessions }) => sessions > 0);
}
