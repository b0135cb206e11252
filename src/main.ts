// The program: words of the command line to an action. The only place that ends the process. Control thread.

import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AppError, systemReason } from "./base/errors.ts";
import { CONTROL_CONNECTIONS_DEFAULT } from "./base/limits.ts";
import { loadConfig, loadConfigSteps } from "./config/load.ts";
import type { Config } from "./config/model.ts";
import { listeningSockets, pauseAll, resumeAll } from "./control/hand-over/all-frontends.ts";
import { isAlone, noteAlone, noteShared } from "./control/hand-over/handed-over.ts";
import { fetchSockets } from "./control/hand-over/inherited-sockets.ts";
import type { ListenFrom } from "./control/listeners.ts";
import { ServiceManager } from "./control/service-manager.ts";
import { type RunningProgram, startProgram } from "./control/supervisor.ts";
import { UnixPaths } from "./control/unix-path.ts";
import { c } from "./sys/libc.ts";
import { checkIdentity, takeIdentity } from "./sys/process-identity.ts";
import { checkConfig } from "./ways-in/check-command.ts";
import { type CommandLine, parseCommandLine } from "./ways-in/cli.ts";
import { runDemo } from "./ways-in/demo/demo.ts";
import { runEvictCommand } from "./ways-in/evict-command.ts";
import { readMasterAddress } from "./ways-in/master/master-address.ts";
import { MasterDialect } from "./ways-in/master/master-dialect.ts";
import { masterOperations } from "./ways-in/master/master-operations.ts";
import { ReloadCounts } from "./ways-in/master/reload-counts.ts";
import { type PlanColours, runPlanCommand } from "./ways-in/plan-command.ts";
import { runReloadCommand } from "./ways-in/reload-command.ts";
import { runRuntimeCommand } from "./ways-in/run-command.ts";
import { type RuntimeSocket, type RuntimeSocketOptions, startRuntimeSocket } from "./ways-in/runtime-socket.ts";
import { configLines, type Speaker, type StartupSeverity, startupLine } from "./ways-in/startup-lines.ts";
import { StatsDoors } from "./ways-in/stats-doors.ts";
import { terminal } from "./ways-in/terminal.ts";
import { RELEASE_DATE, VERSION, versionText } from "./ways-in/version.ts";

/** Exit codes of a process ended by a signal, as a shell shows them. */
const EXIT_SIGINT = 130;
const EXIT_SIGTERM = 143;
/** A defect of the program itself. */
const EXIT_DEFECT = 70;

/** After the last session of a soft stop: how long a command that ended it may take to be answered. */
const ANSWER_GRACE_MS = 1000;

/** A running proxy with its ways in. */
interface Service {
  readonly program: RunningProgram;
  readonly doors: StatsDoors;
  readonly masters: readonly RuntimeSocket[];
}

type RunCommand = Extract<CommandLine, { kind: "run-proxy" }>;

const bootStartMs = Date.now() - Math.round(performance.now());
const reloadCounts = new ReloadCounts();
const speaker: Speaker = { version: VERSION, executable: fileURLToPath(import.meta.url) };

const colours = (): PlanColours => ({ colour: process.stdout.isTTY, errorColour: process.stderr.isTTY });

async function main(): Promise<void> {
  // Who reads the program's words may go before it does (`| head`, a log collector that is restarted): they are lost, and nothing else.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  // Relay threads wait in the kernel: the end of the process must not wait for them.
  process.on("uncaughtException", fail);
  const command = parseCommandLine(process.argv.slice(2));
  switch (command.kind) {
    case "help":
      return print(command.text, command.exitCode === 0 ? "stdout" : "stderr", command.exitCode);
    case "error":
      return print(command.text, "stderr", command.exitCode);
    case "version":
      return print(versionText(command.verbose), "stdout", 0);
    case "check": {
      if (!changeDirectory(command.directory)) return;
      const outcome = checkConfig(command, loadConfig(command.files, process.env), speaker, {
        colour: process.stderr.isTTY,
      });
      process.stderr.write(outcome.stderr);
      return print(outcome.stdout, "stdout", outcome.exitCode);
    }
    case "runtime": {
      const outcome = await runRuntimeCommand(command, process.env);
      process.stderr.write(outcome.stderr);
      return print(outcome.stdout, "stdout", outcome.exitCode);
    }
    case "evict":
      // The connection of an eviction that is left alone is still open.
      return end(await runEvictCommand(command, process.env, terminal()));
    case "plan": {
      const outcome = await runPlanCommand(command, process.env, colours());
      process.stderr.write(outcome.stderr);
      return print(outcome.stdout, "stdout", outcome.exitCode);
    }
    case "reload":
      process.exitCode = await runReloadCommand(command, process.env, terminal(), colours());
      return;
    case "demo":
      process.exitCode = await runDemo({
        start: (config) => startService(config, { quiet: true }),
        stop: closeService,
        out: process.stdout,
        exampleConfig: readFileSync(new URL("../examples/quickstart.cfg", import.meta.url), "utf8"),
      });
      return end(process.exitCode);
    case "run-proxy":
      return runProxy(command);
  }
}

