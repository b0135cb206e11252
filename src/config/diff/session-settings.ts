// How long sessions may live, and what becomes of them when their server leaves service, as settings to compare: said of a server, and
// of a whole section. Pure; any thread.

import { formatTimeMs } from "../../base/units.ts";
import type { SessionPolicy } from "../health-model.ts";
import { type SettingTable, setting } from "./settings.ts";

const ageText = ({ ms, jitterPercent }: NonNullable<SessionPolicy["maxAge"]>): string =>
  formatTimeMs(ms) + (jitterPercent > 0 ? ` jitter ${jitterPercent}` : "");

function maintText(policy: NonNullable<SessionPolicy["onMaint"]>): string {
  if (policy === "keep") return policy;
  return policy.afterMs === 0 ? "shutdown-sessions" : `drain ${formatTimeMs(policy.afterMs)}`;
}

function drainText(policy: NonNullable<SessionPolicy["onDrain"]>): string {
  if (policy === "keep") return policy;
  return "idleMs" in policy ? `idle ${formatTimeMs(policy.idleMs)}` : `over ${formatTimeMs(policy.overMs)}`;
}

export const SESSIONS: SettingTable<SessionPolicy> = {
  maxAge: setting("max-session-age", ageText),
  maxIdleMs: setting("max-session-idle", formatTimeMs),
  onMaint: setting("on-maint", maintText),
  onDrain: setting("on-drain", drainText),
};

/** The text of each of these settings, by its keyword. */
export const SESSION_TEXTS: Readonly<Record<string, (policy: SessionPolicy) => string | undefined>> = {
  "max-session-age": ({ maxAge }) => (maxAge === undefined ? undefined : ageText(maxAge)),
  "max-session-idle": ({ maxIdleMs }) => (maxIdleMs === undefined ? undefined : formatTimeMs(maxIdleMs)),
  "on-maint": ({ onMaint }) => (onMaint === undefined ? undefined : maintText(onMaint)),
  "on-drain": ({ onDrain }) => (onDrain === undefined ? undefined : drainText(onDrain)),
};
