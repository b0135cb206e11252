// What a check can say: HAProxy's status codes, their numbers and words, and the result of one run. Pure data; the numbers
// stand in `show servers state`, the names in `show stat`, the words in log lines.

/** The number of each status. */
export const CHECK_STATUS = {
  UNK: 0,
  INI: 1,
  START: 2,
  CHECKED: 3,
  HANA: 4,
  SOCKERR: 5,
  L4OK: 6,
  L4TOUT: 7,
  L4CON: 8,
  L6OK: 9,
  L6TOUT: 10,
  L6RSP: 11,
  L7TOUT: 12,
  L7RSP: 13,
  /** Never a result: statuses above it carry a code of the protocol. */
  L57DATA: 14,
  L7OK: 15,
  L7OKC: 16,
  L7STS: 17,
  PROCERR: 18,
  PROCTOUT: 19,
  PROCOK: 20,
} as const;

export type CheckStatus = keyof typeof CHECK_STATUS;

/** What a status means for the server, with HAProxy's numbers. */
export const CHECK_RESULT = { unknown: 0, neutral: 1, failed: 2, passed: 3, conditionallyPassed: 4 } as const;

export type CheckResultKind = keyof typeof CHECK_RESULT;

const MEANINGS: Readonly<Record<CheckStatus, readonly [kind: CheckResultKind, words: string]>> = {
  UNK: ["unknown", "Unknown"],
  INI: ["unknown", "Initializing"],
  START: ["unknown", "Unknown"],
  CHECKED: ["neutral", "No status change"],
  HANA: ["failed", "Health analyze"],
  SOCKERR: ["failed", "Socket error"],
  L4OK: ["passed", "Layer4 check passed"],
  L4TOUT: ["failed", "Layer4 timeout"],
  L4CON: ["failed", "Layer4 connection problem"],
  L6OK: ["passed", "Layer6 check passed"],
  L6TOUT: ["failed", "Layer6 timeout"],
  L6RSP: ["failed", "Layer6 invalid response"],
  L7TOUT: ["failed", "Layer7 timeout"],
  L7RSP: ["failed", "Layer7 invalid response"],
  L57DATA: ["unknown", "Unknown"],
  L7OK: ["passed", "Layer7 check passed"],
  L7OKC: ["conditionallyPassed", "Layer7 check conditionally passed"],
  L7STS: ["failed", "Layer7 wrong status"],
  PROCERR: ["failed", "External check error"],
  PROCTOUT: ["failed", "External check timeout"],
  PROCOK: ["passed", "External check passed"],
};

/** What the status means for the server: passed, failed, neutral ... */
export function resultKindOf(status: CheckStatus): CheckResultKind {
  return MEANINGS[status][0];
}

/** The long text, e.g. "Layer4 check passed": log lines, and check_desc of `show stat`. */
export function statusWords(status: CheckStatus): string {
  return MEANINGS[status][1];
}

/** Whether the status carries a code of the protocol, which then stands in logs and `show stat`. */
export function hasCode(status: CheckStatus): boolean {
  return CHECK_STATUS[status] > CHECK_STATUS.L57DATA;
}

/** One finished run of a check. */
export interface CheckResult {
  readonly status: CheckStatus;
  /** The protocol's own number (HTTP status, SMTP reply, exit code ...); 0 unless `hasCode(status)`. */
  readonly code: number;
  /** HAProxy's `info: "..."` (last_chk of `show stat`), at most 127 characters; often empty. */
  readonly description: string;
  readonly durationMs: number;
}

/** The duration of what no check found, but `observe`. */
export const NO_DURATION = -1;

const DESCRIPTION_LENGTH_MAX = 127;

/** A result as HAProxy keeps it: its text ends at a NUL and after 127 bytes. */
export function checkResult(status: CheckStatus, description: string, code: number, durationMs: number): CheckResult {
  const nul = description.indexOf("\0");
  const text = nul < 0 ? description : description.slice(0, nul);
  return {
    status,
    code: hasCode(status) ? code : 0,
    description: text.length > DESCRIPTION_LENGTH_MAX ? text.slice(0, DESCRIPTION_LENGTH_MAX) : text,
    durationMs: Math.max(0, Math.floor(durationMs)),
  };
}