function print(text: string, to: "stdout" | "stderr", exitCode: number): void {
  process.exitCode = exitCode;
  process[to].write(text);
}

function changeDirectory(directory: string | undefined): boolean {
  if (directory === undefined) return true;
  try {
    process.chdir(directory);
    return true;
  } catch (error) {
    print(startupLine("ALERT", `cannot change to directory ${directory} : ${systemReason(error)}`), "stderr", 1);
    return false;
  }
}

async function runProxy(command: RunCommand): Promise<void> {
  if (!changeDirectory(command.directory)) return;
  const loaded = loadConfig(command.files, process.env);
  if (!command.quiet) process.stderr.write(configLines(loaded, command.files, speaker));
  if (loaded.config === undefined) return print("", "stderr", 1);
  const { global } = loaded.config;
  const pidFile = command.pidFile ?? global.pidFile;
  const actOn = holdSignals();
  const manager = ServiceManager.connect(process.env);
  let service: Service;
  try {
    service = await startBeside(loaded.config, command, manager, (publish) => {
      checkIdentity(global);
      if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
      publish();
      takeIdentity(global);
    });
  } catch (error) {
    if (!(error instanceof AppError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    const hint = error instanceof AppError && error.hint !== undefined ? `    hint: ${error.hint}\n` : "";
    process.stderr.write(startupLine("ALERT", (error as Error).message) + hint);
    return end(1);
  }
  manager.ready();
  manager.watch(service.program);
  const finish = once(async (exitCode: number, graceMs: number) => {
    manager.stopping();
    await closeService(service, graceMs);
    if (pidFile !== undefined) removeFile(pidFile);
    end(exitCode);
  });
  if (command.finish !== undefined) {
    signalAll(command.finish.pids, command.finish.signal);
    noteAlone();
  }
  actOn({
    SIGTERM: () => finish(EXIT_SIGTERM, 0),
    SIGINT: () => finish(EXIT_SIGINT, 0),
    SIGUSR1: () => {
      // One more changes nothing.
      if (service.program.stopping) return;
      if (!isAlone()) service.doors.retire();
      const isOver = service.program.softStop();
      manager.tell(service.program);
      return isOver.then(() => finish(0, ANSWER_GRACE_MS));
    },
    SIGTTOU: () => pauseAll(service.program),
    SIGTTIN: () => resumeAll(service.program),
    SIGHUP: () => service.program.reload("SIGHUP").catch(fail),
    SIGUSR2: () => service.program.reload("SIGUSR2").catch(fail),
  });
  if (command.verbose || command.debug) {
    const { threads, maxconn } = service.program;
    process.stderr.write(startupLine("NOTICE", `running with ${threads} relay threads, maxconn ${maxconn}.`));
  }
}

const SIGNALS = ["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGTTOU", "SIGTTIN"] as const;
type SignalActions = Record<(typeof SIGNALS)[number], () => unknown>;

/**
 * From now on signals are kept, until their actions are known. Who sees the program answer may signal it before its start is
 * over; Node would open its inspector for SIGUSR1.
 */
function holdSignals(): (actions: SignalActions) => void {
  const held: (keyof SignalActions)[] = [];
  let known: SignalActions | undefined;
  for (const signal of SIGNALS) {
    process.on(signal, () => void (known === undefined ? held.push(signal) : known[signal]()));
  }
  return (actions) => {
    known = actions;
    for (const signal of held) actions[signal]();
  };
}

/** While the process before holds an address: it is asked to give up its ports, so often it is tried again, so long after. */
const BIND_TRIES = 20;
const BIND_PAUSE_MS = 50;

/** Starts beside the processes that are to leave: with their sockets, or on sockets of the same addresses. */
async function startBeside(
  config: Config,
  command: RunCommand,
  manager: ServiceManager,
  beforeAccepting: (publish: () => void) => void,
): Promise<Service> {
  const pids = command.finish?.pids ?? [];
  const takesOver = command.finish !== undefined || command.takeFrom !== undefined;
  if (command.takeFrom !== undefined) noteShared();
  // Anew for each attempt: one that fails closes what it had.
  const listenFrom = (): ListenFrom => ({
    reusePort: pids.length > 0,
    ...(command.takeFrom === undefined ? {} : { inherited: fetchSockets(command.takeFrom) }),
  });
  for (let attempt = 1; ; attempt++) {
    try {
      return await startService(config, { ...command, manager, takesOver, listenFrom: listenFrom() }, beforeAccepting);
    } catch (error) {
      const isTaken = error instanceof AppError && error.code === "cannot-bind" && pids.length > 0;
      if (isTaken && attempt === 1) signalAll(pids, "SIGTTOU");
      if (isTaken && attempt < BIND_TRIES) {
        await new Promise((resolve) => setTimeout(resolve, BIND_PAUSE_MS));
        continue;
      }
      // They go on as if nothing had been.
      if (isTaken) signalAll(pids, "SIGTTIN");
      throw error;
    }
  }
}

/** A process that is gone by now is as good as told. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ESRCH") process.stderr.write(startupLine("WARNING", `cannot signal process ${pid}: ${code}.`));
    }
  }
}

interface ServiceOptions {
  readonly quiet: boolean;
  readonly listenFrom?: ListenFrom;
  readonly takesOver?: boolean;
  readonly masters?: readonly string[];
  /** Hears of reloads. */
  readonly manager?: ServiceManager;
  /** Read again by a reload; without them there is none. */
  readonly files?: readonly string[];
  readonly maxconn?: number;
}

/**
 * Boots the proxy, then its ways in, then lets it accept: a stats socket that answers belongs to a proxy that works.
 * @param beforeAccepting when everything is bound, and nobody was served yet; it calls `publish`, so that unix sockets get their paths
 */
async function startService(
  config: Config,
  options: ServiceOptions,
  beforeAccepting: (publish: () => void) => void = (publish) => publish(),
): Promise<Service> {
  const say = (severity: StartupSeverity, text: string): void => {
    if (!options.quiet) process.stderr.write(startupLine(severity, text));
  };
  const { files } = options;
  const log = (text: string): void => void process.stderr.write(startupLine("ALERT", text));
  const inherited = options.listenFrom?.inherited;
  const paths = new UnixPaths();
  const doors = new StatsDoors(() => program, {
    log,
    paths,
    ...(inherited === undefined ? {} : { inherited }),
    listeningSockets: () => {
      noteShared();
      return [...listeningSockets(program), ...doors.descriptors];
    },
  });
  const program: RunningProgram = await startProgram({
    config,
    files: files ?? [],
    ...(files === undefined
      ? {}
      : {
          reload: {
            files,
            load: () => loadConfigSteps(files, process.env),
            onBegin: () => options.manager?.reloading(),
            onOver: ({ outcome }) => {
              reloadCounts.note(outcome === "done");
              options.manager?.ready();
            },
            openDoors: (next: Config) => doors.prepare(next),
          },
        }),
    ...(options.maxconn === undefined ? {} : { maxconn: options.maxconn }),
    version: VERSION,
    releaseDate: RELEASE_DATE,
    bootStartMs,
    listenFrom: { ...options.listenFrom, paths },
    takesOver: options.takesOver ?? false,
    say,
    onFatal: (text) => {
      process.stderr.write(startupLine("ALERT", `a relay thread failed, which is a defect of Headgate: ${text}`));
      c.exitNow(EXIT_DEFECT);
    },
  });
  const masters: RuntimeSocket[] = [];
  const service: Service = { program, doors, masters };
  try {
    (await doors.prepare(config)).accept();
    for (const address of options.masters ?? []) masters.push(await openMasterSocket(program, address, { log, paths }));
    inherited?.closeRest();
    beforeAccepting(() => paths.publish());
    await program.open();
    return service;
  } catch (error) {
    await closeService(service);
    throw error;
  }
}

/** No connection to it is closed because it is silent. */
const NEVER_MS = 2_147_483_647;

function openMasterSocket(
  program: RunningProgram,
  address: string,
  options: Pick<RuntimeSocketOptions, "log" | "paths">,
): Promise<RuntimeSocket> {
  const table = masterOperations(reloadCounts);
  return startRuntimeSocket(program, readMasterAddress(address, process.env), {
    statsTimeoutMs: NEVER_MS,
    maxConnections: CONTROL_CONNECTIONS_DEFAULT,
    ...options,
    dialect: () => new MasterDialect(program.pid, table),
  });
}

async function closeService(service: Service, graceMs = 0): Promise<void> {
  await Promise.all([service.doors, ...service.masters].map((door) => door.close(graceMs)));
  const left = await service.program.stop();
  // A thread that does not leave its loop would hang process.exit().
  if (!left) c.exitNow(EXIT_DEFECT);
}

/** Ends the process now. */
function end(exitCode: number): never {
  process.exit(exitCode);
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has removed it.
  }
}

/** Only the first call counts. */
function once<Words extends unknown[]>(action: (...words: Words) => Promise<void>): (...words: Words) => void {
  let called = false;
  return (...words) => {
    if (called) return;
    called = true;
    action(...words).catch(fail);
  };
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  c.exitNow(EXIT_DEFECT);
  throw error;
}

main().catch(fail);
