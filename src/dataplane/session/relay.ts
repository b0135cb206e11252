// The life of an established session: bytes go from one socket to the other. One direction is moved at a time, at most
// TURN_BYTES_MAX a turn: what is left over from before first, then by receive and send, or through a pipe by splice for a
// stream. A byte is read only when there is a place for it; FIN is passed on after the last byte; a reset at once.

import { READ_BYTES, TURN_BYTES_MAX } from "../../base/limits.ts";
import { CT_BUFFERS_EXHAUSTED, CT_BYTES_OUT, CT_BYTES_SPLICED } from "../../memory/counters.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import {
  D_BUFFER,
  D_FLAGS,
  D_LENGTH,
  D_OFFSET,
  D_PIPE_LENGTH,
  D_PIPE_READ,
  D_PIPE_WRITE,
  DF_BLOCKED,
  DF_EOF,
  DF_FIN_SEEN,
  DF_MAY_SPLICE,
  DF_READABLE,
  DF_READY,
  DF_SHUT,
  DF_STREAM,
  S_BYTES_DOWN_F64,
  S_BYTES_READ_UP_F64,
  S_BYTES_UP_F64,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_FD,
  S_DOWN,
  S_DOWN_STALLED_F64,
  S_FLAGS,
  S_GENERATION,
  S_SERVER_ACTIVE_F64,
  S_SERVER_FD,
  S_UP,
  S_UP_STALLED_F64,
  SESSION_WORDS,
  SF_NO_DELAY,
} from "../../memory/session-row.ts";
import { EAGAIN, EINVAL } from "../../sys/constants.ts";
import type { Relay } from "../relay.ts";
import { closeReset, closeSession } from "./close.ts";
import { noteProgress, unacknowledgedBytes, watchIdle } from "./timeouts.ts";

/** What became of a step: go on, stop for now, or the session is gone. */
const GO_ON = 0;
const STOP = 1;
type Step = typeof GO_ON | typeof STOP;

/** A read through splice that brings less than this is no stream any more. */
const STREAM_BYTES_MIN = 16384;

/**
 * Moves what can be moved in one direction.
 * @param d first word of the direction: a row's S_UP or S_DOWN
 */
export function forward(relay: Relay, d: number): void {
  const { sessions } = relay;
  if ((sessions[d + D_FLAGS] & DF_BLOCKED) !== 0) return;
  if (sessions[d + D_LENGTH] > 0 && flushBuffer(relay, d) === STOP) return;
  if (sessions[d + D_PIPE_LENGTH] > 0 && flushPipe(relay, d) === STOP) return;
  if ((sessions[d + D_FLAGS] & DF_EOF) !== 0) {
    passOnFin(relay, d);
    return;
  }
  let budget = TURN_BYTES_MAX;
  while ((sessions[d + D_FLAGS] & DF_READABLE) !== 0) {
    if (budget <= 0) {
      makeReady(relay, d);
      return;
    }
    const before = budget;
    const moved =
      (sessions[d + D_FLAGS] & (DF_STREAM | DF_MAY_SPLICE)) === (DF_STREAM | DF_MAY_SPLICE)
        ? spliceOnce(relay, d)
        : copyOnce(relay, d);
    if (moved < 0) return;
    budget = before - moved;
  }
}

/** The destination takes bytes again. */
export function unblock(relay: Relay, d: number): void {
  const { sessions, sessionsF64 } = relay;
  const up = d % SESSION_WORDS === S_UP;
  const base = d - (up ? S_UP : S_DOWN);
  const generation = sessions[base + S_GENERATION];
  sessions[d + D_FLAGS] &= ~DF_BLOCKED;
  // The source was not read from meanwhile, so it kept no time: it begins anew, and somebody has to look at it again.
  sessionsF64[base / 2 + (up ? S_CLIENT_ACTIVE_F64 : S_SERVER_ACTIVE_F64)] = relay.now;
  forward(relay, d);
  if (sessions[base + S_GENERATION] === generation) watchIdle(relay, base / SESSION_WORDS);
}

/** Queues the direction for another turn without an event. */
function makeReady(relay: Relay, d: number): void {
  if ((relay.sessions[d + D_FLAGS] & DF_READY) !== 0) return;
  relay.sessions[d + D_FLAGS] |= DF_READY;
  relay.ready.push(d);
}

