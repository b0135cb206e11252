// One line of a server state file, read: the fields, and which values HAProxy accepts in them. Pure.

import { isIpAddress } from "../../base/address.ts";
import { AdminState, OperState } from "../../memory/server-row.ts";
import { CHECK_RESULT, CHECK_STATUS, type CheckStatus } from "../health/result.ts";
import { CheckBits } from "./state-columns.ts";

/** Fields of a line: those behind the first 20 were added later. */
const FIELDS_LEAST = 20;
const FIELDS_MOST = 25;
const WEIGHT_MOST = 256;
const NAME_MOST = 255;

/** The values of a line; what is absent in the file is undefined. */
export interface StateRecord {
  readonly backendId: number;
  readonly backend: string;
  readonly server: string;
  /** An address, or undefined where there was none. */
  readonly host: string | undefined;
  readonly oper: number;
  /** AdminState bits: forced and configured ones only. */
  readonly admin: number;
  /** The name was changed at run time. */
  readonly fqdnChanged: boolean;
  readonly weight: number;
  /** As configured when the line was written. */
  readonly initialWeight: number;
  readonly secondsSinceChange: number;
  readonly checkStatus: CheckStatus | undefined;
  readonly checkHealth: number;
  /** CheckBits. */
  readonly checkState: number;
  readonly agentState: number;
  readonly fqdn: string | undefined;
  readonly port: number | undefined;
  /** The service (SRV) that it stands for a place of. */
  readonly service: string | undefined;
  readonly checkPort: number | undefined;
  readonly checkHost: string | undefined;
  readonly agentHost: string | undefined;
  readonly agentPort: number | undefined;
}

/** The fields of a line, "line" for one that says nothing (empty, a comment), or what is wrong with it. */
export function splitStateLine(
  line: string,
): { readonly fields: readonly string[] } | { readonly fault: string } | undefined {
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return undefined;
  const fields = text.split(/[ \t]+/);
  if (fields.length >= FIELDS_LEAST && fields.length <= FIELDS_MOST) return { fields };
  return { fault: `expected ${FIELDS_LEAST} to ${FIELDS_MOST} fields, found ${fields.length}` };
}

/** C's strtol: what follows the digits is not looked at. */
function numberIn(text: string | undefined): number {
  const digits = /^[+-]?\d+/.exec(text ?? "");
  return digits === null ? Number.NaN : Number(digits[0]);
}

const ADMIN_KEPT = AdminState.FORCED_MAINT | AdminState.CONFIG_MAINT | AdminState.FORCED_DRAIN;
const ADMIN_DROPPED =
  AdminState.INHERITED_DRAIN | AdminState.INHERITED_MAINT | AdminState.RESOLUTION_MAINT | AdminState.FQDN_CHANGED;
/** Combinations that HAProxy accepts. */
const ADMIN_VALUES: ReadonlySet<number> = new Set([
  0,
  AdminState.FORCED_MAINT,
  AdminState.CONFIG_MAINT,
  AdminState.CONFIG_MAINT | AdminState.FORCED_MAINT,
  AdminState.CONFIG_MAINT | AdminState.FORCED_DRAIN,
  AdminState.FORCED_DRAIN,
]);
const CHECK_BITS = Object.values(CheckBits).reduce((all, bit) => all | bit, 0);
const OPER_VALUES: ReadonlySet<number> = new Set(Object.values(OperState));
const RESULT_VALUES: ReadonlySet<number> = new Set(Object.values(CHECK_RESULT));
const STATUS_NAMES = new Map<number, CheckStatus>(
  Object.entries(CHECK_STATUS).map(([name, code]) => [code, name as CheckStatus]),
);
const STATUS_MOST = Math.max(...STATUS_NAMES.keys());

/** The values of a line's fields, or all that is wrong with them, as HAProxy words it: "invalid srv_uweight value 'x'". */
export function readStateRecord(
  fields: readonly string[],
): { readonly record: StateRecord } | { readonly faults: readonly string[] } {
  const faults: string[] = [];
  const number = (column: string, at: number, accepts: (value: number) => boolean): number => {
    const value = numberIn(fields[at]);
    if (Number.isNaN(value) || !accepts(value)) faults.push(`invalid ${column} value '${fields[at]}'`);
    return value;
  };
  const any = (): boolean => true;
  const isWeight = (value: number): boolean => value >= 0 && value <= WEIGHT_MOST;
  const isCheckState = (value: number): boolean => (value & ~CHECK_BITS) === 0;
  const isFlag = (value: number): boolean => value === 0 || value === 1;
  const word = (at: number): string | undefined => (fields[at]?.startsWith("-") ? undefined : fields[at]);
  const port = (at: number): number | undefined => (numberIn(fields[at]) > 0 ? numberIn(fields[at]) : undefined);

  const oper = number("srv_op_state", 5, (value) => OPER_VALUES.has(value));
  const admin = number("srv_admin_state", 6, (value) => ADMIN_VALUES.has(value & ~ADMIN_DROPPED));
  const weight = number("srv_uweight", 7, isWeight);
  const initialWeight = number("srv_iweight", 8, isWeight);
  const secondsSinceChange = number("srv_last_time_change", 9, any);
  const status = number("srv_check_status", 10, (value) => value >= 0 && value <= STATUS_MOST);
  number("srv_check_result", 11, (value) => RESULT_VALUES.has(value));
  const checkHealth = number("srv_check_health", 12, any);
  const checkState = number("srv_check_state", 13, isCheckState);
  const agentState = number("srv_agent_state", 14, isCheckState);
  number("bk_f_forced_id", 15, isFlag);
  number("srv_f_forced_id", 16, isFlag);
  const fqdn = word(17);
  if (fqdn !== undefined && !isName(fqdn)) faults.push(`invalid srv_fqdn value '${fqdn}'`);
  const serverPort = numberIn(fields[18]);
  if (serverPort > 65_535) faults.push(`invalid srv_port value '${fields[18]}'`);
  if (faults.length > 0) return { faults };
  const host = word(4);
  return {
    record: {
      backendId: numberIn(fields[0]),
      backend: fields[1] ?? "",
      server: fields[3] ?? "",
      host: host !== undefined && isIpAddress(host) ? host : undefined,
      oper,
      admin: admin & ADMIN_KEPT,
      fqdnChanged: (admin & AdminState.FQDN_CHANGED) !== 0,
      weight,
      initialWeight,
      secondsSinceChange,
      checkStatus: STATUS_NAMES.get(status),
      checkHealth,
      checkState,
      agentState,
      fqdn,
      port: Number.isNaN(serverPort) ? undefined : serverPort,
      service: fields[19]?.startsWith("_") ? fields[19] : undefined,
      checkPort: port(21),
      checkHost: word(22),
      agentHost: word(23),
      agentPort: port(24),
    },
  };
}

const isName = (text: string): boolean => text.length <= NAME_MOST && /^[A-Za-z0-9_.-]+$/.test(text);
