// Reloads, one after the other: reads the configuration, prepares, commits, closes what is not used any more, and answers with a receipt.
// Whatever goes wrong before the commit leaves everything as it was. Control thread.

import { AppError } from "../../base/errors.ts";
import { type Steps, Turns } from "../../base/turns.ts";
import type { ShownMessage } from "../../config/diagnostics.ts";
import type { Config, Diagnostic, LoadResult, LogTarget } from "../../config/model.ts";
import type { ResolversConfig } from "../../config/resolvers-model.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Change, Receipt } from "../change.ts";
import type { MutableRegistry } from "../commit-context.ts";
import type { ThreadKeeper } from "../thread-service.ts";
import { TurnWatch } from "../turn-watch.ts";
import type { OrderSink } from "../workers.ts";
import { closeListeners } from "./close-listeners.ts";
import type { ReloadReceipt, ReloadReport, ReloadTimes } from "./model.ts";
import { ListenerPlanning } from "./plan-listeners.ts";
import { checkListening, prepareReload } from "./prepare.ts";

/** What ways in open for a configuration: the stats sockets. */
export interface PreparedDoors {
  /** The configuration is in force: what it does not name is closed, but for who waits for an answer. */
  accept(): void;
  /** It comes to nothing. */
  undo(): Promise<void>;
}

/** Where configurations come from, and what belongs to them outside the control thread's parts. Given by the program's entry. */
export interface ReloadSource {
  readonly files: readonly string[];
  load(): Steps<LoadResult>;
  onBegin?(): void;
  /** Hears of each reload once it is over, well or not. */
  onOver?(receipt: ReloadReceipt): void;
  /** Opens what is new. Throws AppError. */
  openDoors(config: Config): Promise<PreparedDoors>;
}

/** What the running program lends to a reload. */
export interface ReloadHost {
  readonly registry: MutableRegistry;
  readonly memory: SharedMemory;
  readonly orders: OrderSink;
  readonly threads: ThreadKeeper;
  readonly commit: (change: Change) => Promise<Receipt>;
  readonly log: { open(targets: readonly LogTarget[]): Promise<void>; retain(): Promise<void> };
  /** Names are resolved by these sections from now on. */
  readonly useResolvers: (sections: readonly ResolversConfig[]) => void;
  /** `-n` of the command line, which counts for more than the configuration. */
  readonly maxconn: number | undefined;
  readonly isStopping: () => boolean;
  /** For the log and the terminal. */
  readonly tell: (receipt: ReloadReceipt) => void;
}

export class Reloader {
  readonly #host: ReloadHost;
  readonly #source: ReloadSource | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: Promise<ReloadReceipt> | undefined;
  #count = 0;

  /** `source`: undefined where there is nothing to reload. */
  constructor(host: ReloadHost, source: ReloadSource | undefined) {
    this.#host = host;
    this.#source = source;
  }

  /**
   * Reloads when the reload before is over. Who asks while another one waits shares its receipt: it has not read the configuration yet.
   * `by`: who asked, for the receipt.
   */
  async reload(by: string): Promise<ReloadReceipt> {
    const source = this.#source;
    if (source === undefined) throw new AppError("no-reload", "this program has no configuration file to reload");
    if (this.#waiting !== undefined) return this.#waiting;
    const next = this.#last.then(() => {
      this.#waiting = undefined;
      return this.#run(source, by);
    });
    this.#waiting = next;
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #run(source: ReloadSource, by: string): Promise<ReloadReceipt> {
    const beginMs = performance.now();
    const { files } = source;
    const head = { id: ++this.#count, by, started: new Date().toISOString(), files };
    const messages: ShownMessage[] = [];
    const times = { read: 0, prepare: 0, commit: 0, relays: 0, controlTurn: 0, relayTurn: 0 };
    const watch = new TurnWatch(this.#host.memory);
    source.onBegin?.();
    const report = await this.#attempt(source, messages, times).finally(() => Object.assign(times, turnsOf(watch)));
    const receipt: ReloadReceipt = {
      ...head,
      outcome: report === undefined ? "refused" : "done",
      tookMs: round(performance.now() - beginMs),
      times: { ...times, relays: round(report?.relaysMs ?? 0) },
      messages,
      report,
    };
    this.#host.tell(receipt);
    source.onOver?.(receipt);
    return receipt;
  }

  /** Undefined if nothing has changed; then `messages` say why. */
  async #attempt(
    source: ReloadSource,
    messages: ShownMessage[],
    times: Record<"read" | "prepare" | "commit", number>,
  ): Promise<ReloadReport | undefined> {
    const host = this.#host;
    const refuse = (text: string): undefined => void messages.push({ severity: "error", text });
    if (host.isStopping()) return refuse("the program is stopping: it takes no new configuration");
    let sinceMs = performance.now();
    const lap = (phase: keyof typeof times): void => {
      const nowMs = performance.now();
      times[phase] = round(nowMs - sinceMs);
      sinceMs = nowMs;
    };
    const { config, diagnostics } = await new Turns().run(source.load());
    lap("read");
    messages.push(...diagnostics.map(messageOf));
    if (config === undefined) return undefined;
    const planning = new ListenerPlanning();
    let doors: PreparedDoors | undefined;
    try {
      checkListening(host.registry.config, config);
      doors = await source.openDoors(config);
      await host.log.open([config.global.logs, ...config.proxies.map((proxy) => proxy.logs)].flat());
      const warn = (text: string): void => void messages.push({ severity: "warning", text });
      const prepared = await prepareReload(host, config, planning, warn);
      lap("prepare");
      const change: Change = { kind: "reload", prepared };
      const receipt = await host.commit(change);
      lap("commit");
      if (!receipt.done) throw new AppError(receipt.code, receipt.detail);
      host.useResolvers(prepared.resolvers);
      doors.accept();
      await this.#close(receipt);
      planning.forbidOverlap();
      return receipt.reload;
    } catch (error) {
      if (!isExpected(error)) throw error;
      planning.undo();
      await doors?.undo();
      const { message, hint, place } = error as AppError;
      messages.push({
        severity: "error",
        text: place === undefined ? message : message.replace(` [${place.file}:${place.line}]`, ""),
        ...(hint === undefined ? {} : { hint }),
        ...(place === undefined ? {} : { place }),
      });
      return undefined;
    } finally {
      host.threads.settle();
      await host.log.retain();
    }
  }

  /** Sockets that nobody wants any more; frontends that only had those are gone with them. */
  async #close({ done, ...receipt }: Receipt & { readonly done: true }): Promise<void> {
    const closing = receipt.closing ?? [];
    await closeListeners(closing, this.#host.orders);
    for (const backend of new Set(closing.map(({ proxy }) => proxy))) {
      if (backend.leaving !== undefined && !backend.isDeleted) await this.#host.commit({ kind: "reconcile", backend });
    }
  }
}

/** An operating error, not a defect. */
const isExpected = (error: unknown): boolean =>
  error instanceof AppError || (error as NodeJS.ErrnoException).code !== undefined;

function turnsOf(watch: TurnWatch): Pick<ReloadTimes, "controlTurn" | "relayTurn"> {
  const { control, relay } = watch.end();
  return { controlTurn: round(control), relayTurn: round(relay) };
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

const messageOf = ({ severity, message, code, hint, place, lineText, length }: Diagnostic): ShownMessage => ({
  severity,
  text: `${message} [${code}]`,
  ...(hint === undefined ? {} : { hint }),
  ...(lineText === "" ? { place: { ...place, line: Math.max(1, place.line) } } : { place, lineText, length }),
});
