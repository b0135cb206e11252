// Which sessions are meant: one filter for looking and for cutting. Plain numbers, so that it travels in an order and is evaluated by
// each relay on its own rows, and by the control thread on copies of them. All that is named has to hold. Any thread.

import { isInNetwork, type Network } from "../base/address.ts";
import { phaseOf } from "./session-phase.ts";
import {
  D_LENGTH,
  D_PIPE_LENGTH,
  S_ACCEPT_F64,
  S_BACKEND,
  S_BYTES_DOWN_F64,
  S_BYTES_UP_F64,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_ADDR,
  S_DOWN,
  S_FRONTEND,
  S_SERVER,
  S_SERVER_ACTIVE_F64,
  S_UP,
  SESSION_WORDS,
} from "./session-row.ts";

export interface Selector {
  /** Row numbers; -1: any. A session that waits in a queue has no server. */
  readonly server: number;
  readonly backend: number;
  readonly frontend: number;
  /** The client's address; never that of a unix socket. */
  readonly from: Network | undefined;
  /** At least so long accepted; 0: any. */
  readonly olderMs: number;
  /** No byte moved in either direction for at least so long; 0: any. */
  readonly idleMs: number;
  /** More bytes than this passed on, both directions together; -1: any. */
  readonly bytesOver: number;
  /** SessionPhase bits; 0: any. */
  readonly phases: number;
}

export const EVERY_SESSION: Selector = {
  server: -1,
  backend: -1,
  frontend: -1,
  from: undefined,
  olderMs: 0,
  idleMs: 0,
  bytesOver: -1,
  phases: 0,
};

/** True if the session whose row begins at word `base` is meant. `f64` is the same memory as Float64 words. */
export function isSelected(
  selector: Selector,
  sessions: Int32Array,
  f64: Float64Array,
  base: number,
  nowMs: number,
): boolean {
  const phase = phaseOf(sessions, base);
  if (phase === 0 || (selector.phases !== 0 && (selector.phases & phase) === 0)) return false;
  if (selector.server >= 0 && sessions[base + S_SERVER] !== selector.server) return false;
  if (selector.backend >= 0 && sessions[base + S_BACKEND] !== selector.backend) return false;
  if (selector.frontend >= 0 && sessions[base + S_FRONTEND] !== selector.frontend) return false;
  if (selector.from !== undefined && !isInNetwork(selector.from, sessions, base + S_CLIENT_ADDR)) return false;
  const base64 = (base / SESSION_WORDS) * (SESSION_WORDS / 2);
  if (selector.olderMs > 0 && nowMs - f64[base64 + S_ACCEPT_F64] < selector.olderMs) return false;
  if (selector.idleMs > 0 && nowMs - lastActiveMs(f64, base64) < selector.idleMs) return false;
  return selector.bytesOver < 0 || bytesMoved(f64, base64) > selector.bytesOver;
}

/** When a byte last moved on either side, by the relays' clock; `base64` is the row's first Float64 word. */
export const lastActiveMs = (f64: Float64Array, base64: number): number =>
  Math.max(f64[base64 + S_CLIENT_ACTIVE_F64], f64[base64 + S_SERVER_ACTIVE_F64]);

/** Bytes passed on, both directions together. */
export const bytesMoved = (f64: Float64Array, base64: number): number =>
  f64[base64 + S_BYTES_UP_F64] + f64[base64 + S_BYTES_DOWN_F64];

/** Bytes that were read and not passed on yet, both directions together. */
export const bytesHeld = (sessions: Int32Array, base: number): number =>
  heldBy(sessions, base + S_UP) + heldBy(sessions, base + S_DOWN);

const heldBy = (sessions: Int32Array, direction: number): number =>
  sessions[direction + D_LENGTH] + sessions[direction + D_PIPE_LENGTH];