/** Makes sure there is a buffer to read into. */
function hasReadBuffer(relay: Relay): boolean {
  if (relay.readBuffer >= 0) return true;
  if (!relay.buffers.hasFree()) return false;
  relay.readBuffer = relay.buffers.take();
  relay.readAddress = relay.buffers.addressOf(relay.readBuffer);
  return true;
}

/** Receives once and sends it on. Bytes moved, or -1 to stop. */
function copyOnce(relay: Relay, d: number): number {
  const { sessions, kernel } = relay;
  if (!hasReadBuffer(relay)) return copyWithoutBuffer(relay, d);
  const up = d % SESSION_WORDS === S_UP;
  const base = d - (up ? S_UP : S_DOWN);
  const n = kernel.receive(sessions[base + (up ? S_CLIENT_FD : S_SERVER_FD)], relay.readAddress as number, READ_BYTES);
  if (n <= 0) return sourceEnded(relay, d, up, n);
  noteRead(relay, base, up, n);
  noteFilled(relay, d, n);
  if (up) sendAtOnce(relay, base);
  const sent = kernel.send(sessions[base + (up ? S_SERVER_FD : S_CLIENT_FD)], relay.readAddress as number, n);
  if (sent === n) {
    noteSent(relay, base, up, n);
    return n;
  }
  if (sent < 0 && sent !== -EAGAIN) return destinationFailed(relay, d, up);
  const taken = sent < 0 ? 0 : sent;
  if (taken > 0) noteSent(relay, base, up, taken);
  // The session keeps the buffer with the rest; the next read goes into another one.
  sessions[d + D_BUFFER] = relay.readBuffer;
  sessions[d + D_OFFSET] = taken;
  sessions[d + D_LENGTH] = n - taken;
  relay.readBuffer = -1;
  block(relay, d, base, up);
  return -1;
}

/**
 * As `copyOnce` when peers that do not read hold all buffers: what waits is sent from a copy, and only what was taken leaves the
 * source. So nothing has to be kept, and who does not read stops nobody but himself. Bytes moved, or -1 to stop.
 */
function copyWithoutBuffer(relay: Relay, d: number): number {
  const { sessions, kernel } = relay;
  const up = d % SESSION_WORDS === S_UP;
  const base = d - (up ? S_UP : S_DOWN);
  const source = sessions[base + (up ? S_CLIENT_FD : S_SERVER_FD)];
  const scratch = relay.scratchAddress as number;
  relay.counters[relay.ownCounters + CT_BUFFERS_EXHAUSTED]++;
  const n = kernel.copyWaiting(source, scratch, READ_BYTES);
  if (n <= 0) return sourceEnded(relay, d, up, n);
  if (up) sendAtOnce(relay, base);
  const sent = kernel.send(sessions[base + (up ? S_SERVER_FD : S_CLIENT_FD)], scratch, n);
  if (sent < 0 && sent !== -EAGAIN) return destinationFailed(relay, d, up);
  const taken = sent < 0 ? 0 : sent;
  if (taken > 0) {
    noteRead(relay, base, up, taken);
    noteSent(relay, base, up, taken);
  }
  for (let left = taken; left > 0; ) {
    const dropped = kernel.discard(source, scratch, left);
    if (dropped <= 0) {
      // Reset meanwhile. Bytes that cannot be taken off must not be sent a second time.
      closeReset(relay, base, up ? EndCause.CLIENT : EndCause.SERVER);
      return -1;
    }
    left -= dropped;
  }
  if (taken < n) {
    block(relay, d, base, up);
    return -1;
  }
  noteFilled(relay, d, n);
  return n;
}

/** Sends what the buffer holds. */
function flushBuffer(relay: Relay, d: number): Step {
  const { sessions } = relay;
  const up = d % SESSION_WORDS === S_UP;
  const base = d - (up ? S_UP : S_DOWN);
  const length = sessions[d + D_LENGTH];
  const from = relay.buffers.addressOf(sessions[d + D_BUFFER]) + sessions[d + D_OFFSET];
  const sent = relay.kernel.send(sessions[base + (up ? S_SERVER_FD : S_CLIENT_FD)], from, length);
  if (sent < 0 && sent !== -EAGAIN) {
    destinationFailed(relay, d, up);
    return STOP;
  }
  if (sent > 0) noteSent(relay, base, up, sent);
  if (sent === length) {
    relay.buffers.give(sessions[d + D_BUFFER]);
    sessions[d + D_BUFFER] = -1;
    sessions[d + D_LENGTH] = 0;
    return GO_ON;
  }
  if (sent > 0) {
    sessions[d + D_OFFSET] += sent;
    sessions[d + D_LENGTH] = length - sent;
  }
  block(relay, d, base, up);
  return STOP;
}

