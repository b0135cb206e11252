// First step of a session: takes connections from a listener, gives each a row, and hands it to `pick-server`. All threads
// share the listeners; a connection goes to the thread with the fewest sessions, whichever accepted it.

import { ACCEPT_BATCH, RESOURCE_PAUSE_MS } from "../../base/limits.ts";
import { W_THREADS, WT_LOAD, WT_WAKE_FD } from "../../memory/control-words.ts";
import {
  CF_CONNECTIONS,
  CF_SESSIONS,
  CT_CONNECTIONS,
  CT_RESOURCE_ERRNO,
  CT_RESOURCE_ERRORS,
  CT_SESSIONS,
} from "../../memory/counters.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import {
  dropHanded,
  firstHanded,
  H_ADDR,
  H_ADDR_LEN,
  H_FD,
  H_FRONTEND,
  H_LISTENER,
  handOver,
  hasHanded,
} from "../../memory/handed-ring.ts";
import {
  P_DEFAULT_BACKEND,
  P_FLAGS,
  PF_CLIENT_KEEPALIVE,
  PF_RECORD_ACCEPT,
  PF_SPLICE,
  PROXY_WORDS,
} from "../../memory/proxy-row.ts";
import { RecordKind } from "../../memory/record-row.ts";
import {
  D_FLAGS,
  DF_MAY_SPLICE,
  S_ACCEPT_F64,
  S_ACCEPT_WALL_F64,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_ADDR,
  S_CLIENT_ADDR_LEN,
  S_CLIENT_FD,
  S_DOWN,
  S_FRONTEND,
  S_GENERATION,
  S_LISTENER,
  S_STATE,
  S_UP,
  SessionState,
} from "../../memory/session-row.ts";
import { proxyCounters, threadWords } from "../../memory/shared-memory.ts";
import { EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM } from "../../sys/constants.ts";
import { type Relay, type RelayListener, rowBase, rowBaseF64 } from "../relay.ts";
import { admit, leave, noteAdmitted, stopWatching } from "./admit.ts";
import { closeSession } from "./close.ts";
import { enterBackend } from "./pick-server.ts";
import { noteAddresses, writeRecord } from "./record.ts";
import { giveRow, takeRow } from "./rows.ts";

/** Bytes of a row's place for the client's address (sockaddr_in6). */
const ADDRESS_ROOM = 28;

/** Takes at most ACCEPT_BATCH connections. False when none waits any more, or none can be let in. */
export function acceptConnections(relay: Relay, listener: RelayListener): boolean {
  for (let taken = 0; taken < ACCEPT_BATCH; taken++) {
    if (!listener.watched || !admit(relay, listener)) return false;
    const row = takeRow(relay);
    if (row < 0) {
      // Rows are as many as the process's maxconn; the next that is given back resumes the listeners.
      leave(relay, listener.frontend, listener.index);
      stopWatching(relay, listener);
      return false;
    }
    const address = relay.sessionsAddress + (rowBase(row) + S_CLIENT_ADDR) * 4;
    relay.sessions[rowBase(row) + S_CLIENT_ADDR_LEN] = ADDRESS_ROOM;
    const fd = relay.kernel.accept(
      listener.fd,
      address,
      relay.sessionsAddress + (rowBase(row) + S_CLIENT_ADDR_LEN) * 4,
    );
    if (fd < 0) {
      giveRow(relay, row);
      leave(relay, listener.frontend, listener.index);
      if (fd === -EAGAIN) return false;
      if (isResourceError(-fd)) {
        pauseAccepting(relay, -fd);
        return false;
      }
      // The client went away while it waited (ECONNABORTED and kin): the next one, please.
      continue;
    }
    noteAdmitted(relay, listener);
    const other = lighterThread(relay);
    if (other >= 0 && giveAway(relay, listener, row, fd, other)) continue;
    Atomics.add(relay.words, relay.ownWords + WT_LOAD, 1);
    startSession(relay, listener.index, listener.frontend, row, fd);
  }
  return true;
}

export const isResourceError = (errno: number): boolean =>
  errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM;

/** Counts a refusal of the kernel; the control thread says it once. */
export function countResourceError(relay: Relay, errno: number): void {
  relay.counters[relay.ownCounters + CT_RESOURCE_ERRORS]++;
  relay.counters[relay.ownCounters + CT_RESOURCE_ERRNO] = errno;
}

function pauseAccepting(relay: Relay, errno: number): void {
  countResourceError(relay, errno);
  relay.pipes.closeSpare();
  relay.acceptPausedUntil = relay.now + RESOURCE_PAUSE_MS;
  for (const listener of relay.listeners) if (listener !== undefined) stopWatching(relay, listener);
}

