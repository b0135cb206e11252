// The words of answers: silent success, messages, dumps, and HAProxy's text for each reason why a change is refused.

import type { Change, Receipt, RefusalCode } from "../control/change.ts";
import { type Answer, Severity } from "./operation.ts";

export const SILENT: Answer = { text: "" };
export const dump = (text: string | AsyncIterable<string>): Answer => ({ text });
export const failure = (text: string): Answer => ({ text: `${text}\n`, severity: Severity.error });
export const warning = (text: string): Answer => ({ text: `${text}\n`, severity: Severity.warning });
const notice = (text: string): Answer => ({ text: `${text}\n`, severity: Severity.notice });
export const info = (text: string): Answer => ({ text: `${text}\n`, severity: Severity.info });

export const PERMISSION_DENIED = failure("Permission denied");

export const NO_SUCH_SERVER = "No such server.";
export const NO_SUCH_BACKEND = "No such backend.";
export const DUPLICATE_NAME = "Already exists a server with the same name in backend.";

const isAboutAgent = (change: Change): boolean => "source" in change && change.source === "agent";

const TEXTS: Readonly<Record<RefusalCode, string | ((change: Change, detail: string) => string)>> = {
  "not-in-maintenance": "Only servers in maintenance mode can be deleted.",
  "has-sessions": "Server still has connections attached to it, cannot remove it.",
  "no-such-session": "No such session (use 'show sess').",
  "already-stopped": (change) =>
    change.kind === "pause-frontend"
      ? "Frontend was previously shut down, cannot disable."
      : change.kind === "resume-frontend"
        ? "Frontend was previously shut down, cannot enable."
        : "Frontend was already shut down.",
  "already-paused": "All sockets are already disabled.",
  "not-paused": "All sockets are already enabled.",
  "cannot-resume": "Failed to resume frontend, check logs for precise cause (port conflict?).",
  "duplicate-name": DUPLICATE_NAME,
  "duplicate-id": (_, detail) => `'id' : ${detail}`,
  "static-balance": (change, detail) =>
    change.kind === "add-server"
      ? `Backend does not support dynamic servers : proxy '${change.backend.name}' uses a non dynamic load balancing method.`
      : change.kind === "set-weight"
        ? "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'."
        : detail,
  "server-table-full": (_, detail) => `No room for another server: ${detail}`,
  "bad-address": (change, detail) => (change.kind === "set-address" ? `Invalid addr '${change.host}'` : detail),
  "no-such-server": NO_SUCH_SERVER,
  "is-tracked": "This server cannot be removed at runtime due to other configuration elements pointing to it.",
  "bad-track": (_, detail) => `unable to find required server '${detail}' for tracking.`,
  "check-not-configured": (change) =>
    `${isAboutAgent(change) ? "Agent" : "Health check"} was not configured on this server, cannot enable.`,
  "check-not-enabled": (change) =>
    `${isAboutAgent(change) ? "agent" : "health"} checks are not enabled on this server.`,
  "server-leaving": (_, detail) =>
    `${detail} was removed by a reload: it gets no new session, and is gone when its last one ends.`,
  "proxy-leaving": (_, detail) => `${detail} was removed by a reload, and is gone when its last session ends.`,
  "no-room": (_, detail) => `The new configuration does not fit: ${detail}.`,
  "no-such-eviction": (_, detail) => `No such eviction: ${detail} (use 'show evictions').`,
  "eviction-over": (_, detail) => `Eviction ${detail} is over.`,
  "tracking-server": "cannot change health on a tracking server.",
};

/** HAProxy's text for a refused change, without a line feed. */
export function refusalText(change: Change, code: RefusalCode, detail: string): string {
  const text = TEXTS[code];
  return typeof text === "string" ? text : text(change, detail);
}

/** Refusals that HAProxy calls no error: what was asked for is so already. */
const NOTICES: ReadonlySet<RefusalCode> = new Set(["already-paused", "not-paused"]);

/** The answer to a change: `success` when it was done, else the refusal's text. A cut that left sessions behind is none. */
export function answerOf(change: Change, receipt: Receipt, success: Answer = SILENT): Answer {
  if (receipt.done) {
    if (change.kind !== "cut-server" || receipt.survivors === 0) return success;
    return failure(`${receipt.survivors} sessions are still there, which is a defect of Headgate (use 'show sess').`);
  }
  return (NOTICES.has(receipt.code) ? notice : failure)(refusalText(change, receipt.code, receipt.detail));
}
