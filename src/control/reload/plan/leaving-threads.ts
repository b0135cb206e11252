// The relay threads that a reload takes out of service, as they are before it. Control thread.

import { WT_LOAD } from "../../../memory/control-words.ts";
import { type SharedMemory, threadsInService, threadWords } from "../../../memory/shared-memory.ts";
import type { LeavingThread } from "./model.ts";

/** `threads`: in service from then on. */
export function leavingThreads(memory: SharedMemory, threads: number): readonly LeavingThread[] {
  const leaving: LeavingThread[] = [];
  for (let thread = threads; thread < threadsInService(memory); thread++) {
    leaving.push({ thread: thread + 1, sessions: Atomics.load(memory.words, threadWords(thread) + WT_LOAD) });
  }
  return leaving;
}
