// One connection to a stats socket: takes lines, runs their commands one after the other, writes the answers as fast as the client
// takes them. Control thread. A client that closed its sending side is served to the end; only one that is gone is given up.

import type { Socket } from "node:net";
import {
  COMMAND_LINE_BYTES_MAX,
  COMMAND_PAYLOAD_BYTES_MAX,
  COMMAND_WORDS_MAX,
  CONTROL_INPUT_BYTES_MAX,
} from "../base/limits.ts";
import type { AdminLevel } from "../config/model.ts";
import type { ManagementPeer } from "../control/kernel-answer.ts";
import type { Program } from "../control/program.ts";
import { failure, PERMISSION_DENIED } from "../operations/answers.ts";
import { findOperation } from "../operations/find-operation.ts";
import { type Answer, type Connection, mayRun, type Operation, type Severity } from "../operations/operation.ts";
import { OPERATIONS, unknownCommand } from "../operations/table.ts";
import { payloadAnnouncement, splitLine } from "./command-line.ts";
import type { Dialect } from "./dialect.ts";
import { giveSockets } from "./give-sockets.ts";
import { LineBuffer } from "./line-buffer.ts";

const TOO_MANY_WORDS = failure(`Too many arguments. Commands must have at most ${COMMAND_WORDS_MAX} arguments.`);
const LINE_TOO_LONG = `The command line is too big: at most ${COMMAND_LINE_BYTES_MAX} bytes are taken.\n`;
const PAYLOAD_TOO_LONG = `The payload is too big: at most ${COMMAND_PAYLOAD_BYTES_MAX} bytes are taken.\n`;

/** Hidden, as in HAProxy: no command for people. */
const GET_SOCKETS = "_getsocks";

/** How often a client that closed its sending side is probed while a command runs for it. */
const PROBE_MS = 200;
/** Parts of a dump are put together to this many characters before they are written. */
const WRITE_CHARACTERS = 32_768;

const SEVERITY_NAMES: Readonly<Record<Severity, string>> = { 3: "err", 4: "warning", 5: "notice", 6: "info" };

export interface RuntimeSessionOptions {
  readonly level: AdminLevel;
  readonly timeoutMs: number;
  /** Called for each command. */
  readonly onCommand: () => void;
  /** The descriptors that `_getsocks` hands over; absent: it is refused. */
  readonly listeningSockets?: () => readonly number[];
  /** Absent: the Runtime API's. Else line after line is taken, and each command is answered with a prompt of its own. */
  readonly dialect?: Dialect;
}

/** An answer; a bare one is written without the empty line behind it. */
type Reply = Answer & { readonly isBare?: boolean };

/** Undefined for a unix socket, and for one that is closed. */
function peerOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): ManagementPeer | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  if (localAddress === undefined || localPort === undefined) return undefined;
  return { host: remoteAddress, port: remotePort, local: { host: localAddress, port: localPort } };
}

export class RuntimeSession {
  readonly connection: Connection;
  readonly #program: Program;
  readonly #socket: Socket;
  readonly #onCommand: () => void;
  readonly #listeningSockets: (() => readonly number[]) | undefined;
  readonly #dialect: Dialect | undefined;
  readonly #input = new LineBuffer();
  readonly #gone = new AbortController();
  /** The client closed its sending side: nothing more will arrive. */
  #inputEnded = false;
  /** A line is being run or answered; and this is the last one. */
  #isBusy = false;
  #isRetiring = false;
  /** Resolves whoever waits for input, for room in the output, or for the end. */
  #wake: (() => void) | undefined;

