// What a session is doing, in the words by which operators ask for it: SessionState, with half-closed sessions told apart. Any thread.

import { D_FLAGS, DF_EOF, S_DOWN, S_STATE, S_UP, SessionState } from "./session-row.ts";

/** Bits, so that a set of phases is a number. */
export const SessionPhase = {
  QUEUED: 1,
  CONNECTING: 2,
  TURN_AROUND: 4,
  /** Connected, and neither side has ended its stream. */
  ESTABLISHED: 8,
  /** Connected; the client or the server has ended its stream. */
  HALF_CLOSED: 16,
} as const;

/** The SessionPhase of the row that begins at `base`; 0 for a row without a session. */
export function phaseOf(sessions: Int32Array, base: number): number {
  switch (sessions[base + S_STATE]) {
    case SessionState.QUEUED:
      return SessionPhase.QUEUED;
    case SessionState.CONNECTING:
      return SessionPhase.CONNECTING;
    case SessionState.TURN_AROUND:
      return SessionPhase.TURN_AROUND;
    case SessionState.ESTABLISHED: {
      const flags = sessions[base + S_UP + D_FLAGS] | sessions[base + S_DOWN + D_FLAGS];
      return (flags & DF_EOF) === 0 ? SessionPhase.ESTABLISHED : SessionPhase.HALF_CLOSED;
    }
    default:
      return 0;
  }
}
