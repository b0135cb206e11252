// The stats sockets of a configuration, and of the one that a reload puts in its place: an address that stays keeps its socket and its
// connections; who waits for an answer on one that goes still gets it. Control thread.

import { CONTROL_CONNECTIONS_MAX } from "../base/limits.ts";
import { endpointKey } from "../config/diff/server-settings.ts";
import type { Config, StatsSocket } from "../config/model.ts";
import type { Program } from "../control/program.ts";
import type { PreparedDoors } from "../control/reload/reloader.ts";
import { type RuntimeSocket, type RuntimeSocketOptions, startRuntimeSocket } from "./runtime-socket.ts";

/** Commands under way on a socket that goes may take as long as Node's timers can wait. */
const UNBOUNDED_MS = 2_000_000_000;

export class StatsDoors {
  readonly #program: () => Program;
  readonly #log: (text: string) => void;
  readonly #listeningSockets: () => readonly number[];
  #open = new Map<string, RuntimeSocket>();

  /** `log`: hears of defects. `listeningSockets`: of the frontends, for a process that takes them over. */
  constructor(program: () => Program, log: (text: string) => void, listeningSockets: () => readonly number[]) {
    this.#program = program;
    this.#log = log;
    this.#listeningSockets = listeningSockets;
  }

  /** Opens the sockets that are not open yet, and says what to do then. Throws AppError "cannot-bind"; then it has opened none. */
  async prepare(config: Config, inherited?: RuntimeSocketOptions["inherited"]): Promise<PreparedDoors> {
    const { statsTimeoutMs, statsSockets } = config.global;
    const opened = new Map<string, RuntimeSocket>();
    const undo = async (): Promise<void> => {
      await Promise.all([...opened.values()].map((socket) => socket.close()));
    };
    try {
      for (const socket of statsSockets) {
        const key = keyOf(socket);
        if (this.#open.has(key) || opened.has(key)) continue;
        const options: RuntimeSocketOptions = {
          statsTimeoutMs,
          maxConnections: CONTROL_CONNECTIONS_MAX,
          log: this.#log,
          ...(inherited === undefined ? {} : { inherited }),
          listeningSockets: () => [
            ...this.#listeningSockets(),
            ...[...this.#open.values()].map(({ descriptor }) => descriptor),
          ],
        };
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
        kept.update(socket, statsTimeoutMs);
        next.set(key, kept);
      }
      for (const [key, socket] of this.#open) if (!next.has(key)) void socket.close(UNBOUNDED_MS);
      this.#open = next;
    };
    return { accept, undo };
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#open.values()].map((socket) => socket.close(graceMs)));
  }
}

const keyOf = ({ endpoint }: StatsSocket): string => endpointKey(endpoint);
