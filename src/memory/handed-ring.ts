// Connections that one relay thread accepted and another, with fewer sessions, is to serve: a small ring for each thread,
// written by all under a spin lock. A connection in it is admitted (it counts in W_CONNECTIONS and P_FRONT_SESSIONS) and has
// no row yet.

import { HANDED_MAX } from "../base/limits.ts";
import { WT_HANDED_HEAD, WT_HANDED_LOCK, WT_HANDED_TAIL } from "./control-words.ts";
import { type SharedMemory, threadWords } from "./shared-memory.ts";

/** Int32 words of an entry. */
export const HANDED_WORDS = 12;
export const H_FD = 0;
export const H_LISTENER = 1;
export const H_FRONTEND = 2;
/** Bytes of the client's sockaddr, and the sockaddr (7 words). */
export const H_ADDR_LEN = 3;
export const H_ADDR = 4;

const lock = (memory: SharedMemory, thread: number): void => {
  const word = threadWords(thread) + WT_HANDED_LOCK;
  // Held for a dozen stores; sleeping a moment lets the holder run where both share a core.
  while (Atomics.compareExchange(memory.words, word, 0, 1) !== 0) Atomics.wait(memory.words, word, 1, 0.05);
};

const unlock = (memory: SharedMemory, thread: number): void => {
  Atomics.store(memory.words, threadWords(thread) + WT_HANDED_LOCK, 0);
};

/** Gives a connection to `thread`; false if its ring is full. `from` is the sockaddr's first word in the session table. */
export function handOver(
  memory: SharedMemory,
  thread: number,
  fd: number,
  listener: number,
  frontend: number,
  addressLength: number,
  from: number,
): boolean {
  const words = threadWords(thread);
  lock(memory, thread);
  const head = memory.words[words + WT_HANDED_HEAD];
  const hasRoom = ((head - memory.words[words + WT_HANDED_TAIL]) | 0) < HANDED_MAX;
  if (hasRoom) {
    const at = (thread * HANDED_MAX + (head & (HANDED_MAX - 1))) * HANDED_WORDS;
    const ring = memory.handedI32;
    ring[at + H_FD] = fd;
    ring[at + H_LISTENER] = listener;
    ring[at + H_FRONTEND] = frontend;
    ring[at + H_ADDR_LEN] = addressLength;
    for (let i = 0; i < 7; i++) ring[at + H_ADDR + i] = memory.sessions[from + i];
    Atomics.store(memory.words, words + WT_HANDED_HEAD, (head + 1) | 0);
  }
  unlock(memory, thread);
  return hasRoom;
}

/** True if connections wait for `thread`. */
export function hasHanded(memory: SharedMemory, thread: number): boolean {
  const words = threadWords(thread);
  return Atomics.load(memory.words, words + WT_HANDED_HEAD) !== memory.words[words + WT_HANDED_TAIL];
}

/** First word of the oldest entry in `memory.handedI32`. Only if there is one; `dropHanded` frees it. Own thread. */
export function firstHanded(memory: SharedMemory, thread: number): number {
  return (thread * HANDED_MAX + (memory.words[threadWords(thread) + WT_HANDED_TAIL] & (HANDED_MAX - 1))) * HANDED_WORDS;
}

/** Frees the oldest entry. Own thread. */
export function dropHanded(memory: SharedMemory, thread: number): void {
  Atomics.add(memory.words, threadWords(thread) + WT_HANDED_TAIL, 1);
}
