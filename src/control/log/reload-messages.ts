// What a reload leaves in the log and on the terminal: one line that sums it up, and one for each error. Pure.

import type { ReloadMessage, ReloadReceipt } from "../reload/model.ts";
import { summaryText } from "../reload/summary.ts";
import type { LogMessage } from "./server-messages.ts";
import { LogLevel } from "./syslog-frame.ts";

const LEVELS = { error: LogLevel.ALERT, warning: LogLevel.WARNING, notice: LogLevel.NOTICE } as const;

/** "file:line:column: text", as far as it is known. */
export function placedText({ text, place }: ReloadMessage): string {
  return place === undefined ? text : `${place.file}:${place.line}:${place.column}: ${text}`;
}

/** In the order in which they are to be said. Notices about the configuration are not for the log: they come with every reload. */
export function reloadMessages(receipt: ReloadReceipt): LogMessage[] {
  const found = receipt.messages
    .filter(({ severity }) => severity !== "notice")
    .map((message) => ({ level: LEVELS[message.severity], text: placedText(message) }));
  const overruled = (receipt.report?.overruled ?? []).map(({ what, operator, file }) => ({
    level: LogLevel.WARNING,
    text: `Reload: ${what} is ${file} by the configuration, in place of the operator's ${operator}.`,
  }));
  const level = receipt.outcome === "done" ? LogLevel.NOTICE : LogLevel.ALERT;
  return [...found, ...overruled, { level, text: summaryText(receipt) }];
}
