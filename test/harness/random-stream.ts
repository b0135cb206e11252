// Random byte streams cut into random chunks, all from one seed: the same seed gives the same streams.

import { createHash } from "node:crypto";

/** Numbers in [0, 1). */
export type Random = () => number;

/** A small seeded generator (mulberry32's mixing): good enough to vary sizes and contents. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface RandomStream {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
  /** SHA-1 of all chunks together. */
  readonly checksum: string;
}

/** Sizes are spread over the orders of magnitude: a byte is as likely as a hundred thousand. */
function randomSize(random: Random, most: number): number {
  return Math.max(1, Math.floor(most ** random()));
}

/** Between 1 and `mostBytes` bytes, in chunks of 1 byte to 256 KiB. */
export function randomStream(random: Random, mostBytes: number): RandomStream {
  const bytes = randomSize(random, mostBytes);
  const whole = Buffer.alloc(bytes);
  // Every word differs from its neighbours and from the same word of another stream, so a misplaced block shows.
  let word = Math.floor(random() * 2 ** 32);
  for (let at = 0; at + 4 <= bytes; at += 4) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    whole.writeUInt32LE(word, at);
  }
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes; ) {
    const size = randomSize(random, 256 * 1024);
    chunks.push(whole.subarray(at, Math.min(bytes, at + size)));
    at += size;
  }
  return { chunks, bytes, checksum: createHash("sha1").update(whole).digest("hex") };
}
