// `headgate evict`: sends the order to a running Headgate, shows how far it is, and ends with the receipt. Runs in a process of its own:
// the eviction does not depend on it.

import { setTimeout as sleep } from "node:timers/promises";
import { loadConfig } from "../config/load.ts";
import type { Endpoint, LoadResult } from "../config/model.ts";
import { type EvictionForecast, forecastText } from "../operations/evict-dry-run.ts";
import { type EvictionReceipt, receiptText } from "../operations/eviction-receipt.ts";
import type { CommandLine } from "./cli.ts";
import { EVICT_WRONG_USE } from "./evict-options.ts";
import { askSocket, connectFailure, type Environment, findSocket } from "./stats-socket-client.ts";
import type { Terminal } from "./terminal.ts";

type EvictCommand = Extract<CommandLine, { kind: "evict" }>;

const VERIFIED_EMPTY = 0;
const NOT_EMPTY = 1;
const NOT_REACHABLE = 3;

/** Between two looks at how far it is. */
const LOOK_MS = 200;
const BAR_WIDTH = 30;

/** Runs the command; resolves with its exit code. Never rejects. */
export async function runEvictCommand(
  command: EvictCommand,
  env: Environment,
  terminal: Terminal,
  load: (files: readonly string[]) => LoadResult = (files) => loadConfig(files, env),
): Promise<number> {
  if (command.words.some((word) => /[\r\n]/.test(word))) {
    terminal.error("headgate: a word must not contain a line feed\n");
    return EVICT_WRONG_USE;
  }
  const endpoint = findSocket(command, env, load);
  if (typeof endpoint === "string") {
    terminal.error(`headgate: ${endpoint}\n`);
    return NOT_REACHABLE;
  }
  try {
    return command.dryRun ? await dryRun(command, endpoint, terminal) : await watch(command, endpoint, terminal);
  } catch (error) {
    terminal.error(`headgate: ${connectFailure(endpoint, error as NodeJS.ErrnoException)}\n`);
    return NOT_REACHABLE;
  }
}

const escaped = (word: string): string => word.replace(/[\\; \t]/g, "\\$&");

/** The answer to one command: its JSON lines, or why it was refused. */
type Answer = { readonly refused: string } | { readonly refused?: undefined; readonly values: readonly unknown[] };

