// What must hold between any two turns, worked out from the session rows and the descriptor table alone. Each check throws
// a sentence of what is wrong.

import type { ProxyEntry } from "../../src/control/registry.ts";
import type { Relay } from "../../src/dataplane/relay.ts";
import { candidatesOf } from "../../src/dataplane/relay.ts";
import { W_CONNECTIONS, WT_GRANTS, WT_LOAD } from "../../src/memory/control-words.ts";
import { CT_SESSIONS } from "../../src/memory/counters.ts";
import { L_SESSIONS, LISTENER_WORDS } from "../../src/memory/listener-row.ts";
import { P_BACK_SESSIONS, P_FRONT_SESSIONS, P_LOCK, P_QUEUE_LENGTH, PROXY_WORDS } from "../../src/memory/proxy-row.ts";
import { SERVER_WORDS, V_ATTACHED, V_LIMIT, V_QUEUE_LENGTH, V_SERVED } from "../../src/memory/server-row.ts";
import * as S from "../../src/memory/session-row.ts";
import type { SharedMemory } from "../../src/memory/shared-memory.ts";
import { threadWords } from "../../src/memory/shared-memory.ts";
import { checkQueues, checkTurns } from "./queue-invariants.ts";
import { checkBytes, checkDescriptors, checkTimer } from "./session-invariants.ts";
import type { SimRig } from "./sim-rig.ts";
import type { SimThreads } from "./sim-threads.ts";

const { SessionState, QueueState } = S;

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`invariant: ${what}`);
}

export const mustEqual = (is: number, shouldBe: number, what: string): void => {
  if (is !== shouldBe) throw new Error(`invariant: ${what} is ${is}, the session table says ${shouldBe}`);
};

/** What the tables can be checked of: a simulated rig, or one on the real kernel. */
export interface Rig {
  readonly memory: SharedMemory;
  readonly relays: readonly { readonly relay: Relay }[];
  /** All whose rows are in use. */
  readonly proxies: readonly ProxyEntry[];
  /** All rows of listeners that sessions can have come in by. */
  readonly listenerRows: readonly number[];
  handedConnections(thread: number): number;
}

/** A rig on the simulated kernel. */
export type Machine = Rig & SimThreads & { readonly listenerFds: readonly number[] };

/** Sums over all session rows. */
export interface Walk {
  readonly live: number[];
  readonly rowsInUse: number[];
  readonly served: number[];
  readonly attached: number[];
  readonly front: number[];
  readonly back: number[];
  /** By listener. */
  readonly listened: Map<number, number>;
  readonly waiting: Set<number>;
}

export const isLive = (state: number): boolean => state !== SessionState.FREE && state !== SessionState.ABANDONED;

function walk(rig: Rig, checkSession: (row: number) => void): Walk {
  const { sessions, rowsPerThread, slots: threads, servers, proxies } = rig.memory;
  const zeros = (count: number): number[] => new Array<number>(count).fill(0);
  const sums: Walk = {
    live: zeros(threads),
    rowsInUse: [],
    served: zeros(servers),
    attached: zeros(servers),
    front: zeros(proxies),
    back: zeros(proxies),
    listened: new Map(),
    waiting: new Set(),
  };
  for (let row = 0; row < threads * rowsPerThread; row++) {
    const base = row * S.SESSION_WORDS;
    const state = sessions[base + S.S_STATE];
    const inUse = (sessions[base + S.S_GENERATION] & 1) === 1;
    must(inUse === (state !== SessionState.FREE), `row ${row} is in use by its generation or by its state, not both`);
    if (!inUse) continue;
    sums.rowsInUse.push(row);
    const queueState = sessions[base + S.S_QUEUE_STATE];
    if (queueState === QueueState.GRANTED) sums.served[sessions[base + S.S_QUEUE_SERVER]]++;
    if (queueState === QueueState.WAITING) sums.waiting.add(row);
    if (!isLive(state)) {
      must(queueState === QueueState.GRANTED, `row ${row} is abandoned without a grant on its way`);
      continue;
    }
    sums.live[Math.floor(row / rowsPerThread)]++;
    sums.front[sessions[base + S.S_FRONTEND]]++;
    const listener = sessions[base + S.S_LISTENER];
    sums.listened.set(listener, (sums.listened.get(listener) ?? 0) + 1);
    if ((sessions[base + S.S_FLAGS] & S.SF_IN_BACKEND) !== 0) sums.back[sessions[base + S.S_BACKEND]]++;
    const server = sessions[base + S.S_SERVER];
    const hasServer = state !== SessionState.QUEUED;
    must(hasServer === server >= 0, `row ${row} in state ${state} names server ${server}`);
    must(hasServer === ((sessions[base + S.S_FLAGS] & S.SF_SERVED) !== 0), `row ${row} in state ${state}: SF_SERVED`);
    must(hasServer === (queueState === QueueState.NONE), `row ${row} in state ${state} has queue state ${queueState}`);
    if (hasServer) {
      sums.served[server]++;
      sums.attached[server]++;
    }
    checkTimer(rig, row);
    checkSession(row);
  }
  return sums;
}

