// What happened in the demo, as sentences with their time; reconnections of many clients become one. Control thread.

import type { ServerChange, ServerState } from "./watch.ts";

const SENTENCES: Readonly<Record<ServerState, string>> = {
  UP: "takes new sessions again",
  MAINT: "is disabled: no new sessions",
  DRAIN: "drains: no new sessions",
  DOWN: "is down",
};
const KEPT = 100;
/** Reconnections within this time are told as one. */
const TOGETHER_MS = 500;

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

export class DemoEvents {
  /** Oldest first. */
  readonly lines: string[] = [];
  private readonly say: (line: string) => void;
  private readonly clock: () => Date;
  /** Reconnections not told yet: clients by new server, for each old one. */
  private moves = new Map<string, Map<string, number>>();
  private firstMoveMs = 0;

  /** `say` gets each line as it comes. */
  constructor(say: (line: string) => void = () => {}, clock: () => Date = () => new Date()) {
    this.say = say;
    this.clock = clock;
  }

  changed(change: ServerChange): void {
    if (change.state !== undefined) {
      const left = change.state === "MAINT" || change.state === "DRAIN" ? change.sessions : 0;
      const stay = left === 0 ? "" : `, ${left} old ${left === 1 ? "one stays" : "ones stay"}`;
      this.add(`${change.server} ${SENTENCES[change.state]}${stay}`);
    }
    if (change.cut > 0) this.add(`${plural(change.cut, "session")} cut on ${change.server}, ${change.sessions} left`);
  }

  reconnected(from: string, to: string): void {
    if (this.moves.size === 0) this.firstMoveMs = this.clock().getTime();
    const targets = this.moves.get(from) ?? new Map<string, number>();
    targets.set(to, (targets.get(to) ?? 0) + 1);
    this.moves.set(from, targets);
  }

  /** Tells the reconnections once no more are likely to belong to them. To be called now and then. */
  tellMoves(): void {
    if (this.moves.size === 0 || this.clock().getTime() - this.firstMoveMs < TOGETHER_MS) return;
    for (const [from, targets] of this.moves) {
      const count = [...targets.values()].reduce((a, b) => a + b, 0);
      const where = [...targets].sort().map(([to, n]) => `${n} to ${to}`);
      this.add(`${plural(count, "client")} of ${from} connected again: ${where.join(", ")}`);
    }
    this.moves = new Map();
  }

  private add(text: string): void {
    const line = `${this.clock().toTimeString().slice(0, 8)}  ${text}`;
    this.lines.push(line);
    if (this.lines.length > KEPT) this.lines.shift();
    this.say(line);
  }
}