async function ask(endpoint: Endpoint, words: readonly string[]): Promise<Answer> {
  const line = [...words.map(escaped), "json"].join(" ");
  const text = (await askSocket(endpoint, `set severity-output number;${line}\n`)).trim();
  const values: unknown[] = [];
  for (const part of text.split("\n")) {
    if (part === "") continue;
    if (!/^[{[]/.test(part) || /^\[\d\]: /.test(part)) return { refused: text.replace(/^\[\d\]: /gm, "") };
    values.push(JSON.parse(part));
  }
  return { values };
}

async function dryRun(command: EvictCommand, endpoint: Endpoint, terminal: Terminal): Promise<number> {
  const answer = await ask(endpoint, ["evict", ...command.words]);
  if (answer.refused !== undefined || answer.values.length === 0) return refused(answer, terminal);
  const [forecast] = answer.values as [EvictionForecast];
  terminal.out(command.json ? `${JSON.stringify(forecast)}\n` : forecastText(forecast));
  return VERIFIED_EMPTY;
}

function refused(answer: Answer, terminal: Terminal): number {
  terminal.error(`headgate: ${answer.refused ?? "the answer is empty"}\n`);
  return EVICT_WRONG_USE;
}

async function watch(command: EvictCommand, endpoint: Endpoint, terminal: Terminal): Promise<number> {
  const before = Math.max(0, ...(await receipts(endpoint)).map(({ id }) => id));
  const watcher = new Watcher(endpoint, terminal, command, before);
  let broken: unknown;
  const ordering = ask(endpoint, ["evict", ...command.words]).catch((error: unknown): Answer => {
    broken = error;
    return { values: [] };
  });
  const watching = watcher.run();
  // Whoever is told to leave does not wait for the answer.
  const first = await Promise.race([ordering, watcher.left]);
  watcher.stop();
  await watching;
  if (first === "left") return NOT_EMPTY;
  if (first.refused !== undefined) return refused(first, terminal);
  for (const value of first.values) if (isNote(value)) terminal.error(`${value.note}\n`);
  // Without a receipt the connection was cut, perhaps by the eviction itself: its receipt is kept.
  const receipt = first.values.find(isReceipt) ?? (await lateReceipt(watcher));
  if (receipt === undefined) {
    if (broken !== undefined) throw broken;
    return refused(first, terminal);
  }
  terminal.out(command.json ? `${JSON.stringify(receipt)}\n` : receiptText(receipt));
  return receipt.verified ? VERIFIED_EMPTY : NOT_EMPTY;
}

const isNote = (value: unknown): value is { readonly note: string } =>
  typeof value === "object" && value !== null && "note" in value;
const isReceipt = (value: unknown): value is EvictionReceipt =>
  typeof value === "object" && value !== null && "outcome" in value;

async function receipts(endpoint: Endpoint): Promise<readonly EvictionReceipt[]> {
  const answer = await ask(endpoint, ["show", "evictions"]);
  return answer.refused === undefined ? ((answer.values[0] ?? []) as EvictionReceipt[]) : [];
}

async function lateReceipt(watcher: Watcher): Promise<EvictionReceipt | undefined> {
  for (;;) {
    const receipt = await watcher.look();
    if (receipt === undefined || receipt.outcome !== "running") return receipt;
    await sleep(LOOK_MS);
  }
}

/** Shows how far the eviction is, and asks what to do on Ctrl-C. */
class Watcher {
  /** Resolves when the eviction is to be left alone. */
  readonly left: Promise<"left">;
  readonly #endpoint: Endpoint;
  readonly #terminal: Terminal;
  /** Undefined: sessions. */
  readonly #server: string | undefined;
  readonly #isShown: boolean;
  /** The greatest number of an eviction before ours. */
  readonly #before: number;
  readonly #stop = new AbortController();
  readonly #removeListener: () => void;
  #leave: (left: "left") => void = () => {};
  #isAsking = false;

  constructor(endpoint: Endpoint, terminal: Terminal, command: EvictCommand, before: number) {
    this.#endpoint = endpoint;
    this.#terminal = terminal;
    this.#server = command.words[0] === "server" ? command.words[1] : undefined;
    this.#isShown = terminal.isWatched && !command.json;
    this.#before = before;
    this.left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.#removeListener = terminal.onInterrupt(() => void this.#interrupted());
  }

  /** Our eviction; undefined if there is none yet, or none any more. */
  async look(): Promise<EvictionReceipt | undefined> {
    const named = this.#server;
    const isOurs = ({ id, server }: EvictionReceipt): boolean =>
      id > this.#before && (named === undefined ? server === null : server === named || named.includes("#"));
    return (await receipts(this.#endpoint)).find(isOurs);
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      // Who cannot be asked how far it is still gets the answer.
      const receipt = this.#isShown && !this.#isAsking ? await this.look().catch(() => undefined) : undefined;
      if (receipt !== undefined && !this.#isAsking && !signal.aborted) this.#terminal.error(progressText(receipt));
      await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
    }
    if (this.#isShown) this.#terminal.error("\r\u001b[K");
  }

  stop(): void {
    this.#stop.abort();
    this.#removeListener();
  }

  async #interrupted(): Promise<void> {
    if (this.#isAsking) {
      this.#sayAndLeave();
      return;
    }
    this.#isAsking = true;
    const question = "\nThe eviction is under way. Leave it to go on (l), abort it (a), or keep watching (w)? ";
    const answer = await this.#terminal.ask(question, this.#stop.signal);
    if (this.#stop.signal.aborted) return;
    this.#isAsking = false;
    const word = answer?.trim().toLowerCase() ?? "l";
    if (word.startsWith("w")) return;
    if (!word.startsWith("a")) {
      this.#sayAndLeave();
      return;
    }
    // Its answer, the receipt, comes by the connection that gave the order.
    const receipt = await this.look().catch(() => undefined);
    if (receipt !== undefined) await ask(this.#endpoint, ["evict", "cancel", `${receipt.id}`]).catch(() => {});
  }

  #sayAndLeave(): void {
    this.#terminal.error("The eviction goes on; see 'show evictions'.\n");
    this.#leave("left");
  }
}

/** One line that is written over and over: "[#####.....] 5 of 12 sessions are gone, 7 left, 3s". */
export function progressText(receipt: EvictionReceipt, nowMs: number = Date.now()): string {
  const { matched, survivors } = receipt;
  const gone = Math.max(0, matched - survivors);
  const filled = matched === 0 ? 0 : Math.floor((BAR_WIDTH * gone) / matched);
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(receipt.started)) / 1000));
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}]`;
  return `\r\u001b[K${bar} ${gone} of ${matched} sessions are gone, ${survivors} left, ${seconds}s`;
}
