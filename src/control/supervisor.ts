// The running program: boots in the order of `startProgram`, keeps the parts together, and stops them. Control thread.

import type { Config } from "../config/model.ts";
import type { ResolversConfig } from "../config/resolvers-model.ts";
import { W_CONNECTIONS, W_MAXCONN } from "../memory/control-words.ts";
import { CT_RECORDS_DROPPED } from "../memory/counters.ts";
import { L_MAXCONN, LISTENER_WORDS } from "../memory/listener-row.ts";
import { allocateSharedMemory, type SharedMemory, threadsInService } from "../memory/shared-memory.ts";
import { LinuxKernel } from "../sys/linux-kernel.ts";
import { interruptNobody } from "../sys/scheduling.ts";
import { resolveNameservers } from "./addresses.ts";
import { buildRegistry, openListeners } from "./build-registry.ts";
import type { Commit } from "./change.ts";
import { createCommit } from "./commit.ts";
import type { CommitEvents, MutableRegistry } from "./commit-context.ts";
import { HealthChecks } from "./health/health.ts";
import { askKernel } from "./kernel-answer.ts";
import type { ListenFrom } from "./listeners.ts";
import { closeFrontendListeners, pauseFrontendListeners, resumeFrontendListeners } from "./listeners.ts";
import { RecordDrain } from "./log/record-drain.ts";
import { reloadMessages } from "./log/reload-messages.ts";
import {
  addressMessage,
  fqdnText,
  noServerMessage,
  proxyStoppedMessage,
  resolvedMessage,
} from "./log/server-messages.ts";
import { stateChangeMessages } from "./log/state-log.ts";
import { LogLevel } from "./log/syslog-frame.ts";
import { LogTargets } from "./log/targets.ts";
import { TrafficLog } from "./log/traffic-log.ts";
import { defaultThreads, type ProcessSize, sizeProcess } from "./process-size.ts";
import type { Program } from "./program.ts";
import { Progress } from "./progress.ts";
import { ErrorWatch } from "./reconcile/error-watch.ts";
import { Evictions } from "./reconcile/eviction.ts";
import { ReconcileTimers } from "./reconcile/reconcile-timers.ts";
import type { ProxyEntry, ServerEntry } from "./registry.ts";
import { fullName } from "./reload/apply-servers.ts";
import type { ReloadReceipt } from "./reload/model.ts";
import { Reloader, type ReloadHost, type ReloadSource } from "./reload/reloader.ts";
import { Names, type ResolversView } from "./resolve/names.ts";
import { ResourceWatch } from "./resource-watch.ts";
import { softStop } from "./soft-stop.ts";
import { keepFrontendsShut } from "./state/restore-frontends.ts";
import { readStartState, type StateAtStart, stateFileOf } from "./state/start-state.ts";
import type { StateFile } from "./state/state-file.ts";
import { sumThreads } from "./stats/sums.ts";
import { ThreadService } from "./thread-service.ts";
import { RelayThreads } from "./workers.ts";

export interface StartOptions {
  readonly config: Config;
  /** Where it comes from, see `Program.configFiles`. */
  readonly files?: readonly string[];
  /** `-n` of the command line. */
  readonly maxconn?: number;
  readonly version: string;
  readonly releaseDate: string;
  /** Where a reload finds the configuration; absent: there is none to reload. */
  readonly reload?: ReloadSource;
  /** Wall clock ms at which the process began. */
  readonly bootStartMs: number;
  readonly listenFrom?: ListenFrom;
  /** From a process that may be running still: its state file is ours. */
  readonly takesOver?: boolean;
  /** Lines for the operator's terminal, without a line feed. */
  readonly say: (severity: "NOTICE" | "WARNING" | "ALERT", text: string) => void;
  /** The program cannot go on: a relay thread died. */
  readonly onFatal: (text: string) => void;
}

const HOUSEKEEPING_MS = 1000;
/** How long the threads may take to leave their loops. */
const STOP_DEADLINE_MS = 500;

