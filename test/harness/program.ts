// The program under test as a child process: config and stats socket in a directory of its own, output collected, killed at the
// end whatever happened. HEADGATE_SCENARIO_PROGRAM names another program with HAProxy's flags (haproxy itself, for comparison).

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endsWithParent } from "./ends-with-parent.ts";
import { RuntimeConversation, type RuntimeOptions, runtimeOnce } from "./runtime-client.ts";
import { parseInfo, parseServers, parseSessions, parseStat, type Row, type ShownSession, statRow } from "./show.ts";
import { waitFor } from "./wait-for.ts";

export const HEADGATE = fileURLToPath(new URL("../../bin/headgate", import.meta.url));

export interface ProgramOptions {
  /** Everything but the stats socket: sections as in a file. A `global` section may be among them. */
  readonly config: string;
  /** An executable with HAProxy's flags in place of Headgate. */
  readonly executable?: string;
  /** Further arguments, after `-f FILE`. */
  readonly args?: readonly string[];
  /** Commands that run before the program in the same process, e.g. "ulimit -n 64". */
  readonly shellBefore?: string;
  /** Whether to wait until the Runtime API answers; default true. */
  readonly waitUntilReady?: boolean;
}

/** How a process ended: an exit code, or the signal that killed it. */
export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly directory: string;
  readonly socketPath: string;
  readonly configPath: string;
  readonly child: ChildProcess;
  readonly exited: Promise<ProgramExit>;
  stdout = "";
  stderr = "";
  exit: ProgramExit | undefined;

  private constructor(options: ProgramOptions) {
    this.directory = mkdtempSync(join(tmpdir(), "headgate-scenario-"));
    this.socketPath = join(this.directory, "stats.sock");
    this.configPath = join(this.directory, "haproxy.cfg");
    writeFileSync(
      this.configPath,
      `global\n    stats socket ${this.socketPath} mode 600 level admin\n    stats timeout 1h\n${options.config}\n`,
    );
    const executable = options.executable ?? process.env.HEADGATE_SCENARIO_PROGRAM;
    const command = executable ? [executable, "-db"] : [process.execPath, HEADGATE];
    command.push("-f", this.configPath, ...(options.args ?? []));
    const [file, ...args] = endsWithParent(
      options.shellBefore ? ["sh", "-c", `${options.shellBefore}; exec "$@"`, "sh", ...command] : command,
    );
    this.child = spawn(file!, args, { cwd: this.directory, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  /** Starts the program, and waits until its Runtime API answers (unless told not to). */
  static async start(options: ProgramOptions): Promise<Program> {
    const program = new Program(options);
    if (options.waitUntilReady === false) return program;
    try {
      await waitFor(
        async () => {
          if (program.exit) throw new Error(`the program ended: ${JSON.stringify(program.exit)}`);
          const text = await program.runtime("show info").catch(() => "");
          return text.includes("Pid:");
        },
        () => "the Runtime API to answer",
      );
    } catch (error) {
      await program.stop();
      throw new Error(`${(error as Error).message}\nstdout: ${program.stdout}\nstderr: ${program.stderr}`);
    }
    return program;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.exit === undefined;
  }

  /** One Runtime API line on a connection of its own. */
  runtime(line: string, options: RuntimeOptions = {}): Promise<string> {
    return runtimeOnce(this.socketPath, line, options);
  }

  /** A prompt that stays open. Close it. */
  runtimeInteractive(): Promise<RuntimeConversation> {
    return RuntimeConversation.open(this.socketPath);
  }

  async info(): Promise<Row> {
    return parseInfo(await this.runtime("show info"));
  }

  async sessions(): Promise<ShownSession[]> {
    return parseSessions(await this.runtime("show sess"));
  }

  async stat(): Promise<Row[]> {
    return parseStat(await this.runtime("show stat"));
  }

  /** One column of one row of `show stat`, as a number. */
  async counter(proxy: string, name: string, column: string): Promise<number> {
    return Number(statRow(await this.stat(), proxy, name)[column]);
  }

  async serversState(): Promise<Row[]> {
    return parseServers(await this.runtime("show servers state"));
  }

  /** Waits for the process to end; gives what a shell's `$?` would be (128 + n for signal n). */
  async waitForExit(): Promise<number> {
    await waitFor(
      () => this.exit,
      () => `the program to end; stderr: ${this.stderr}`,
    );
    const { code, signal } = this.exit!;
    return code ?? 128 + constants.signals[signal!];
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Kills what still runs and removes the directory. A program that is gone already is fine. */
  async stop(): Promise<void> {
    if (this.running) this.child.kill("SIGKILL");
    await this.exited.catch(() => {});
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The largest resident size so far, in KiB, as the kernel counts it. */
  residentKib(): number {
    const status = existsSync(`/proc/${this.pid}/status`) ? readFileSync(`/proc/${this.pid}/status`, "latin1") : "";
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
  }
}
