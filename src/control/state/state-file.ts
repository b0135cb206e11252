// Headgate's own state file: read at start, written when something that it holds has changed. A write is a new file that takes the old
// one's place, on the disk before the next one begins. What goes wrong is said once, and tried again. Control thread.

import { readFileSync, renameSync, statSync } from "node:fs";
import type { Change, Commit, Receipt } from "../change.ts";
import type { Evictions } from "../reconcile/eviction.ts";
import type { ServerEntry } from "../registry.ts";
import { type OwnState, readOwnState, type Writing } from "./own-format.ts";
import {
  type HeldFile,
  inodeOf,
  isHeld,
  release,
  removeLeftovers,
  replaceFile,
  replaceFileNow,
} from "./replace-file.ts";
import { CheckBits } from "./state-columns.ts";

export type FileSay = (severity: "NOTICE" | "WARNING", text: string) => void;

/** Least pause between two writes, and how much later counts and states may come than orders. */
const PAUSE_MS = 20;
const LATER_MS = 1000;
/** A write waits so many times as long as building the last text took. */
const BUILD_SHARE = 5;
/** Work done in one go before other events of the control thread have their turn. */
const TURN_MS = 4;
const RETRY_MS = 5000;

/** Reads the file at `path`. `takesOver`: from a process that may hold it. `isWritable`: it may be written over. Never throws. */
export function readStateFile(
  path: string,
  takesOver: boolean,
  say: FileSay,
): { readonly own?: OwnState; readonly isWritable: boolean } {
  let text: string;
  if (isSomethingElse(path)) {
    say("WARNING", `state file '${path}' is no file: it is neither read nor written to.`);
    return { isWritable: false };
  }
  if (!takesOver && isHeld(path)) {
    say(
      "WARNING",
      `state file '${path}' is another process's, which is running: it is neither read nor written to. Each needs a file of its own.`,
    );
    return { isWritable: false };
  }
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Before the first start there is none.
    if (code !== "ENOENT") say("WARNING", `state file '${path}' cannot be read, nothing of it holds: ${message}.`);
    return { isWritable: true };
  }
  const read = readOwnState(text);
  if ("state" in read) return { own: read.state, isWritable: true };
  const { line, reason, isForeign } = read.refused;
  const what = `state file '${path}' is refused, nothing of it holds: line ${line}: ${reason}`;
  if (isForeign) {
    say("WARNING", `${what}. It is not Headgate's, so it is not written to: choose another file, or remove this one.`);
    return { isWritable: false };
  }
  say("WARNING", `${what}.${keepAside(path)}`);
  return { isWritable: true };
}

/** There is something, and it is no file: a pipe would be waited for, a folder cannot be replaced. */
function isSomethingElse(path: string): boolean {
  try {
    return !statSync(path).isFile();
  } catch {
    // Reading it says why.
    return false;
  }
}

/** A refused file of ours is left for whoever wants to know. */
function keepAside(path: string): string {
  try {
    renameSync(path, `${path}.refused`);
    return ` It is kept as '${path}.refused'.`;
  } catch {
    return "";
  }
}

/** Changes that an operator means to last. */
const INTENT: ReadonlySet<Change["kind"]> = new Set([
  "set-admin",
  "enable-check",
  "set-check-target",
  "set-weight",
  "set-maxconn",
  "set-address",
  "set-fqdn",
  "add-server",
  "delete-server",
  "evict-server",
  "evict-sessions",
  "cancel-eviction",
  "pause-frontend",
  "resume-frontend",
  "shutdown-frontend",
  "set-frontend-maxconn",
  "set-process-maxconn",
  "reload",
]);

export class StateFile {
  private readonly path: string;
  private readonly evictions: Evictions;
  private readonly say: FileSay;
  private readonly partsOf: (writing: Writing) => Iterable<string>;
  /** Servers whose address is the operator's choice. */
  private readonly addressed = new WeakSet<ServerEntry>();
  /** Such an address of before the start, by the server's full name. */
  private readonly expected = new Map<string, string | undefined>();
  /** An eviction was under way at the last look. */
  private isEvicting = false;
  private timer: NodeJS.Timeout | undefined;
  private dueMs = Number.POSITIVE_INFINITY;
  private underWay: Promise<void> | undefined;
  private pauseMs = PAUSE_MS;
  private restUntilMs = 0;
  private hasFailed = false;
  private isClosed = false;
  /** There is something to write for. */
  private hasBegun = false;
  private written = "";
  /** The file that it wrote last. */
  private held: HeldFile | undefined;

  /** `partsOf`: what the file is to say now. `path` as the process sees it once it runs. */
  constructor(path: string, evictions: Evictions, partsOf: (writing: Writing) => Iterable<string>, say: FileSay) {
    this.path = path;
    this.evictions = evictions;
    this.partsOf = partsOf;
    this.say = say;
  }

  /** The same door, with changes noted that pass it. */
  watch(commit: Commit): Commit {
    const noted = async (change: Change): Promise<Receipt> => {
      const receipt = await commit(change);
      if (receipt.done) this.note(change);
      return receipt;
    };
    return Object.assign(noted, { settled: commit.settled });
  }

  /** The operator had given the server this address before the start. */
  expectAddress(backend: string, server: string, host: string | undefined): void {
    this.expected.set(`${backend}/${server}`, host);
  }

  /** A server went up, down or out of service, by whomever. */
  noteState(): void {
    this.schedule(LATER_MS);
  }

