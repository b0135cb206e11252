// The sentences that a server's change of state leaves in the log, in HAProxy's words, since scripts look for them.
// Pure. Who changes a state calls `serverStateMessages` once with what was and what is.

import { ADMIN_DRAIN, ADMIN_MAINT, AdminState, OperState } from "../../memory/server-row.ts";
import { LogLevel } from "./syslog-frame.ts";

export interface LogMessage {
  readonly level: LogLevel;
  readonly text: string;
}

/** AdminState bits and OperState of a server at one moment. */
export interface ServerCondition {
  readonly admin: number;
  readonly oper: number;
}

/** What the backend looks like after the change. */
export interface BackendCounts {
  /** Usable servers that are no backups, and usable backups. */
  readonly active: number;
  readonly backup: number;
  /** Sessions on the server; sessions that the change moved away from or to it; sessions still in its queue. */
  readonly sessions: number;
  readonly requeued: number;
  readonly queued: number;
}

export interface ServerNames {
  readonly backend: string;
  readonly server: string;
  readonly isBackup: boolean;
  /** " via b/s" of the server that brought it about; "" or absent else. */
  readonly via?: string;
  /** The name that DNS knows it by. */
  readonly fqdn?: string;
}

/** The messages of an administrative change, in order; none where nothing worth a line changed. */
export function serverStateMessages(
  names: ServerNames,
  before: ServerCondition,
  after: ServerCondition,
  counts: BackendCounts,
): LogMessage[] {
  const { via = "" } = names;
  const subject = `${names.isBackup ? "Backup " : ""}Server ${names.backend}/${names.server}`;
  const messages: LogMessage[] = [];
  const add = (level: LogLevel, text: string): void => {
    messages.push({ level, text: `${subject} ${text}.` });
  };
  const leaves = (bits: number): boolean => (before.admin & bits) !== 0 && (after.admin & bits) === 0;
  const enters = (bits: number): boolean => (before.admin & bits) === 0 && (after.admin & bits) !== 0;
  const upOrDown = after.oper === OperState.STOPPED ? "DOWN" : "UP";
  const drains = (after.admin & ADMIN_DRAIN) !== 0;

  if (enters(ADMIN_MAINT)) {
    const wasDraining = before.oper === OperState.STOPPING || (before.admin & ADMIN_DRAIN) !== 0;
    if (before.oper === OperState.STOPPED) add(LogLevel.NOTICE, `was DOWN and now enters maintenance${via}`);
    else
      add(wasDraining ? LogLevel.NOTICE : LogLevel.ALERT, `is going DOWN for maintenance${via}. ${leftText(counts)}`);
    return messages;
  }
  if (leaves(ADMIN_MAINT)) {
    const resolves = leaves(AdminState.RESOLUTION_MAINT);
    const how = leaves(AdminState.FORCED_MAINT) ? "leaving forced maintenance" : "leaving maintenance";
    const name = resolves ? `('${names.fqdn ?? NO_NAME}') ` : "";
    add(LogLevel.NOTICE, `${name}is ${upOrDown}/${drains ? "DRAIN" : "READY"} (${resolves ? "resolves again" : how})`);
  } else if ((after.admin & ADMIN_MAINT) !== 0) {
    if (leaves(AdminState.FORCED_MAINT)) {
      add(LogLevel.NOTICE, "is leaving forced maintenance but remains in maintenance");
    }
    if (leaves(AdminState.RESOLUTION_MAINT)) {
      add(LogLevel.NOTICE, `('${names.fqdn ?? NO_NAME}') resolves again but remains in maintenance`);
    }
    return messages;
  }
  if (enters(ADMIN_DRAIN)) add(LogLevel.NOTICE, `enters drain state${via}. ${onlineText(counts)}`);
  else if (leaves(ADMIN_DRAIN)) {
    const how = leaves(AdminState.FORCED_DRAIN) ? "leaving forced drain" : "leaving drain";
    add(LogLevel.NOTICE, `is ${upOrDown} (${how})`);
  } else if (drains && before.admin !== after.admin) {
    const forced = (after.admin & AdminState.FORCED_DRAIN) !== 0;
    add(LogLevel.NOTICE, forced ? "remains in forced drain mode" : "remains in drain mode");
  }
  return messages;
}

/** The message of an operational change: a check, or the operator in its place, took the server up or down. */
export function serverOperMessage(
  names: ServerNames,
  before: ServerCondition,
  after: ServerCondition,
  counts: BackendCounts,
  note: string,
): LogMessage {
  const subject = `${names.isBackup ? "Backup " : ""}Server ${names.backend}/${names.server}`;
  if (after.oper === OperState.STOPPED) {
    // A server that took no new sessions anyway is no alarm.
    const wasLeaving = before.oper === OperState.STOPPING || (before.admin & ADMIN_DRAIN) !== 0;
    const level = wasLeaving ? LogLevel.NOTICE : LogLevel.ALERT;
    return { level, text: `${subject} is DOWN${note}. ${leftText(counts)}.` };
  }
  const word = after.oper === OperState.STOPPING ? "stopping" : "UP";
  return { level: LogLevel.NOTICE, text: `${subject} is ${word}${note}. ${onlineText(counts)}.` };
}

/** What HAProxy's C library prints for a name or an address that is not there. */
const NO_NAME = "(null)";
const NO_ADDRESS = "(none)";

/** Another address than before; "-" stands for none. `by`: "<resolvers>/<nameserver>" and the like. */
export const addressMessage = (server: string, from: string, to: string, by: string): LogMessage => ({
  level: LogLevel.NOTICE,
  text: `${server} changed its IP from ${from === "-" ? NO_ADDRESS : from} to ${to} by ${by}.`,
});

/** A name that resolves again took the server out of maintenance. */
export const resolvedMessage = (server: string): LogMessage => ({
  level: LogLevel.NOTICE,
  text: `Server ${server} administratively READY thanks to valid DNS answer.`,
});

/** Another name than before. */
export const fqdnText = (server: string, from: string | undefined, to: string, by: string): string =>
  `${server} changed its FQDN from ${from ?? NO_NAME} to ${to} by '${by}'`;

/** Said once when the last usable server of a backend is gone. */
export function noServerMessage(
  kind: "listen" | "backend" | "frontend",
  backend: string,
): LogMessage & { readonly terminalText: string } {
  const text = (name: string): string => `${kind === "listen" ? "proxy" : kind} ${name} has no server available!`;
  return { level: LogLevel.EMERG, text: text(backend), terminalText: text(`'${backend}'`) };
}

/** Said when a proxy's listeners are closed for good. */
export function proxyStoppedMessage(proxy: string, frontConnections: number, backSessions: number): LogMessage {
  return {
    level: LogLevel.WARNING,
    text: `Proxy ${proxy} stopped (cumulated conns: FE: ${frontConnections}, BE: ${backSessions}).`,
  };
}

const onBackup = (counts: BackendCounts): string =>
  counts.backup > 0 && counts.active === 0 ? " Running on backup." : "";

const leftText = (c: BackendCounts): string =>
  `${c.active} active and ${c.backup} backup servers left.${onBackup(c)} ` +
  `${c.sessions} sessions active, ${c.requeued} requeued, ${c.queued} remaining in queue`;

const onlineText = (c: BackendCounts): string =>
  `${c.active} active and ${c.backup} backup servers online.${onBackup(c)} ` +
  `${c.requeued} sessions requeued, ${c.queued} total in queue`;
