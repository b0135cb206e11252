// `observe`: takes the alarms that relays left in the servers' rows and hands them to `commit`. Control thread.

import { SERVER_WORDS, V_ERROR_ALARMS } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Change } from "../change.ts";
import type { ServerEntry } from "../registry.ts";

const LOOK_MS = 50;

export class ErrorWatch {
  private readonly memory: SharedMemory;
  private readonly commit: (change: Change) => Promise<unknown>;
  private readonly servers = new Set<ServerEntry>();
  private timer: NodeJS.Timeout | undefined;

  constructor(memory: SharedMemory, commit: (change: Change) => Promise<unknown>) {
    this.memory = memory;
    this.commit = commit;
  }

  /** From now on the server is looked at, if its words say so. */
  add(server: ServerEntry): void {
    if (server.config.policy.observe === undefined) return;
    this.servers.add(server);
    this.timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  remove(server: ServerEntry): void {
    this.servers.delete(server);
    if (this.servers.size === 0) this.stop();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(): void {
    const table = this.memory.serversI32;
    for (const server of this.servers) {
      const word = server.index * SERVER_WORDS + V_ERROR_ALARMS;
      if (Atomics.load(table, word) === 0) continue;
      const alarms = Atomics.exchange(table, word, 0);
      void this.commit({ kind: "observed-errors", server, alarms });
    }
  }
}
