// What a reload leaves in the log and on the terminal: one line for each error and each operator's value that it overruled, and one that
// sums it up. Pure.

import type { ShownMessage } from "../../config/diagnostics.ts";
import type { ReloadReceipt } from "../reload/model.ts";
import { overruledText } from "../reload/plan/plan-text.ts";
import { receiptSummary } from "../reload/receipt-text.ts";
import type { LogMessage } from "./server-messages.ts";
import { LogLevel } from "./syslog-frame.ts";

const LEVELS = { error: LogLevel.ALERT, warning: LogLevel.WARNING, notice: LogLevel.NOTICE } as const;

/** "file:line:column: text", as far as it is known. */
function placedText({ text, place }: ShownMessage): string {
  return place === undefined ? text : `${place.file}:${place.line}:${place.column}: ${text}`;
}

/** In the order in which they are to be said. Notices about the configuration are not for the log: they come with every reload. */
export function reloadMessages(receipt: ReloadReceipt): LogMessage[] {
  const found = receipt.messages
    .filter(({ severity }) => severity !== "notice")
    .map((message) => ({ level: LEVELS[message.severity], text: placedText(message) }));
  const overruled = (receipt.report?.overruled ?? []).map((value) => ({
    level: LogLevel.WARNING,
    text: `Reload: ${overruledText(value)}.`,
  }));
  const level = receipt.outcome === "done" ? LogLevel.NOTICE : LogLevel.ALERT;
  return [...found, ...overruled, { level, text: receiptSummary(receipt) }];
}
