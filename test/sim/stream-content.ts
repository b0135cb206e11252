// What a stream's bytes are: each is determined by the stream's number and its position, so loss, doubling, reordering and
// bytes of another stream are seen at once, and nobody has to keep what was sent.

import { Random } from "./random.ts";

/** A prime, so that no power of two of bytes can go missing unseen. */
const PERIOD = 65_521;
/** Longest piece looked at in one go. */
const PIECE_MAX = 1 << 20;

const content = Buffer.alloc(PERIOD + PIECE_MAX);
const random = new Random(1);
for (let i = 0; i < PERIOD; i++) content[i] = random.below(256);
for (let filled = PERIOD; filled < content.length; filled += PERIOD) content.copy(content, filled, 0, PERIOD);

const pieceOf = (stream: number, position: number, length: number): Buffer => {
  const start = (stream * 7919 + position) % PERIOD;
  return content.subarray(start, start + length);
};

/** Writes `length` bytes of the stream, from `position` on, to `target[at]`. The first byte of a stream is its number. */
export function writeStream(target: Uint8Array, at: number, length: number, stream: number, position: number): void {
  target.set(pieceOf(stream, position, length), at);
  if (position === 0 && length > 0) target[at] = stream & 255;
}

/** True if `bytes[at ..]` are what the stream has from `position` on. */
export function isStream(bytes: Uint8Array, at: number, length: number, stream: number, position: number): boolean {
  if (length === 0) return true;
  if (position === 0) return bytes[at] === (stream & 255) && isStream(bytes, at + 1, length - 1, stream, 1);
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).equals(pieceOf(stream, position, length));
}