/** Moves once from the socket through the pipe. Bytes moved, or -1 to stop. */
function spliceOnce(relay: Relay, d: number): number {
  const { sessions, kernel } = relay;
  if (sessions[d + D_PIPE_READ] < 0) {
    if (relay.pipes.take() < 0) {
      // No descriptors for a pipe: the bytes go by copy.
      sessions[d + D_FLAGS] &= ~DF_MAY_SPLICE;
      return 0;
    }
    sessions[d + D_PIPE_READ] = relay.pipes.read;
    sessions[d + D_PIPE_WRITE] = relay.pipes.write;
  }
  const up = d % SESSION_WORDS === S_UP;
  const base = d - (up ? S_UP : S_DOWN);
  const source = sessions[base + (up ? S_CLIENT_FD : S_SERVER_FD)];
  const n = kernel.spliceIn(source, sessions[d + D_PIPE_WRITE], TURN_BYTES_MAX);
  if (n <= 0) {
    givePipe(relay, d);
    if (n === -EINVAL) {
      sessions[d + D_FLAGS] &= ~DF_MAY_SPLICE;
      return 0;
    }
    sessions[d + D_FLAGS] &= ~DF_STREAM;
    return sourceEnded(relay, d, up, n);
  }
  noteRead(relay, base, up, n);
  if (n < STREAM_BYTES_MIN) sessions[d + D_FLAGS] &= ~DF_STREAM;
  sessions[d + D_PIPE_LENGTH] = n;
  return flushPipe(relay, d) === STOP ? -1 : n;
}

/** Empties the pipe into the destination. */
function flushPipe(relay: Relay, d: number): Step {
  const { sessions, kernel, counters } = relay;
  const up = d % SESSION_WORDS === S_UP;
  const base = d - (up ? S_UP : S_DOWN);
  const destination = sessions[base + (up ? S_SERVER_FD : S_CLIENT_FD)];
  while (sessions[d + D_PIPE_LENGTH] > 0) {
    const sent = kernel.spliceOut(sessions[d + D_PIPE_READ], destination, sessions[d + D_PIPE_LENGTH]);
    if (sent === -EAGAIN || sent === 0) {
      block(relay, d, base, up);
      return STOP;
    }
    if (sent < 0) {
      destinationFailed(relay, d, up);
      return STOP;
    }
    sessions[d + D_PIPE_LENGTH] -= sent;
    counters[relay.ownCounters + CT_BYTES_SPLICED] += sent;
    noteSent(relay, base, up, sent);
  }
  if ((sessions[d + D_FLAGS] & DF_STREAM) === 0) givePipe(relay, d);
  return GO_ON;
}

/** The read brought nothing: end of stream, nothing there, or an error. */
function sourceEnded(relay: Relay, d: number, up: boolean, result: number): number {
  const { sessions } = relay;
  if (result === -EAGAIN) {
    sessions[d + D_FLAGS] &= ~(DF_READABLE | DF_STREAM);
    return -1;
  }
  const base = d - (up ? S_UP : S_DOWN);
  if (result < 0) {
    closeReset(relay, base, up ? EndCause.CLIENT : EndCause.SERVER);
    return -1;
  }
  sessions[d + D_FLAGS] = (sessions[d + D_FLAGS] | DF_EOF) & ~(DF_READABLE | DF_STREAM);
  passOnFin(relay, d);
  return -1;
}

/**
 * All bytes of the direction are passed on and its source has ended: so does its destination. With both directions done the
 * session is over once the server's kernel has all: what ours still held after a close could reach the server after a cut.
 */
