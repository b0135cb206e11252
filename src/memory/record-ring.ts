// One ring of records for each relay thread: the relay writes, the control thread reads, nobody waits. A full ring drops
// the record and the relay counts it.

import { WT_RECORDS_HEAD, WT_RECORDS_TAIL } from "./control-words.ts";
import { RECORD_WORDS } from "./record-row.ts";
import { recordRing, type SharedMemory, threadWords } from "./shared-memory.ts";

/** The word at which the next record may be written, or -1 if the ring is full. Relay thread. */
export function nextRecord(memory: SharedMemory, thread: number): number {
  const words = threadWords(thread);
  const head = memory.words[words + WT_RECORDS_HEAD];
  if (((head - Atomics.load(memory.words, words + WT_RECORDS_TAIL)) | 0) >= memory.records) return -1;
  return recordRing(memory, thread) + (head & (memory.records - 1)) * RECORD_WORDS;
}

/** Makes the record written at `nextRecord` visible. Relay thread. */
export function publishRecord(memory: SharedMemory, thread: number): void {
  Atomics.add(memory.words, threadWords(thread) + WT_RECORDS_HEAD, 1);
}

/** Hands at most `limit` records to `read` in order, by their first word in `memory.ringsI32`. Control thread. */
export function drainRecords(
  memory: SharedMemory,
  thread: number,
  limit: number,
  read: (offset: number) => void,
): number {
  const words = threadWords(thread);
  const head = Atomics.load(memory.words, words + WT_RECORDS_HEAD);
  let tail = memory.words[words + WT_RECORDS_TAIL];
  let count = 0;
  while (tail !== head && count < limit) {
    read(recordRing(memory, thread) + (tail & (memory.records - 1)) * RECORD_WORDS);
    tail = (tail + 1) | 0;
    count++;
    Atomics.store(memory.words, words + WT_RECORDS_TAIL, tail);
  }
  return count;
}