  constructor(program: Program, socket: Socket, options: RuntimeSessionOptions) {
    this.#program = program;
    this.#socket = socket;
    this.#onCommand = options.onCommand;
    this.#listeningSockets = options.listeningSockets;
    this.#dialect = options.dialect;
    this.connection = {
      level: options.level,
      mode: options.dialect === undefined ? "once" : "interactive",
      timedPrompt: false,
      severityOutput: "none",
      timeoutMs: options.timeoutMs,
      closing: false,
    };
    socket.on("data", (bytes: Buffer) => {
      this.#input.push(bytes);
      if (this.#input.length > CONTROL_INPUT_BYTES_MAX) socket.pause();
      this.#wake?.();
    });
    socket.on("end", () => {
      this.#inputEnded = true;
      this.#wake?.();
    });
    socket.on("drain", () => this.#wake?.());
    socket.on("close", () => {
      this.#gone.abort();
      this.#wake?.();
    });
  }

  /** Serves until the connection is over. Rejects where an operation has a defect. */
  async serve(): Promise<void> {
    this.#socket.resume();
    while (!this.#gone.signal.aborted) {
      const line = await this.#nextLine(COMMAND_LINE_BYTES_MAX, LINE_TOO_LONG);
      if (line === undefined) break;
      const announced = payloadAnnouncement(line);
      if (announced !== undefined && !(await this.#skipPayload(announced.end))) break;
      this.#isBusy = true;
      await this.#runLine(announced?.command ?? line);
      this.#isBusy = false;
      if (this.connection.closing || this.#isOnce || this.#isRetiring) break;
    }
    this.#finish();
  }

  /** One line was all. A connection to the master socket goes on until its client leaves. */
  get #isOnce(): boolean {
    return this.connection.mode === "once" && this.#dialect === undefined;
  }

  /** Ends the connection: at once, or after the answer to the line that is being run. */
  retire(): void {
    this.#isRetiring = true;
    if (!this.#isBusy) this.#socket.destroy();
  }

  /** The next line; undefined when there is none any more: end of input, timeout, or one that is too long. */
  async #nextLine(bytesMax: number, tooLong: string): Promise<string | undefined> {
    for (;;) {
      if (this.#gone.signal.aborted) return undefined;
      if (this.#input.nextLineLength > bytesMax) {
        await this.#write(tooLong);
        return undefined;
      }
      const line = this.#input.take();
      if (line !== undefined) return line;
      if (this.#inputEnded) return undefined;
      this.#socket.resume();
      if (!(await this.#sleep())) return undefined;
    }
  }

  /** None of the commands takes a payload: it is read and forgotten. False when the input ended within it. */
  async #skipPayload(end: string): Promise<boolean> {
    let bytes = 0;
    for (;;) {
      if (this.connection.mode === "prompt" && !this.#input.hasLine) await this.#write("+ ");
      const line = await this.#nextLine(COMMAND_PAYLOAD_BYTES_MAX, PAYLOAD_TOO_LONG);
      if (line === undefined) return false;
      if (line === end) return true;
      bytes += line.length + 1;
      if (bytes > COMMAND_PAYLOAD_BYTES_MAX) {
        await this.#write(PAYLOAD_TOO_LONG);
        return false;
      }
    }
  }

  async #runLine(line: string): Promise<void> {
    const commands = splitLine(line);
    for (const [i, words] of commands.entries()) {
      const answer = await this.#run(words);
      if (this.connection.closing) return;
      await this.#writeAnswer(answer, this.#dialect !== undefined || i === commands.length - 1);
      if (this.#gone.signal.aborted) return;
    }
  }

  async #run(words: readonly string[] | undefined): Promise<Reply> {
    if (words === undefined) return TOO_MANY_WORDS;
    if (words.length === 0) return { text: "" };
    this.#onCommand();
    if (words[0] === GET_SOCKETS) return this.#giveSockets();
    const aim = this.#dialect?.aim(words);
    if (aim === undefined) return this.#runIn(OPERATIONS, words, unknownCommand);
    if ("said" in aim) return { text: aim.said, isBare: true };
    const answer = await this.#runIn(aim.table, aim.words, aim.unknown);
    return aim.isSilent && answer.text === "" ? { ...answer, isBare: true } : answer;
  }

  async #runIn(
    table: readonly Operation[],
    words: readonly string[],
    unknown: (words: readonly string[]) => Answer,
  ): Promise<Answer> {
    const operation = findOperation(table, words);
    if (operation === undefined) return unknown(words);
    if (!mayRun(this.connection.level, operation)) return PERMISSION_DENIED;
    const { signal } = this.#gone;
    const probing = setInterval(() => this.#probe(), PROBE_MS);
    try {
      const peer = peerOf(this.#socket);
      const tell = (text: string): Promise<boolean> => this.#write(text);
      const context = { program: this.#program, connection: this.connection, signal, peer, tell };
      const run = () => operation.run(context, words.slice(operation.words.length));
      // What is shown has happened: a server that is down has no session left that it loses by that.
      return await (operation.words[0] === "show" ? this.#program.settled(run) : run());
    } finally {
      clearInterval(probing);
    }
  }

  /** Hands the listening sockets over, and closes; as in HAProxy no word is said where that is not allowed. */
  async #giveSockets(): Promise<Answer> {
    if (this.#listeningSockets !== undefined) await giveSockets(this.#socket, this.#listeningSockets());
    this.connection.closing = true;
    return { text: "" };
  }

  /**
   * After a FIN the kernel says nothing more about a unix socket's peer unless it is written to: an empty write changes nothing
   * for a client that still reads, and fails once it is gone.
   */
  #probe(): void {
    if (this.#inputEnded && !this.#socket.destroyed) this.#socket.write(Buffer.alloc(0));
  }

  async #writeAnswer(answer: Reply, isLast: boolean): Promise<void> {
    const { text } = answer;
    let held = "";
    if (typeof text === "string") held = this.#severityPrefix(answer) + text;
    else {
      for await (const part of text) {
        held += part;
        if (held.length < WRITE_CHARACTERS) continue;
        if (!(await this.#write(held))) return;
        held = "";
      }
    }
    await this.#write(held + (answer.isBare ? "" : "\n") + this.#promptText(isLast));
  }

  #severityPrefix({ text, severity }: Answer): string {
    const { severityOutput } = this.connection;
    if (severity === undefined || text === "" || severityOutput === "none") return "";
    return severityOutput === "number" ? `[${severity}]: ` : `[${SEVERITY_NAMES[severity]}]: `;
  }

  #promptText(isLast: boolean): string {
    if (this.connection.mode !== "prompt" || !isLast) return "";
    const name = this.#dialect?.promptName ?? "";
    return `${this.connection.timedPrompt ? `[${this.#uptime()}]` : ""}${name}> `;
  }

  /** "d:hh:mm:ss" */
  #uptime(): string {
    const seconds = Math.max(0, Math.floor((Date.now() - this.#program.startWallMs) / 1000));
    const two = (value: number): string => `${value}`.padStart(2, "0");
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    return `${Math.floor(hours / 24)}:${two(hours % 24)}:${two(minutes % 60)}:${two(seconds % 60)}`;
  }

  /** Resolves when the client can take more; false when it is gone, or took nothing for the idle timeout. */
  async #write(text: string): Promise<boolean> {
    if (this.#gone.signal.aborted || !this.#socket.writable) return false;
    if (text === "" || this.#socket.write(text)) return true;
    while (this.#socket.writableNeedDrain) {
      if (!(await this.#sleep())) return false;
    }
    return !this.#gone.signal.aborted;
  }

  /** Until something happens on the socket; false, with the connection closed, when nothing did for the idle timeout. */
  #sleep(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        this.#socket.destroy();
        resolve(false);
      }, this.connection.timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(!this.#gone.signal.aborted);
      };
    });
  }

  /** What the client may still send is read and dropped: left unread, the kernel would turn our end into a reset. */
  #finish(): void {
    this.#input.clear();
    this.#socket.resume();
    this.#socket.destroySoon();
  }
}