export class RunningProgram implements Program {
  readonly registry: MutableRegistry;
  readonly memory: SharedMemory;
  readonly configFiles: readonly string[];
  readonly version: string;
  readonly releaseDate: string;
  readonly pid = process.pid;
  readonly startWallMs: number;
  bootMs = 0;
  readonly fileLimit: number;
  readonly evictions = new Evictions();
  stopping = false;
  readonly commit: Commit;
  readonly reload = (by: string): Promise<ReloadReceipt> => this.reloader.reload(by);
  private readonly options: StartOptions;
  private readonly relays: RelayThreads;
  private readonly service: ThreadService;
  private readonly log: TrafficLog;
  private readonly checks: HealthChecks;
  private readonly timers: ReconcileTimers;
  private readonly errors: ErrorWatch;
  private readonly names: Names;
  private readonly resources: ResourceWatch;
  private readonly stateFile: StateFile | undefined;
  private readonly clock = new LinuxKernel();
  private readonly progress = new Progress();
  private readonly records: RecordDrain;
  private readonly reloader: Reloader;
  /** Servers whose names a reload under way changed. */
  private readonly renamed = new Set<ServerEntry>();
  private softStopped: Promise<void> | undefined;
  private housekeeping: NodeJS.Timeout | undefined;

  constructor(
    options: StartOptions,
    size: ProcessSize,
    memory: SharedMemory,
    registry: MutableRegistry,
    log: TrafficLog,
    resolvers: readonly ResolversConfig[],
    state: StateAtStart,
  ) {
    this.options = options;
    this.memory = memory;
    this.configFiles = options.files ?? [];
    this.resources = new ResourceWatch(memory);
    this.registry = registry;
    this.log = log;
    this.version = options.version;
    this.releaseDate = options.releaseDate;
    this.startWallMs = options.bootStartMs;
    this.fileLimit = size.fileLimit;
    this.relays = new RelayThreads(memory, {
      onRecords: (thread) => this.records.drain(thread),
      onEmptied: (server) => this.timers.lookNow(registry.serversByIndex[server]?.backend),
      onFailure: (text) => options.onFatal(text),
    });
    this.service = new ThreadService(memory, this.relays, (text) => this.note(LogLevel.NOTICE, text));
    this.records = new RecordDrain(memory, log, (thread) => this.relays.wantRecords(thread));
    const { evictions } = this;
    this.stateFile = stateFileOf(state, { memory, registry, evictions }, (severity, text) => this.tell(severity, text));
    const commit = createCommit({
      memory,
      registry,
      orders: this.relays,
      events: this.commitEvents(),
      listeners: { close: closeFrontendListeners, pause: pauseFrontendListeners, resume: resumeFrontendListeners },
      nowMs: () => this.nowMs(),
      random: Math.random,
      evictions: this.evictions,
      askKernel: (server, destroyForeign) => askKernel(memory, server, destroyForeign),
    });
    this.commit = this.stateFile?.watch(commit) ?? commit;
    this.checks = new HealthChecks(memory, registry, this.commit);
    this.timers = new ReconcileTimers(this.commit, () => this.nowMs());
    this.errors = new ErrorWatch(memory, this.commit);
    for (const server of registry.serversByIndex) if (server !== undefined) this.errors.add(server);
    this.names = new Names(resolvers, memory, this.commit);
    this.reloader = new Reloader(this.reloadHost(), options.reload);
  }

  settled<T>(look: () => T): Promise<Awaited<T>> {
    return this.commit.settled(look);
  }

  nowMs(): number {
    this.clock.readClock();
    return this.clock.clock[0];
  }

  resolvers(): readonly ResolversView[] {
    return this.names.sections;
  }

  droppedLogs(): number {
    return this.log.dropped() + sumThreads(this.memory, CT_RECORDS_DROPPED);
  }

  onProgress(listener: () => void): () => void {
    return this.progress.subscribe(listener);
  }

  /** Starts the relay threads; nothing is accepted before `open`. */
  async startRelays(): Promise<void> {
    await this.service.prepare(this.threads);
    interruptNobody();
    this.housekeeping = setInterval(() => this.keepHouse(), HOUSEKEEPING_MS);
  }

