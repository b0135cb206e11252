// `option fence`: one server at a time. When the leader can be given no more sessions, another one follows it, but not before the
// leader's last session is closed; new sessions wait until then. Control thread, only called by `commit`.

import { isEligible } from "../../balance/candidates.ts";
import { P_LEADER, PROXY_WORDS } from "../../memory/proxy-row.ts";
import { SERVER_WORDS, V_ATTACHED, V_EMPTY_WANTED, V_SERVED } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { CommitContext } from "../commit-context.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import { bumpEpoch } from "../tables.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** The relay that ends the last session says so; a place that is taken and given back at once goes unnoticed, hence this. */
const LOOK_AGAIN_MS = 1000;

/** Names the leader, if it is time; when to come again at the latest. */
export async function settleLeader(context: CommitContext, backend: ProxyEntry): Promise<number> {
  if (!backend.config.fence) return NEVER;
  const { memory } = context;
  const { policies } = backend;
  const leader = leaderOf(memory, backend);
  const usable = usableServers(memory, backend);
  if (leader !== undefined && usable.includes(leader)) {
    policies.gap = undefined;
    return NEVER;
  }
  const [next] = usable;
  if (next === undefined && leader === undefined) return NEVER;
  const nowMs = context.nowMs();
  const gap = policies.gap ?? { sinceMs: nowMs, announced: false };
  policies.gap = gap;
  if (next === undefined) return NEVER;
  const left = backend.servers.reduce(
    (sum, server) => (server === next ? sum : sum + awaitedSessions(memory, server)),
    0,
  );
  if (left > 0) {
    if (!gap.announced) {
      const others = leader === undefined ? "other servers" : leader.name;
      say(
        context,
        backend,
        `new sessions wait for server ${next.name} until the ${left} sessions of ${others} are closed`,
      );
    }
    gap.announced = true;
    return nowMs + LOOK_AGAIN_MS;
  }
  Atomics.store(memory.proxiesI32, backend.index * PROXY_WORDS + P_LEADER, next.index);
  bumpEpoch(memory, backend.index);
  await context.orders.order({ kind: "server-changed", server: next.index, backend: backend.index });
  if (leader !== undefined) {
    const gapMs = Math.round(context.nowMs() - gap.sinceMs);
    say(context, backend, `server ${next.name} follows ${leader.name}; none was given new sessions for ${gapMs} ms`);
  }
  policies.gap = undefined;
  return NEVER;
}

/** The leader before the first session: at start, when no relay runs yet. */
export function nameFirstLeader(memory: SharedMemory, backend: ProxyEntry): void {
  const first = backend.config.fence ? usableServers(memory, backend)[0] : undefined;
  if (first !== undefined) memory.proxiesI32[backend.index * PROXY_WORDS + P_LEADER] = first.index;
}

function leaderOf(memory: SharedMemory, backend: ProxyEntry): ServerEntry | undefined {
  const index = memory.proxiesI32[backend.index * PROXY_WORDS + P_LEADER];
  const leader = backend.servers.find((server) => server.index === index);
  // A deleted one's row may be another server's soon.
  if (leader === undefined && index >= 0) {
    Atomics.store(memory.proxiesI32, backend.index * PROXY_WORDS + P_LEADER, -1);
    bumpEpoch(memory, backend.index);
  }
  return leader;
}

/** The servers that load balancing could use now: the active ones, or else the first backup, or all with `option allbackups`. */
export function usableServers(memory: SharedMemory, backend: ProxyEntry): readonly ServerEntry[] {
  const usable = backend.servers.filter(({ index }) => isEligible(memory.serversI32, index));
  const active = usable.filter(({ config }) => !config.backup);
  if (active.length > 0) return active;
  return backend.config.allBackups ? usable : usable.slice(0, 1);
}

/** All that holds a place of the server (grants on their way, attempts, turn-around); its end is heard of. */
function awaitedSessions(memory: SharedMemory, { index }: ServerEntry): number {
  const row = index * SERVER_WORDS;
  // The wish comes first: what ends after the count is told.
  Atomics.store(memory.serversI32, row + V_EMPTY_WANTED, 1);
  const sessions = Math.max(
    Atomics.load(memory.serversI32, row + V_SERVED),
    Atomics.load(memory.serversI32, row + V_ATTACHED),
  );
  if (sessions === 0) Atomics.store(memory.serversI32, row + V_EMPTY_WANTED, 0);
  return sessions;
}

function say(context: CommitContext, backend: ProxyEntry, text: string): void {
  context.events.onPolicy(backend, LogLevel.NOTICE, `Backend ${backend.name}: ${text}.`);
}