function passOnFin(relay: Relay, d: number): void {
  const { sessions } = relay;
  const up = d % SESSION_WORDS === S_UP;
  const base = d - (up ? S_UP : S_DOWN);
  const row = base / SESSION_WORDS;
  const isLast = (sessions[base + (up ? S_DOWN : S_UP) + D_FLAGS] & DF_SHUT) !== 0;
  if (isLast && unacknowledgedBytes(relay, base) === 0) {
    closeSession(relay, row, EndCause.NORMAL, EndPhase.NORMAL);
    return;
  }
  if ((sessions[d + D_FLAGS] & DF_SHUT) !== 0) return;
  givePipe(relay, d);
  sessions[d + D_FLAGS] |= DF_SHUT;
  relay.kernel.shutdownWrite(sessions[base + (up ? S_SERVER_FD : S_CLIENT_FD)]);
  if (isLast) noteProgress(relay, base, unacknowledgedBytes(relay, base));
  // From now on the shorter timeouts of half-closed sessions may hold.
  watchIdle(relay, row);
}

/** The destination takes no more bytes, for good: it was reset. */
function destinationFailed(relay: Relay, d: number, up: boolean): number {
  closeReset(relay, d - (up ? S_UP : S_DOWN), up ? EndCause.SERVER : EndCause.CLIENT);
  return -1;
}

/** The destination takes no more for now: its next "writable" goes on. */
function block(relay: Relay, d: number, base: number, up: boolean): void {
  relay.sessions[d + D_FLAGS] |= DF_BLOCKED;
  relay.sessionsF64[base / 2 + (up ? S_UP_STALLED_F64 : S_DOWN_STALLED_F64)] = relay.now;
  // A write timeout may be nearer than the look that is planned.
  watchIdle(relay, base / SESSION_WORDS);
}

/** Gives the direction's pipe back, if it has one. */
export function givePipe(relay: Relay, d: number): void {
  const { sessions } = relay;
  if (sessions[d + D_PIPE_READ] < 0) return;
  relay.pipes.give(sessions[d + D_PIPE_READ], sessions[d + D_PIPE_WRITE], sessions[d + D_PIPE_LENGTH]);
  sessions[d + D_PIPE_READ] = -1;
  sessions[d + D_PIPE_WRITE] = -1;
  sessions[d + D_PIPE_LENGTH] = 0;
}

/** How full the read was: the rest of the socket's bytes, or one of many. */
function noteFilled(relay: Relay, d: number, bytes: number): void {
  const { sessions } = relay;
  if (bytes === READ_BYTES) sessions[d + D_FLAGS] |= DF_STREAM;
  else {
    // Less than asked for: the socket is empty, unless a FIN already waits behind these bytes.
    sessions[d + D_FLAGS] &= (sessions[d + D_FLAGS] & DF_FIN_SEEN) !== 0 ? ~DF_STREAM : ~(DF_STREAM | DF_READABLE);
  }
}

/** From the server's second bytes on, small ones wait for nothing. */
function sendAtOnce(relay: Relay, base: number): void {
  const { sessions } = relay;
  if ((sessions[base + S_FLAGS] & SF_NO_DELAY) !== 0 || relay.sessionsF64[base / 2 + S_BYTES_UP_F64] === 0) return;
  sessions[base + S_FLAGS] |= SF_NO_DELAY;
  relay.kernel.setNoDelay(sessions[base + S_SERVER_FD]);
}

function noteRead(relay: Relay, base: number, up: boolean, bytes: number): void {
  const f64 = base / 2;
  if (up) {
    relay.sessionsF64[f64 + S_CLIENT_ACTIVE_F64] = relay.now;
    relay.sessionsF64[f64 + S_BYTES_READ_UP_F64] += bytes;
  } else relay.sessionsF64[f64 + S_SERVER_ACTIVE_F64] = relay.now;
}

function noteSent(relay: Relay, base: number, up: boolean, bytes: number): void {
  const f64 = base / 2;
  relay.counters[relay.ownCounters + CT_BYTES_OUT] += bytes;
  if (up) {
    relay.sessionsF64[f64 + S_SERVER_ACTIVE_F64] = relay.now;
    relay.sessionsF64[f64 + S_BYTES_UP_F64] += bytes;
  } else {
    relay.sessionsF64[f64 + S_CLIENT_ACTIVE_F64] = relay.now;
    relay.sessionsF64[f64 + S_BYTES_DOWN_F64] += bytes;
  }
}