/** Holds after every step on the simulated kernel, with no turn under way. */
export function checkInvariants(rig: SimRig): void {
  const sums = checkTables(rig, (row) => {
    checkDescriptors(rig, row);
    checkBytes(rig, row);
  });
  checkTurns(rig, sums.rowsInUse);
  checkDescriptorTable(rig, sums);
}

/** Counters, lists and queues say what the session rows say. */
export function checkTables(rig: Rig, checkSession: (row: number) => void): Walk {
  const { memory } = rig;
  const { words, serversI32 } = memory;
  const sums = walk(rig, checkSession);
  const total = sums.live.reduce((sum, count) => sum + count, 0);
  const handed = rig.relays.reduce((sum, { relay }) => sum + rig.handedConnections(relay.thread), 0);
  mustEqual(words[W_CONNECTIONS], total + handed, "the process's connections");
  for (const { relay } of rig.relays) {
    const { thread } = relay;
    mustEqual(relay.counters[relay.ownCounters + CT_SESSIONS], sums.live[thread], `sessions of thread ${thread}`);
    mustEqual(
      words[threadWords(thread) + WT_LOAD],
      sums.live[thread] + rig.handedConnections(thread),
      `load of thread ${thread}`,
    );
    checkServerLists(rig, relay);
  }
  for (const proxy of rig.proxies) checkProxy(rig, proxy, sums, handed);
  for (let server = 0; server < memory.servers; server++) {
    const row = server * SERVER_WORDS;
    mustEqual(serversI32[row + V_SERVED], sums.served[server], `sessions served by server ${server}`);
    mustEqual(serversI32[row + V_ATTACHED], sums.attached[server], `sessions attached to server ${server}`);
  }
  checkListeners(rig, sums, handed);
  checkQueues(rig, sums.waiting);
  return sums;
}

/** Whose frontend a connection that is handed over belongs to is known only where there is one. */
function checkProxy(rig: Rig, { index, name, isFrontend }: ProxyEntry, sums: Walk, handed: number): void {
  const { proxiesI32 } = rig.memory;
  const row = index * PROXY_WORDS;
  const isOnlyFrontend = rig.proxies.filter((proxy) => proxy.isFrontend).length === 1;
  if (isFrontend && (handed === 0 || isOnlyFrontend))
    mustEqual(proxiesI32[row + P_FRONT_SESSIONS], sums.front[index] + handed, `frontend sessions of ${name}`);
  mustEqual(proxiesI32[row + P_BACK_SESSIONS], sums.back[index], `backend sessions of ${name}`);
  mustEqual(proxiesI32[row + P_LOCK], 0, `the lock of ${name}`);
}

function checkListeners({ memory, listenerRows }: Rig, sums: Walk, handed: number): void {
  const sessionsOf = (listener: number): number => memory.listenersI32[listener * LISTENER_WORDS + L_SESSIONS];
  let counted = 0;
  for (const listener of listenerRows) counted += sessionsOf(listener);
  const listened = [...sums.listened.values()].reduce((sum, count) => sum + count, 0);
  mustEqual(counted, listened + handed, "sessions of all listeners");
  if (handed > 0) return;
  for (const [listener, count] of sums.listened) {
    mustEqual(sessionsOf(listener), count, `sessions of listener ${listener}`);
  }
}