  /** What was in force before the start is so again. */
  async restore(state: StateAtStart): Promise<void> {
    await this.commit({ kind: "restore-state", state, tell: (severity, text) => this.tell(severity, text) });
  }

  /** Lets the relays accept. */
  async open(): Promise<void> {
    this.stateFile?.begin();
    for (const listener of this.registry.listenersByIndex) {
      if (listener === undefined) continue;
      const { index, fd, bind, proxy } = listener;
      this.memory.listenersI32[index * LISTENER_WORDS + L_MAXCONN] = bind.maxconn;
      if (fd < 0 || proxy.paused) continue;
      await this.relays.order({ kind: "listen", listener: index, fd, frontend: proxy.index });
    }
    this.checks.start();
    this.names.start(this.registry);
    this.bootMs = Date.now() - this.startWallMs;
  }

  get threads(): number {
    return threadsInService(this.memory);
  }

  get maxconn(): number {
    return this.registry.maxconn;
  }

  /** Sessions of the process right now. */
  get connections(): number {
    return Atomics.load(this.memory.words, W_CONNECTIONS);
  }

  /** Closes the listeners, waits for the last session or `hard-stop-after`, and resolves when no session is left. */
  softStop(): Promise<void> {
    this.softStopped ??= this.beginSoftStop();
    return this.softStopped;
  }

  private async beginSoftStop(): Promise<void> {
    this.stopping = true;
    // From now on the file is that of who comes after.
    await this.stateFile?.close();
    const { registry, memory, commit } = this;
    await softStop({
      registry,
      memory,
      commit,
      connections: () => this.connections,
      note: (level, text, proxy, terminalLevel) => this.note(level, text, proxy, terminalLevel),
      onProgress: (listener) => this.onProgress(listener),
      cutAll: () => this.relays.order({ kind: "cut-all" }),
    });
  }

