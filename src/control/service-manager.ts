// What a service manager (systemd) is told: ready, reloading, stopping, how things stand, and that all threads turn. Control thread.
// Without one, which is when NOTIFY_SOCKET is not set, nothing is said.

import { W_CONNECTIONS } from "../memory/control-words.ts";
import { OperState, SERVER_WORDS, V_OPER } from "../memory/server-row.ts";
import { connectNotify, monotonicMicroseconds, sendNotify } from "../sys/notify-socket.ts";
import type { Program } from "./program.ts";

type Environment = Record<string, string | undefined>;

/** How often the status line is looked at. */
const STATUS_MS = 5000;
/** Of the time that the watchdog leaves, so much passes between two signs of life. */
const WATCHDOG_SHARE = 3;

export class ServiceManager {
  private readonly fd: number;
  /** Between two signs of life; undefined: none is waited for. */
  private readonly watchdogMs: number | undefined;
  private status = "";
  private readonly timers: NodeJS.Timeout[] = [];

  private constructor(fd: number, watchdogMs: number | undefined) {
    this.fd = fd;
    this.watchdogMs = watchdogMs;
  }

  /** Connects to whom the environment names, and takes the names out of it: no program that is started is to speak for this one. */
  static connect(environment: Environment): ServiceManager {
    const { NOTIFY_SOCKET: name, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = environment;
    for (const used of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete environment[used];
    const isOurs = pid === undefined || Number(pid) === process.pid;
    const limitMs = isOurs ? Number(microseconds ?? 0) / 1000 : 0;
    return new ServiceManager(
      name === undefined || name === "" ? -1 : connectNotify(name),
      limitMs > 0 ? Math.max(1, Math.floor(limitMs / WATCHDOG_SHARE)) : undefined,
    );
  }

  /** It serves, as it did before a reload, or for the first time. */
  ready(): void {
    this.send(`READY=1\nMAINPID=${process.pid}`);
  }

  /** A reload begins; `ready` says when it is over, well or not. */
  reloading(): void {
    this.send(`RELOADING=1\nMONOTONIC_USEC=${monotonicMicroseconds()}`);
  }

  /** It ends now. Not before: from here on the manager's time limit for stopping runs. */
  stopping(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.send("STOPPING=1");
  }

  /** Gives signs of life and tells how things stand, from now on. */
  watch(program: Program): void {
    if (this.fd < 0) return;
    this.tell(program);
    this.timers.push(setInterval(() => this.tell(program), STATUS_MS).unref());
    if (this.watchdogMs === undefined) return;
    let isAsking = false;
    const ask = async (): Promise<void> => {
      if (isAsking) return;
      isAsking = true;
      // Answered by every relay thread, behind all changes before it: whoever hangs keeps the sign back.
      const receipt = await program.commit({ kind: "turn" }).finally(() => {
        isAsking = false;
      });
      if (receipt.done) this.send("WATCHDOG=1");
    };
    this.timers.push(setInterval(() => void ask(), this.watchdogMs).unref());
  }

  /** Tells how things stand, if that has changed. */
  tell(program: Program): void {
    const status = statusText(program);
    if (status === this.status) return;
    this.status = status;
    this.send(`STATUS=${status}`);
  }

  private send(text: string): void {
    // A manager that is gone or busy has no say in what goes on here.
    if (this.fd >= 0) sendNotify(this.fd, text);
  }
}

/** "serving: 12 sessions, 4 of 5 servers up" */
function statusText({ registry, memory, stopping }: Program): string {
  const connections = Atomics.load(memory.words, W_CONNECTIONS);
  const servers = registry.proxies.flatMap((proxy) => (proxy.config.disabled ? [] : proxy.servers));
  const up = servers.filter(({ index }) => memory.serversI32[index * SERVER_WORDS + V_OPER] !== OperState.STOPPED);
  return `${stopping ? "finishing" : "serving"}: ${connections} sessions, ${up.length} of ${servers.length} servers up`;
}
