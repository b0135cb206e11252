// A message as the bytes of one log target: priority, header in the target's format, text cut to its length, one line feed.
// Control thread. Headers change once a second at most and are kept.

import type { LogTarget } from "../../config/model.ts";
import type { HeaderDates } from "./log-time.ts";

/** Syslog's severities. */
export const LogLevel = {
  EMERG: 0,
  ALERT: 1,
  CRIT: 2,
  ERR: 3,
  WARNING: 4,
  NOTICE: 5,
  INFO: 6,
  DEBUG: 7,
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/** The program's name in headers, where no `log-tag` says another. */
const LOG_TAG = "headgate";

export interface LogIdentity {
  readonly pid: number;
  /** For `rfc3164`, which has a host name field. */
  readonly hostname: string;
}

/** The level at which a target takes a message, or -1 if its filter does not. */
export function levelFor(target: LogTarget, level: number): number {
  return level > target.maxLevel ? -1 : Math.max(level, target.minLevel);
}

/** RFC 5424's structured data of a message that has none, with the blank after it. */
const NO_STRUCTURED_DATA = "- ";

/** What stands before the text. `level` is the one from `levelFor`; `structured` ends with a blank; `host`: `log-send-hostname`, empty: the system's name. */
export function frameHeader(
  target: LogTarget,
  level: number,
  wallMs: number,
  dates: HeaderDates,
  identity: LogIdentity,
  tag: string = LOG_TAG,
  structured: string = NO_STRUCTURED_DATA,
  host?: string,
): string {
  const priority = target.facility * 8 + level;
  switch (target.format) {
    case "local":
      return `<${priority}>${dates.syslog(wallMs)} ${tag}[${identity.pid}]: `;
    case "rfc3164":
      return `<${priority}>${dates.syslog(wallMs)} ${host || identity.hostname} ${tag}[${identity.pid}]: `;
    case "rfc5424":
      return `<${priority}>1 ${dates.iso(wallMs)} ${host === "" ? identity.hostname : (host ?? "-")} ${tag} ${identity.pid} - ${structured}`;
    case "priority":
      return `<${priority}>`;
    case "short":
      return `<${level}>`;
    case "timed":
      return `<${level}>${dates.iso(wallMs)} `;
    case "iso":
      return `${dates.iso(wallMs)} `;
    case "raw":
      return "";
  }
}

/** Writes header, text and line feed into `into` (at least `maxLength` bytes) and returns the length. Too long a text is cut. */
export function writeFrame(into: Buffer, header: string, text: string, maxLength: number): number {
  const n = into.write(header + text, 0, maxLength - 1);
  into[n] = 10;
  return n + 1;
}
