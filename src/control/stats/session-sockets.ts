// The local addresses of a session's two connections, asked of the kernel when somebody wants to see them: rows do not hold
// them, so no session pays for it. Control thread, while the session's relay may close the descriptors at any moment.

import { formatSockaddr } from "../../base/address.ts";
import {
  generationOfSessionId,
  rowOfSessionId,
  S_CLIENT_FD,
  S_GENERATION,
  S_SERVER_FD,
  SESSION_WORDS,
} from "../../memory/session-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import { AF_UNIX } from "../../sys/constants.ts";
import { socketName } from "../../sys/socket-name.ts";

/** "10.0.0.1:5432" or "unix"; undefined: no connection, or it was closed meanwhile. */
export interface LocalAddresses {
  /** What the client dialled. */
  readonly client: string | undefined;
  /** Where the connection to the server comes from. */
  readonly server: string | undefined;
}

/** Those of the session with this public identity. */
export function localAddresses(memory: SharedMemory, sessionId: number): LocalAddresses {
  return { client: addressOf(memory, sessionId, S_CLIENT_FD), server: addressOf(memory, sessionId, S_SERVER_FD) };
}

function addressOf(memory: SharedMemory, sessionId: number, fdWord: number): string | undefined {
  const { sessions } = memory;
  const row = rowOfSessionId(sessionId) * SESSION_WORDS;
  const fd = Atomics.load(sessions, row + fdWord);
  if (fd < 0) return undefined;
  const name = socketName(fd);
  if (typeof name === "number") return undefined;
  const text = (name[0] & 0xffff) === AF_UNIX ? "unix" : formatSockaddr(name, 0);
  // A relay takes a descriptor out of its row before it closes it: if it still stands there, it was the session's all the while.
  const isSame = Atomics.load(sessions, row + S_GENERATION) === generationOfSessionId(sessionId);
  return isSame && Atomics.load(sessions, row + fdWord) === fd ? text : undefined;
}
