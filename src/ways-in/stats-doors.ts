// The stats sockets of a configuration, and of the one that a reload puts in its place: an address that stays keeps its socket and its
// connections; who waits for an answer on one that goes still gets it. Control thread.

import { CONTROL_CONNECTIONS_DEFAULT } from "../base/limits.ts";
import { endpointKey } from "../config/diff/server-settings.ts";
import type { Config, StatsSocket } from "../config/model.ts";
import type { Program } from "../control/program.ts";
import type { PreparedDoors } from "../control/reload/reloader.ts";
import { type RuntimeSocket, type RuntimeSocketOptions, startRuntimeSocket } from "./runtime-socket.ts";

/** Commands under way on a socket that goes may take as long as Node's timers can wait. */
const UNBOUNDED_MS = 2_000_000_000;

/** What all stats sockets have in common, whatever the configuration says. */
type DoorOptions = Pick<RuntimeSocketOptions, "log" | "inherited" | "paths" | "listeningSockets">;

export class StatsDoors {
  readonly #program: () => Program;
  readonly #options: DoorOptions;
  #open = new Map<string, RuntimeSocket>();

  constructor(program: () => Program, options: DoorOptions) {
    this.#program = program;
    this.#options = options;
  }

  /** Of the listening sockets. */
  get descriptors(): readonly number[] {
    return [...this.#open.values()].map(({ descriptor }) => descriptor);
  }

  /** Opens the sockets that are not open yet, and says what to do then. Throws AppError "cannot-bind"; then it has opened none. */
  async prepare(config: Config): Promise<PreparedDoors> {
    const { statsTimeoutMs, statsMaxconn = CONTROL_CONNECTIONS_DEFAULT, statsSockets } = config.global;
    const limits = { statsTimeoutMs, maxConnections: statsMaxconn };
    const opened = new Map<string, RuntimeSocket>();
    const undo = async (): Promise<void> => {
      await Promise.all([...opened.values()].map((socket) => socket.close()));
    };
    try {
      for (const socket of statsSockets) {
        const key = keyOf(socket);
        if (this.#open.has(key) || opened.has(key)) continue;
        const options = { ...this.#options, ...limits };
        opened.set(key, await startRuntimeSocket(this.#program(), socket, options));
      }
    } catch (error) {
      await undo();
      throw error;
    }
    const accept = (): void => {
      const next = new Map<string, RuntimeSocket>();
      for (const socket of statsSockets) {
        const key = keyOf(socket);
        const kept = this.#open.get(key) ?? opened.get(key);
        if (kept === undefined) continue;
        kept.update(socket, limits);
        next.set(key, kept);
      }
      for (const [key, socket] of this.#open) if (!next.has(key)) void socket.close(UNBOUNDED_MS);
      this.#open = next;
    };
    return { accept, undo };
  }

  /** Accepts nobody any more: another process has the same sockets. Who waits for an answer still gets it. */
  retire(): void {
    for (const socket of this.#open.values()) void socket.close(UNBOUNDED_MS);
    this.#open.clear();
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#open.values()].map((socket) => socket.close(graceMs)));
  }
}

const keyOf = ({ endpoint }: StatsSocket): string => endpointKey(endpoint);