  /** Called every now and then: what an eviction under way has come to is written, where it has moved. */
  lookAtEvictions(): void {
    if (this.isEvicting) this.schedule(0);
  }

  /** The program runs: writes soon, whatever has changed. A start that fails has written nothing. */
  begin(): void {
    removeLeftovers(this.path);
    this.hasBegun = true;
    this.schedule(0);
  }

  /** Writes what is not written yet, unless somebody else has written since: who comes after knows better. Nothing after that. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.underWay;
    const isOurs = this.held === undefined || this.held.inode === inodeOf(this.path);
    if (this.hasBegun && isOurs) this.writeNow();
    if (this.held !== undefined) release(this.held);
    this.held = undefined;
  }

  private note(change: Change): void {
    if (change.kind === "set-address" || change.kind === "lose-address") {
      this.expected.delete(`${change.server.backend.name}/${change.server.name}`);
      if (change.kind === "set-address" && change.by === undefined) this.addressed.add(change.server);
      else this.addressed.delete(change.server);
    }
    const wasEvicting = this.isEvicting;
    this.isEvicting = this.evictions.all.some(({ outcome }) => outcome === "running");
    if (!INTENT.has(change.kind) && (!wasEvicting || this.isEvicting)) return;
    this.hasBegun = true;
    this.schedule(0);
  }

  private isOperators(server: ServerEntry): boolean {
    if (this.addressed.has(server)) return true;
    const expected = this.expected.get(`${server.backend.name}/${server.name}`);
    return expected !== undefined && expected === server.host;
  }

  private readonly writing = (isEnding: boolean): Writing => ({
    isOperators: (server) => this.isOperators(server),
    isEnding,
  });

  private schedule(afterMs: number): void {
    const atMs = Math.max(performance.now() + afterMs, this.restUntilMs);
    if (this.isClosed || !this.hasBegun || atMs >= this.dueMs) return;
    this.dueMs = atMs;
    if (this.underWay === undefined) this.arm();
  }

  private arm(): void {
    clearTimeout(this.timer);
    if (this.dueMs === Number.POSITIVE_INFINITY || this.isClosed) return;
    this.timer = setTimeout(() => this.write(), Math.max(0, this.dueMs - performance.now()));
    this.timer.unref();
  }

  private write(): void {
    this.dueMs = Number.POSITIVE_INFINITY;
    this.underWay = this.writeInTurns().finally(() => {
      this.underWay = undefined;
      this.restUntilMs = performance.now() + this.pauseMs;
      this.dueMs = Math.max(this.dueMs, this.restUntilMs);
      this.arm();
    });
  }

  /** Puts the text together in short turns, between which others have theirs. */
  private async writeInTurns(): Promise<void> {
    const draft = new Draft();
    let turnMs = performance.now();
    let spentMs = 0;
    for (const part of this.partsOf(this.writing(false))) {
      draft.add(part);
      const passedMs = performance.now() - turnMs;
      if (passedMs < TURN_MS) continue;
      spentMs += passedMs;
      await new Promise((resolve) => setImmediate(resolve));
      turnMs = performance.now();
    }
    this.pauseMs = Math.max(PAUSE_MS, spentMs * BUILD_SHARE);
    if (draft.lasting === this.written || this.isTaken()) return;
    await replaceFile(this.path, draft.text).then(
      (held) => this.succeeded(draft, held),
      (error: Error) => this.failed(error),
    );
  }

  /** Another process writes the file, since it took over: then this one does no more. */
  private isTaken(): boolean {
    const { held } = this;
    if (held === undefined || held.inode === inodeOf(this.path) || !isHeld(this.path)) return false;
    this.isClosed = true;
    release(held);
    this.say("NOTICE", `state file '${this.path}' is written by another process now, and by this one no more.`);
    return true;
  }

  private writeNow(): void {
    const draft = new Draft();
    for (const part of this.partsOf(this.writing(true))) draft.add(part);
    if (draft.lasting === this.written) return;
    try {
      this.succeeded(draft, replaceFileNow(this.path, draft.text));
    } catch (error) {
      this.failed(error as Error);
    }
  }

  private succeeded({ lasting }: Draft, held: HeldFile): void {
    this.written = lasting;
    if (this.held !== undefined) release(this.held);
    this.held = held;
    if (this.hasFailed) this.say("NOTICE", `state file '${this.path}' is written again.`);
    this.hasFailed = false;
  }

  private failed(error: Error): void {
    this.dueMs = Math.min(this.dueMs, performance.now() + RETRY_MS);
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.say(
      "WARNING",
      `state file '${this.path}' cannot be written: ${error.message}. What operators change does not outlive the process until it can.`,
    );
  }
}

/** A text in the making. */
class Draft {
  text = "";
  /** The same but for what changes by itself. */
  lasting = "";

  add(part: string): void {
    this.text += part;
    this.lasting += withoutAges(part);
  }
}

/** The text without what changes by itself: how long servers have been in their states, what checks find, and the checksum. */
const withoutAges = (text: string): string =>
  text
    .replace(/^((?:\S+ ){9})\d+ \d+ \d+ \d+ (\d+) (\d+)/gm, (_, before: string, check: string, agent: string) => {
      return before + (Number(check) & CheckBits.ENABLED) + (Number(agent) & CheckBits.ENABLED);
    })
    .replace(/^# headgate end .*$/m, "");
