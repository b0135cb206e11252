// A conversation with a socket that answers lines, as text: what came after each line, until it was quiet in the way that the test says.

import { connect, type Socket } from "node:net";
import { waitFor } from "./wait-for.ts";

export class Transcript {
  readonly socket: Socket;
  text = "";
  ended = false;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => {
      this.text += chunk;
    });
    this.socket.on("end", () => {
      this.ended = true;
    });
    this.socket.on("error", () => {});
  }

  /** Sends a line, and waits until all that came since ends with `end`; gives it without. */
  async ask(line: string, end: string): Promise<string> {
    const from = this.text.length;
    this.socket.write(`${line}\n`);
    await waitFor(
      () => this.text.length >= from + end.length && this.text.endsWith(end),
      () =>
        `${JSON.stringify(line)} to be answered up to ${JSON.stringify(end)}: ${JSON.stringify(this.text.slice(from))}`,
    );
    return this.text.slice(from, this.text.length - end.length);
  }

  /** Sends a line that has no answer. */
  send(line: string): void {
    this.socket.write(`${line}\n`);
  }

  async waitForEnd(): Promise<void> {
    await waitFor(
      () => this.ended,
      () => `the other side to end the conversation: ${this.text}`,
    );
  }

  close(): void {
    this.socket.destroy();
  }
}
