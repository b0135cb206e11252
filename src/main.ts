// The program: words of the command line to an action. The only place that ends the process. Control thread.

import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AppError, systemReason } from "./base/errors.ts";
import { CONTROL_CONNECTIONS_MAX } from "./base/limits.ts";
import { loadConfig } from "./config/load.ts";
import type { Config, StatsSocket } from "./config/model.ts";
import { type RunningProgram, startProgram } from "./control/supervisor.ts";
import { c } from "./sys/libc.ts";
import { takeIdentity } from "./sys/process-identity.ts";
import { checkConfig } from "./ways-in/check-command.ts";
import { type CommandLine, parseCommandLine } from "./ways-in/cli.ts";
import { runDemo } from "./ways-in/demo/demo.ts";
import { runEvictCommand } from "./ways-in/evict-command.ts";
import { runPlanCommand } from "./ways-in/plan-command.ts";
import { runRuntimeCommand } from "./ways-in/run-command.ts";
import { type RuntimeSocket, startRuntimeSocket } from "./ways-in/runtime-socket.ts";
import { configLines, type Speaker, type StartupSeverity, startupLine } from "./ways-in/startup-lines.ts";
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
  readonly runtimeSockets: readonly RuntimeSocket[];
}

type RunCommand = Extract<CommandLine, { kind: "run-proxy" }>;

const bootStartMs = Date.now() - Math.round(performance.now());
const speaker: Speaker = { version: VERSION, executable: fileURLToPath(import.meta.url) };

async function main(): Promise<void> {
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
      const colours = { colour: process.stdout.isTTY, errorColour: process.stderr.isTTY };
      const outcome = await runPlanCommand(command, process.env, colours);
      process.stderr.write(outcome.stderr);
      return print(outcome.stdout, "stdout", outcome.exitCode);
    }
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
  let service: Service;
  try {
    service = await startService(loaded.config, command, () => {
      if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
      takeIdentity(global);
    });
  } catch (error) {
    if (!(error instanceof AppError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    const hint = error instanceof AppError && error.hint !== undefined ? `    hint: ${error.hint}\n` : "";
    process.stderr.write(startupLine("ALERT", (error as Error).message) + hint);
    return end(1);
  }
  const finish = once(async (exitCode: number, graceMs: number) => {
    await closeService(service, graceMs);
    if (pidFile !== undefined) removeFile(pidFile);
    end(exitCode);
  });
  actOn({
    SIGTERM: () => finish(EXIT_SIGTERM, 0),
    SIGINT: () => finish(EXIT_SIGINT, 0),
    SIGUSR1: () => service.program.softStop().then(() => finish(0, ANSWER_GRACE_MS)),
    // A terminal that goes away must not take the balancer with it; reload is not there yet.
    SIGHUP: () => undefined,
  });
  if (command.verbose || command.debug) {
    const { threads, maxconn } = service.program;
    process.stderr.write(startupLine("NOTICE", `running with ${threads} relay threads, maxconn ${maxconn}.`));
  }
}

type SignalActions = Record<"SIGTERM" | "SIGINT" | "SIGUSR1" | "SIGHUP", () => unknown>;

/**
 * From now on signals are kept, until their actions are known. Who sees the program answer may signal it before its start is
 * over; Node would open its inspector for SIGUSR1.
 */
function holdSignals(): (actions: SignalActions) => void {
  const held: (keyof SignalActions)[] = [];
  let known: SignalActions | undefined;
  for (const signal of ["SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"] as const) {
    process.on(signal, () => void (known === undefined ? held.push(signal) : known[signal]()));
  }
  return (actions) => {
    known = actions;
    for (const signal of held) actions[signal]();
  };
}

interface ServiceOptions {
  readonly quiet: boolean;
  readonly files?: readonly string[];
  readonly maxconn?: number;
}

/**
 * Boots the proxy, then its ways in, then lets it accept: a stats socket that answers belongs to a proxy that works.
 * @param beforeAccepting when everything is bound, and nobody was served yet
 */
async function startService(
  config: Config,
  options: ServiceOptions,
  beforeAccepting: () => void = () => {},
): Promise<Service> {
  const say = (severity: StartupSeverity, text: string): void => {
    if (!options.quiet) process.stderr.write(startupLine(severity, text));
  };
  const program = await startProgram({
    config,
    files: options.files ?? [],
    ...(options.maxconn === undefined ? {} : { maxconn: options.maxconn }),
    version: VERSION,
    releaseDate: RELEASE_DATE,
    bootStartMs,
    say,
    onFatal: (text) => {
      process.stderr.write(startupLine("ALERT", `a relay thread failed, which is a defect of Headgate: ${text}`));
      c.exitNow(EXIT_DEFECT);
    },
  });
  const runtimeSockets: RuntimeSocket[] = [];
  const service: Service = { program, runtimeSockets };
  try {
    for (const socket of config.global.statsSockets)
      runtimeSockets.push(await openRuntimeSocket(program, socket, config));
    beforeAccepting();
    await program.open();
    return service;
  } catch (error) {
    await closeService(service);
    throw error;
  }
}

function openRuntimeSocket(program: RunningProgram, socket: StatsSocket, config: Config): Promise<RuntimeSocket> {
  const { statsTimeoutMs } = config.global;
  const log = (text: string): void => void process.stderr.write(startupLine("ALERT", text));
  return startRuntimeSocket(program, socket, { statsTimeoutMs, maxConnections: CONTROL_CONNECTIONS_MAX, log });
}

async function closeService(service: Service, graceMs = 0): Promise<void> {
  await Promise.all(service.runtimeSockets.map((socket) => socket.close(graceMs)));
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
