// How a session ends: who ended it and in which phase, as the two characters of the log's termination state.

const code = (character: string): number => character.charCodeAt(0);

export const EndCause = {
  /** Both sides closed in good order. */
  NORMAL: code("-"),
  /** The client reset or gave up. */
  CLIENT: code("C"),
  /** The server refused, reset, or there was none. */
  SERVER: code("S"),
  CLIENT_TIMEOUT: code("c"),
  SERVER_TIMEOUT: code("s"),
  /** Ended by an order of the operator, or by the hard stop. */
  KILLED: code("K"),
  /** Ended because its server went down (used by the health checks). */
  DOWN: code("D"),
  /** Ended on a backup server because an active one came back (used by the health checks). */
  UP: code("U"),
  /** No descriptor or memory left for it. */
  RESOURCE: code("R"),
} as const;
export type EndCause = (typeof EndCause)[keyof typeof EndCause];

export const EndPhase = {
  NORMAL: code("-"),
  QUEUE: code("Q"),
  CONNECT: code("C"),
  DATA: code("D"),
} as const;
export type EndPhase = (typeof EndPhase)[keyof typeof EndPhase];
