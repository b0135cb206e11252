// Runtime API clients as people use them: one connection for one line (`echo "..." | socat`), or a prompt that stays open.

import { connect, type Socket } from "node:net";

export interface RuntimeOptions {
  /** Closes the writing side right after the line, as `echo | socat` does. */
  readonly halfClose?: boolean;
  /** Runs in the very turn in which the first byte of the answer arrives, before anything else of the test does. */
  readonly atAnswer?: () => void;
}

/** Sends one line to the stats socket at `path` and resolves with everything that comes back until the end. */
export function runtimeOnce(path: string, line: string, options: RuntimeOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const chunks: Buffer[] = [];
    socket.on("connect", () => {
      if (options.halfClose) socket.end(`${line}\n`);
      else socket.write(`${line}\n`);
    });
    socket.on("data", (chunk) => {
      if (chunks.length === 0) options.atAnswer?.();
      chunks.push(chunk);
    });
    socket.on("end", () => {
      socket.end();
      resolve(Buffer.concat(chunks).toString("latin1"));
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`the stats socket closed without an end: ${line}`)));
  });
}

const PROMPT = "\n> ";

/** An interactive connection: `prompt` was sent, and each command's answer ends at the next prompt. */
export class RuntimeConversation {
  readonly socket: Socket;
  #text = "";
  #waiting: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined;
  /** True once the program ended the conversation. */
  ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      this.#text += chunk;
      this.#deliver();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.ended = true;
      this.#waiting?.reject(new Error(`conversation closed after ${JSON.stringify(this.#text)}`));
      this.#waiting = undefined;
    });
  }

  static async open(path: string): Promise<RuntimeConversation> {
    const socket = connect({ path });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const conversation = new RuntimeConversation(socket);
    await conversation.send("prompt");
    return conversation;
  }

  #deliver(): void {
    if (!this.#waiting || !this.#text.endsWith(PROMPT)) return;
    const text = this.#text.slice(0, -PROMPT.length);
    this.#text = "";
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(text);
  }

  /** Sends one line and resolves with its answer, without the prompt. One line at a time. */
  send(line: string): Promise<string> {
    if (this.ended) return Promise.reject(new Error("the conversation has ended"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.socket.write(`${line}\n`);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
