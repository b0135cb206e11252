// Where framed messages go: one sink for each distinct destination, however many `log` lines name it. Control thread.

/** A destination. `send` never blocks and never throws. */
export interface LogSink {
  /** As configured, e.g. "127.0.0.1:514", "/dev/log", "stdout". */
  readonly name: string;
  /** Takes the first `length` bytes (copied if kept); undefined if taken, else why the message is dropped. */
  send(bytes: Buffer, length: number): string | undefined;
  /** Writes out what waits, within a bounded time. */
  close(): Promise<void>;
}
