// Real servers (databases and what they need) as daemons below one directory of their own, run by an account without rights and
// killed for certain: a keeper process does it when the test is over, fails, is interrupted or killed.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const KEEPER = fileURLToPath(new URL("./keeper.mjs", import.meta.url));

/** PostgreSQL refuses to run as root; then everything belongs to the account `nobody`. */
function accountIds(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "latin1"));
  return { uid: Number(line?.[1] ?? 65534), gid: Number(line?.[2] ?? 65534) };
}

/** What a command printed, and its exit code (-1: it could not be started or was killed). */
export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

export class Daemons {
  readonly directory: string;
  readonly #account = accountIds();
  readonly #keeper: ChildProcess;
  readonly #keeperExit: Promise<unknown>;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "headgate-system-"));
    this.#own(this.directory);
    this.#keeper = spawn(process.execPath, [KEEPER, this.directory], {
      ...this.#account,
      cwd: "/",
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#keeperExit = new Promise((resolve) => this.#keeper.once("close", resolve).once("error", resolve));
    this.#keeper.stdin!.on("error", () => {});
  }

  #own(path: string): void {
    const { uid, gid } = this.#account;
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
  }

  /** A new folder that a daemon runs in; it is what `kill` takes. */
  folder(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { mode: 0o700 });
    this.#own(path);
    return path;
  }

  /** A file that the daemons can read, its path as result. */
  write(folder: string, name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    this.#own(path);
    return path;
  }

  /** Starts a daemon in `folder`; what it prints goes to the file `log` there. */
  start(folder: string, command: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(folder, "log"), "a");
    const child = spawn(command, args, {
      ...this.#account,
      cwd: folder,
      env: this.#environment(),
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.on("error", () => {});
    return child;
  }

  /** Runs a command to its end, in `folder` and as the daemons' account. */
  run(folder: string, command: string, args: readonly string[], boundMs = 60_000): Promise<CommandResult> {
    return new Promise((resolve) => {
      execFile(
        command,
        args,
        { ...this.#account, cwd: folder, env: this.#environment(), timeout: boundMs, killSignal: "SIGKILL" },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
          resolve({ code, output: stdout + stderr });
        },
      );
    });
  }

  #environment(): NodeJS.ProcessEnv {
    return { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, HOME: this.directory, LC_ALL: "C", TMPDIR: this.directory };
  }

  /** The end of what a daemon printed. */
  log(folder: string): string {
    return readFileSync(join(folder, "log"), "utf8").split("\n").slice(-20).join("\n");
  }

  /** SIGKILL to everything that runs in `folder` or below; resolves when nothing does. */
  kill(folder: string): Promise<void> {
    return this.#order(`kill ${folder}`);
  }

  /** A signal to everything that runs in `folder` or below. */
  signal(folder: string, signal: NodeJS.Signals): Promise<void> {
    return this.#order(`signal ${signal} ${folder}`);
  }

  async #order(line: string): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => {
      this.#keeper.stdout!.once("data", () => resolve());
      this.#keeper.once("close", () => reject(new Error("the keeper has ended")));
    });
    this.#keeper.stdin!.write(`${line}\n`);
    await answered;
  }

  /** Kills everything and removes the directory. */
  async close(): Promise<void> {
    this.#keeper.stdin!.end();
    await this.#keeperExit;
  }
}