/**
 * The thread in service that should have the next connection because it has fewer sessions; -1: this one, also where it has just begun to
 * leave.
 */
function lighterThread(relay: Relay): number {
  const { words } = relay;
  const threads = words[W_THREADS];
  if (threads === 1) return -1;
  const own = Atomics.load(words, relay.ownWords + WT_LOAD);
  // With many sessions an exact balance is not worth waking another thread for.
  let least = own - (own >> 4);
  let lightest = -1;
  for (let thread = 0; thread < threads; thread++) {
    const load = thread === relay.thread ? own : Atomics.load(words, threadWords(thread) + WT_LOAD);
    if (load < least) {
      least = load;
      lightest = thread;
    }
  }
  return lightest;
}

function giveAway(relay: Relay, listener: RelayListener, row: number, fd: number, thread: number): boolean {
  const { memory, words } = relay;
  const base = rowBase(row);
  const length = relay.sessions[base + S_CLIENT_ADDR_LEN];
  if (!handOver(memory, thread, fd, listener.index, listener.frontend, length, base + S_CLIENT_ADDR)) return false;
  Atomics.add(words, threadWords(thread) + WT_LOAD, 1);
  giveRow(relay, row);
  relay.kernel.wake(words[threadWords(thread) + WT_WAKE_FD]);
  return true;
}

/** Starts the sessions of connections that other threads accepted for this one. */
export function takeHandedOver(relay: Relay): void {
  const { memory, thread, sessions } = relay;
  while (hasHanded(memory, thread)) {
    const at = firstHanded(memory, thread);
    const ring = memory.handedI32;
    const row = takeRow(relay);
    if (row < 0) {
      // Rows are as many as the process may have sessions; those missing wait for a grant that is on its way.
      relay.kernel.wake(relay.wakeFd);
      return;
    }
    const base = rowBase(row);
    sessions[base + S_CLIENT_ADDR_LEN] = ring[at + H_ADDR_LEN];
    for (let i = 0; i < 7; i++) sessions[base + S_CLIENT_ADDR + i] = ring[at + H_ADDR + i];
    const fd = ring[at + H_FD];
    const listener = ring[at + H_LISTENER];
    const frontend = ring[at + H_FRONTEND];
    dropHanded(memory, thread);
    startSession(relay, listener, frontend, row, fd);
  }
}

function startSession(relay: Relay, listener: number, frontend: number, row: number, fd: number): void {
  const { sessions, sessionsF64, counters, kernel } = relay;
  const base = rowBase(row);
  const baseF64 = rowBaseF64(row);
  const flags = relay.proxies[frontend * PROXY_WORDS + P_FLAGS];
  sessions[base + S_LISTENER] = listener;
  sessions[base + S_FRONTEND] = frontend;
  sessions[base + S_CLIENT_FD] = fd;
  sessions[base + S_STATE] = SessionState.QUEUED;
  sessionsF64[baseF64 + S_ACCEPT_F64] = relay.now;
  sessionsF64[baseF64 + S_ACCEPT_WALL_F64] = relay.now + relay.wallOffset;
  sessionsF64[baseF64 + S_CLIENT_ACTIVE_F64] = relay.now;
  counters[relay.ownCounters + CT_CONNECTIONS]++;
  counters[relay.ownCounters + CT_SESSIONS]++;
  const own = proxyCounters(relay.memory, relay.thread, frontend);
  counters[own + CF_CONNECTIONS]++;
  counters[own + CF_SESSIONS]++;
  if ((flags & PF_CLIENT_KEEPALIVE) !== 0) kernel.setKeepalive(fd);
  if ((flags & PF_RECORD_ACCEPT) !== 0) {
    noteAddresses(relay, row, -1);
    writeRecord(relay, row, RecordKind.ACCEPTED, -1);
  }
  const watched = kernel.watch(relay.poll, fd, row * 2, sessions[base + S_GENERATION]);
  if (watched < 0) {
    countResourceError(relay, -watched);
    closeSession(relay, row, EndCause.RESOURCE, EndPhase.CONNECT);
    return;
  }
  const backend = relay.proxies[frontend * PROXY_WORDS + P_DEFAULT_BACKEND];
  const backendFlags = backend < 0 ? 0 : relay.proxies[backend * PROXY_WORDS + P_FLAGS];
  if (((flags | backendFlags) & PF_SPLICE) !== 0) {
    sessions[base + S_UP + D_FLAGS] |= DF_MAY_SPLICE;
    sessions[base + S_DOWN + D_FLAGS] |= DF_MAY_SPLICE;
  }
  enterBackend(relay, row, backend);
}
