// Bytes in, lines out: what arrived and was not taken yet. A line ends with a line feed, or with carriage return and line feed.

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class LineBuffer {
  #bytes: Buffer = Buffer.alloc(0);
  /** Where the search for the next line feed goes on. */
  #searched = 0;

  get length(): number {
    return this.#bytes.length;
  }

  push(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
  }

  /** True when a whole line is there. */
  get hasLine(): boolean {
    return this.#end() >= 0;
  }

  /** The next line without its end, or undefined while it is not complete. */
  take(): string | undefined {
    const end = this.#end();
    if (end < 0) return undefined;
    const last = end > 0 && this.#bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
    const line = this.#bytes.toString("utf8", 0, last);
    this.#bytes = this.#bytes.subarray(end + 1);
    this.#searched = 0;
    return line;
  }

  /** Bytes of the next line, as far as it is there. */
  get nextLineLength(): number {
    const end = this.#end();
    return end < 0 ? this.#bytes.length : end;
  }

  clear(): void {
    this.#bytes = Buffer.alloc(0);
    this.#searched = 0;
  }

  #end(): number {
    const end = this.#bytes.indexOf(LINE_FEED, this.#searched);
    this.#searched = end < 0 ? this.#bytes.length : end;
    return end;
  }
}
