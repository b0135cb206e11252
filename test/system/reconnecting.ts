// What all clients of these tests share: they connect through the balancer, work on a connection until it ends, and begin again,
// as an application does; and they journal which server acknowledged which write.

/** Between two writes of one client. */
export const PAUSE_MS = 20;
const RECONNECT_MS = 50;

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** An acknowledged write. */
export interface Write {
  readonly writer: number;
  readonly seq: number;
  /** address:port of the server that did it. */
  readonly server: string;
  /** When the server did it: its clock, which is this machine's, in milliseconds since 1970. */
  readonly at: number;
}

/** A client that writes all the time. */
export interface Journal {
  readonly journal: readonly Write[];
  /** Writes that a server answered with an error: it was reached, and was no primary. */
  readonly refused: number;
}

/** Resolves after `ms`: the pace of a client, never what a test waits for. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export abstract class Reconnecting<C extends { close(): unknown }> {
  #connection: C | undefined;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor() {
    this.#done = this.#run();
  }

  /** Rejects when there is no service. */
  protected abstract connect(): Promise<C>;

  /** Works until the connection ends or `stopped`. */
  protected abstract work(connection: C): Promise<void>;

  protected get stopped(): boolean {
    return this.#stopped;
  }

  async #run(): Promise<void> {
    // The subclass's fields are not there yet.
    await pause(0);
    while (!this.#stopped) {
      try {
        this.#connection = await this.connect();
        if (!this.#stopped) await this.work(this.#connection);
      } catch {
        // refused, or cut: the next one may be served
      }
      this.#connection?.close();
      if (!this.#stopped) await pause(RECONNECT_MS);
    }
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#connection?.close();
    await this.#done;
  }
}

/** Writes one thing after the other. A refused write is tried again on the same connection, until somebody ends it. */
export abstract class ReconnectingWriter<C extends { close(): unknown }> extends Reconnecting<C> implements Journal {
  readonly journal: Write[] = [];
  refused = 0;
  readonly #id: number;
  #seq = 0;

  constructor(id: number) {
    super();
    this.#id = id;
  }

  /** Which server did it and when, or undefined if it refused. Rejects when the connection is over. */
  protected abstract write(
    connection: C,
    writer: number,
    seq: number,
  ): Promise<Pick<Write, "server" | "at"> | undefined>;

  protected override async work(connection: C): Promise<void> {
    while (!this.stopped) {
      const seq = this.#seq++;
      const done = await this.write(connection, this.#id, seq);
      if (done) this.journal.push({ writer: this.#id, seq, ...done });
      else this.refused++;
      await pause(PAUSE_MS);
    }
  }
}