/** Each thread's list of each server's sessions: exactly its rows that name the server, well linked. */
function checkServerLists(rig: Rig, { thread, serverSessions }: Relay): void {
  const { sessions, rowsPerThread, servers } = rig.memory;
  const listed = new Map<number, number>();
  for (let server = 0; server < servers; server++) {
    let previous = -1;
    for (let row = serverSessions[server]; row >= 0; row = sessions[row * S.SESSION_WORDS + S.S_SERVER_NEXT]) {
      must(!listed.has(row), `row ${row} is on the list of a server twice`);
      listed.set(row, server);
      mustEqual(
        sessions[row * S.SESSION_WORDS + S.S_SERVER_PREV],
        previous,
        `back link of row ${row} on server ${server}`,
      );
      previous = row;
    }
  }
  let count = 0;
  for (let row = thread * rowsPerThread; row < (thread + 1) * rowsPerThread; row++) {
    const base = row * S.SESSION_WORDS;
    if (!isLive(sessions[base + S.S_STATE]) || sessions[base + S.S_SERVER] < 0) continue;
    count++;
    mustEqual(listed.get(row) ?? -1, sessions[base + S.S_SERVER], `the list that row ${row} is on`);
  }
  mustEqual(listed.size, count, `sessions on the lists of thread ${thread}`);
}

/** Every open descriptor has exactly one owner. */
export function checkDescriptorTable(rig: Machine, sums: Walk): void {
  const owners = new Map<number, string>();
  const own = (fd: number, owner: string): void => {
    if (fd < 0) return;
    must(rig.world.descriptors.has(fd), `${owner} names descriptor ${fd}, which is closed`);
    must(!owners.has(fd), `descriptor ${fd} belongs to ${owner} and to ${owners.get(fd)}`);
    owners.set(fd, owner);
  };
  for (const fd of new Set(rig.listenerFds)) own(fd, "a listener");
  for (const { relay } of rig.relays) {
    own(relay.poll, "a relay");
    own(relay.wakeFd, "a relay");
  }
  for (const row of sums.rowsInUse) {
    const base = row * S.SESSION_WORDS;
    own(rig.memory.sessions[base + S.S_CLIENT_FD], `row ${row}`);
    own(rig.memory.sessions[base + S.S_SERVER_FD], `row ${row}`);
    for (const d of [base + S.S_UP, base + S.S_DOWN]) {
      own(rig.memory.sessions[d + S.D_PIPE_READ], `row ${row}`);
      own(rig.memory.sessions[d + S.D_PIPE_WRITE], `row ${row}`);
    }
  }
  const spare = rig.relays.reduce((sum, { relay }) => sum + 2 * relay.pipes.spare, 0);
  const handed = rig.relays.reduce((sum, { relay }) => sum + rig.handedConnections(relay.thread), 0);
  mustEqual(rig.world.descriptors.size, owners.size + spare + handed, "the number of open descriptors");
}

/** Holds when all threads sleep: nobody waits who need not. */
export function checkIdle(rig: Rig): void {
  const { proxiesI32, serversI32, words } = rig.memory;
  for (const { relay } of rig.relays) {
    mustEqual(
      words[threadWords(relay.thread) + WT_GRANTS],
      0,
      `the grants that sleeping thread ${relay.thread} has not taken`,
    );
    must(rig.handedConnections(relay.thread) === 0, `sleeping thread ${relay.thread} was handed a connection`);
  }
  for (const { index, name, isBackend } of rig.proxies) {
    if (!isBackend) continue;
    const waiting = proxiesI32[index * PROXY_WORDS + P_QUEUE_LENGTH];
    const candidates = candidatesOf(rig.relays[0].relay, index);
    for (let i = 0; i < candidates.count; i++) {
      const row = candidates.servers[i] * SERVER_WORDS;
      const hasRoom = serversI32[row + V_LIMIT] === 0 || serversI32[row + V_SERVED] < serversI32[row + V_LIMIT];
      const queued = waiting + serversI32[row + V_QUEUE_LENGTH];
      must(!hasRoom || queued === 0, `server ${candidates.servers[i]} has room while ${queued} sessions wait`);
    }
    must(
      candidates.count > 0 || candidates.waits || waiting === 0,
      `sessions wait for ${name}, which has no usable server`,
    );
  }
}