  /** Ends every session, writes their records, stops the threads. True if all of them left in time. */
  async stop(): Promise<boolean> {
    clearInterval(this.housekeeping);
    // First of all, so that no check takes a server up or down any more, and no name moves one.
    this.checks.stop();
    this.timers.stop();
    this.errors.stop();
    this.names.stop();
    await this.stateFile?.close();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_DEADLINE_MS);
    });
    await Promise.race([this.relays.order({ kind: "cut-all" }), late]);
    clearTimeout(timer);
    const left = await this.relays.stop(STOP_DEADLINE_MS);
    this.records.finish();
    for (const proxy of this.registry.proxies) closeFrontendListeners(proxy);
    this.progress.stop();
    await this.log.close();
    return left;
  }

  private tell(severity: "NOTICE" | "WARNING", text: string): void {
    this.note(severity === "NOTICE" ? LogLevel.NOTICE : LogLevel.WARNING, text);
  }

  /** Says it on the terminal and in the log. */
  private note(level: LogLevel, text: string, proxy?: ProxyEntry, terminalLevel = level): void {
    const isAlert = terminalLevel <= LogLevel.ALERT;
    this.options.say(isAlert ? "ALERT" : terminalLevel <= LogLevel.WARNING ? "WARNING" : "NOTICE", text);
    this.log.message(level, text, proxy);
  }

  /** As `note`; on the terminal every change of a server is a warning, as in HAProxy. */
  private noteServer(level: LogLevel, text: string, server: ServerEntry): void {
    this.options.say("WARNING", text);
    this.log.message(level, text, server.backend);
  }

  private reloadHost(): ReloadHost {
    const { registry, memory, relays: orders, service: threads, commit, log } = this;
    return {
      registry,
      memory,
      orders,
      threads,
      commit,
      log,
      useResolvers: (sections) => {
        this.names.reload(sections, registry, this.renamed);
        this.renamed.clear();
        this.checks.spreadBy(registry.config.global.spreadChecksPercent ?? 0);
      },
      isStopping: () => this.stopping,
      maxconn: this.options.maxconn,
      tell: (receipt) => {
        for (const { level, text } of reloadMessages(receipt)) this.note(level, text);
        this.progress.look();
      },
    };
  }

  private keepHouse(): void {
    this.service.look();
    this.stateFile?.lookAtEvictions();
    for (const { level, text } of this.resources.look(
      () => `file limit ${this.fileLimit}, ${this.connections} sessions`,
    )) {
      this.note(level, text);
    }
  }

  private commitEvents(): CommitEvents {
    return {
      onServerState: (server, change) => {
        this.stateFile?.noteState();
        for (const { level, text } of stateChangeMessages(this.memory, server, change)) {
          this.noteServer(level, text, server);
        }
      },
      onBackendDown: (backend) => {
        const { level, text, terminalText } = noServerMessage(backend.config.kind, backend.name);
        this.options.say("ALERT", terminalText);
        this.log.message(level, text, backend);
      },
      onCheckLog: (server, text) => this.noteServer(LogLevel.NOTICE, `${text}.`, server),
      onHealthChange: (server, source) => this.checks.refresh(server, source),
      onServerAdded: (server) => this.errors.add(server),
      onServerDeleted: (server) => {
        this.checks.forget(server);
        this.errors.remove(server);
        this.names.forget(server);
      },
      onServerReloaded: (server, { checks, name }) => {
        if (checks) this.checks.renew(server);
        this.errors.remove(server);
        this.errors.add(server);
        if (name) this.renamed.add(server);
      },
      onPolicy: (backend, level, text) => this.note(level, text, backend),
      onReconcileAt: (backend, atMs) => this.timers.lookAt(backend, atMs),
      onAddressChange: (server, from, by) => {
        const { level, text } = addressMessage(fullName(server), from, server.host, by);
        this.noteServer(level, text, server);
      },
      onResolvedAgain: (server) => {
        const { level, text } = resolvedMessage(fullName(server));
        this.noteServer(level, text, server);
      },
      onFqdnChange: (server, from, by) => {
        // The operator is answered instead.
        if (server.service === undefined) this.names.renamed(server);
        else this.noteServer(LogLevel.NOTICE, fqdnText(fullName(server), from, server.fqdn ?? "", by), server);
      },
      onFrontendStopped: (proxy, front, back) => {
        const { level, text } = proxyStoppedMessage(proxy.name, front, back);
        this.note(level, text, proxy);
      },
      onFrontendPaused: (proxy) => this.note(LogLevel.WARNING, `Paused ${kindOf(proxy)} ${proxy.name}.`, proxy),
      onFrontendResumed: (proxy) => this.note(LogLevel.WARNING, `Resumed ${kindOf(proxy)} ${proxy.name}.`, proxy),
      onProgress: () => this.progress.look(),
    };
  }
}

/** As HAProxy calls it in messages. */
const kindOf = (proxy: ProxyEntry): string => (proxy.config.kind === "listen" ? "proxy" : proxy.config.kind);

/** Boots a program: limits, memory, tables, logs, listeners, threads. Throws AppError; then nothing stays open but memory. */
export async function startProgram(options: StartOptions): Promise<RunningProgram> {
  const { config } = options;
  const size = sizeProcess(config, config.global.nbthread ?? defaultThreads(), options.maxconn);
  const memory = allocateSharedMemory({ threads: size.threads, slots: size.slots, rowsPerThread: size.room });
  memory.words[W_MAXCONN] = size.maxconn;
  const resolvers = await resolveNameservers(config.resolvers);
  const state = readStartState(config, options.version, options.takesOver ?? false, options.say);
  const warn = (text: string): void => options.say("WARNING", text);
  const registry = await buildRegistry(config, memory, size.maxconn, warn, state.servers);
  try {
    keepFrontendsShut(registry, state.own);
    await openListeners(registry, size.maxconn, options.listenFrom, warn);
    const log = new TrafficLog(registry, await LogTargets.open(config));
    const program = new RunningProgram(options, size, memory, registry, log, resolvers, state);
    await program.startRelays();
    await program.restore(state);
    return program;
  } catch (error) {
    for (const proxy of registry.proxies) closeFrontendListeners(proxy);
    throw error;
  }
}
