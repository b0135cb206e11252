// The receipt of a reload, for people: that it is done or why not, then the words of its plan. Pure; any thread.

import { renderMessage } from "../../config/diagnostics.ts";
import type { ReloadReceipt } from "./model.ts";
import { linesText, planSummary, type TextOptions } from "./plan/plan-text.ts";

/** "Reload 3 is done in 12 ms: 1 server added, 2 servers leaving with 5 sessions." */
export function receiptSummary({ id, tookMs, report }: ReloadReceipt): string {
  if (report === undefined) return `Reload ${id} is refused: nothing has changed.`;
  return `Reload ${id} is done in ${tookMs} ms: ${planSummary(report)}`;
}

/** Several lines, each with its line feed; the sum of it first. Notices about the configuration are not for it: they come with every reload. */
export function receiptText(receipt: ReloadReceipt, options: TextOptions = {}): string {
  const { messages, report } = receipt;
  const told = messages.filter(({ severity }) => severity !== "notice").map((each) => renderMessage(each, options));
  const done = report === undefined ? "" : linesText(report, options);
  const ended = report === undefined || report.ended === 0 ? "" : `Sessions ended at once: ${report.ended}.\n`;
  return [receiptSummary(receipt), ...told].join("\n").concat("\n", done, ended);
}
