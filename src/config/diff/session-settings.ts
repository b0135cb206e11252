// The settings of how long sessions live, of a server and of a section alike. Pure; any thread.

import { formatTimeMs } from "../../base/units.ts";
import type { SessionPolicy } from "../health-model.ts";
import type { ProxyConfig } from "../model.ts";
import { type SettingTable, setting } from "./settings.ts";

const ageText = ({ ms, jitterPercent }: NonNullable<SessionPolicy["maxAge"]>): string =>
  jitterPercent === 0 ? formatTimeMs(ms) : `${formatTimeMs(ms)} jitter ${jitterPercent}`;

/** What follows `on-maint`. */
export function maintText(onMaint: NonNullable<SessionPolicy["onMaint"]>): string {
  if (onMaint === "keep") return "keep";
  return onMaint.afterMs === 0 ? "shutdown-sessions" : `drain ${formatTimeMs(onMaint.afterMs)}`;
}

/** What follows `on-drain`. */
export function drainText(onDrain: NonNullable<SessionPolicy["onDrain"]>): string {
  if (onDrain === "keep") return "keep";
  return "idleMs" in onDrain ? `idle ${formatTimeMs(onDrain.idleMs)}` : `over ${formatTimeMs(onDrain.overMs)}`;
}

export const SESSION_SETTINGS: SettingTable<SessionPolicy> = {
  maxAge: setting("max-session-age", ageText),
  maxIdleMs: setting("max-session-idle", formatTimeMs),
  onMaint: setting("on-maint", maintText),
  onDrain: setting("on-drain", drainText),
};

const ofSection =
  <V>(read: (sessions: SessionPolicy) => V | undefined, text: (value: V) => string) =>
  ({ defaultServer }: ProxyConfig): string | undefined => {
    const value = read(defaultServer.checks.sessions ?? {});
    return value === undefined ? undefined : text(value);
  };

/** What servers have of them from their section, by the keyword's name. */
export const SESSION_SETTINGS_OF_SECTION: Readonly<Record<string, (proxy: ProxyConfig) => string | undefined>> = {
  "max-session-age": ofSection(({ maxAge }) => maxAge, ageText),
  "max-session-idle": ofSection(({ maxIdleMs }) => maxIdleMs, formatTimeMs),
  "on-maint": ofSection(({ onMaint }) => onMaint, maintText),
  "on-drain": ofSection(({ onDrain }) => onDrain, drainText),
};
