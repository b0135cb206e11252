// The log lines of one server's change of state, with what its backend looks like after it. Control thread.

import { SERVER_WORDS, V_FLAGS, V_QUEUE_LENGTH, V_USABLE, V_WEIGHT, VF_BACKUP } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { ServerStateChange } from "../commit-context.ts";
import type { ServerEntry } from "../registry.ts";
import { type LogMessage, serverOperMessage, serverStateMessages } from "./server-messages.ts";

export function stateChangeMessages(
  memory: SharedMemory,
  server: ServerEntry,
  change: ServerStateChange,
): LogMessage[] {
  const table = memory.serversI32;
  const isBackup = (other: ServerEntry): boolean => (table[other.index * SERVER_WORDS + V_FLAGS] & VF_BACKUP) !== 0;
  // A server of weight 0 is not counted, as in `act` and `bck` of `show stat`.
  const usable = server.backend.servers.filter(({ index }) => {
    const row = index * SERVER_WORDS;
    return table[row + V_USABLE] === 1 && table[row + V_WEIGHT] > 0;
  });
  const names = {
    backend: server.backend.name,
    server: server.name,
    isBackup: isBackup(server),
    via: change.note,
    ...(server.fqdn === undefined ? {} : { fqdn: server.fqdn }),
  };
  const counts = {
    active: usable.filter((other) => !isBackup(other)).length,
    backup: usable.filter(isBackup).length,
    sessions: change.sessions,
    requeued: change.requeued,
    queued: table[server.index * SERVER_WORDS + V_QUEUE_LENGTH],
  };
  const { before, after, note } = change;
  return before.admin === after.admin
    ? [serverOperMessage(names, before, after, counts, note)]
    : serverStateMessages(names, before, after, counts);
}
