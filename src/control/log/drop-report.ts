// Counts what a sink did not take and says so: at once the first time, then at most once in LOG_DROP_REPORT_MS. Control thread.

import { LOG_DROP_REPORT_MS } from "../../base/limits.ts";

export class DropReport {
  total = 0;
  private readonly name: string;
  private readonly report: (line: string) => void;
  private readonly periodMs: number;
  private unreported = 0;
  private reason = "";
  private timer: NodeJS.Timeout | undefined;

  /** `report` gets one line of text, without line feed. */
  constructor(name: string, report: (line: string) => void, periodMs: number = LOG_DROP_REPORT_MS) {
    this.name = name;
    this.report = report;
    this.periodMs = periodMs;
  }

  add(count: number, reason: string): void {
    if (count === 0) return;
    this.total += count;
    this.unreported += count;
    this.reason = reason;
    if (this.timer === undefined) this.say();
  }

  /** Says what has not been said. */
  close(): void {
    clearTimeout(this.timer);
    if (this.unreported > 0) this.say();
    clearTimeout(this.timer);
  }

  private say(): void {
    const messages = this.unreported === 1 ? "message" : "messages";
    this.report(
      `log target ${this.name}: ${this.unreported.toLocaleString("en-US")} ${messages} dropped (${this.reason})`,
    );
    this.unreported = 0;
    // The timer must not keep a program alive that has nothing else to do.
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.unreported > 0) this.say();
    }, this.periodMs).unref();
  }
}
