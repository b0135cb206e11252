// `headgate run "COMMAND"`: one line to the stats socket of a running Headgate (or HAProxy), its answer to stdout. Control
// thread of a process of its own. The sending side stays open until the answer is complete: a HAProxy breaks `wait` otherwise.

import { existsSync } from "node:fs";
import { connect, type NetConnectOpts } from "node:net";
import { formatEndpoint, parseAddress } from "../config/address.ts";
import { loadConfig } from "../config/load.ts";
import type { Endpoint, LoadResult } from "../config/model.ts";
import type { CommandLine } from "./cli.ts";

type RuntimeCommand = Extract<CommandLine, { kind: "runtime" }>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Used where no socket is named and it exists: the socket of examples/quickstart.cfg. */
export const DEFAULT_SOCKET = "./headgate.sock";

export interface RunOutcome {
  readonly stdout: string;
  readonly stderr: string;
  /** 0: done; 1: a command was refused; 2: nobody answered. */
  readonly exitCode: number;
}

const unanswered = (text: string): RunOutcome => ({ stdout: "", stderr: `headgate: ${text}\n`, exitCode: 2 });

/** Runs the command. `load` reads the configuration files of -f. Never rejects. */
export async function runRuntimeCommand(
  command: RuntimeCommand,
  env: Environment,
  load: (files: readonly string[]) => LoadResult = (files) => loadConfig(files, env),
): Promise<RunOutcome> {
  if (command.command.trim() === "") return unanswered("the command is empty");
  if (/[\r\n]/.test(command.command)) return unanswered("a command is one line: separate commands with ';'");
  const found = findSocket(command, env, load);
  if (typeof found === "string") return unanswered(found);
  try {
    // With severities in the answer a refusal can be told from a dump, and the exit code says so.
    const answer = await ask(found, `set severity-output number;${command.command}\n`);
    return { ...readAnswer(answer), stderr: "" };
  } catch (error) {
    return unanswered(connectFailure(found, error as NodeJS.ErrnoException));
  }
}

/** --socket, else HEADGATE_SOCKET, else the first stats socket of -f, else ./headgate.sock; a string says why there is none. */
function findSocket(
  command: RuntimeCommand,
  env: Environment,
  load: (files: readonly string[]) => LoadResult,
): Endpoint | string {
  // A configuration that was named wins over the environment; --socket wins over both.
  const written = command.socket ?? (command.files.length > 0 ? undefined : env.HEADGATE_SOCKET || undefined);
  if (written !== undefined) {
    const isPath = !written.includes("@") && (written.includes("/") || !/:\d+$/.test(written));
    const parsed = parseAddress(isPath ? `unix@${written}` : written, { port: "optional" }, env);
    return parsed.ok ? parsed.address.endpoint : parsed.message;
  }
  if (command.files.length > 0) {
    const { config } = load(command.files);
    if (config === undefined)
      return `${command.files.join(", ")} is not valid: see 'headgate check ${command.files[0]}'`;
    const [socket] = config.global.statsSockets;
    return socket?.endpoint ?? `${command.files.join(", ")} has no 'stats socket' line in 'global'`;
  }
  if (existsSync(DEFAULT_SOCKET)) return { kind: "unix", path: DEFAULT_SOCKET };
  return `which socket? Name it with --socket PATH, HEADGATE_SOCKET, or -f FILE (there is no ${DEFAULT_SOCKET} here)`;
}

function connectOptions(endpoint: Endpoint): NetConnectOpts {
  switch (endpoint.kind) {
    case "unix":
      return { path: endpoint.path };
    case "abns":
      return { path: `\0${endpoint.name}` };
    case "inet": {
      const isWildcard = endpoint.host === "0.0.0.0" || endpoint.host === "::" || endpoint.host === "*";
      return { host: isWildcard ? (endpoint.host === "::" ? "::1" : "127.0.0.1") : endpoint.host, port: endpoint.port };
    }
  }
}

function ask(endpoint: Endpoint, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(connectOptions(endpoint), () => socket.write(line));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    socket.on("error", reject);
  });
}

/** Takes the severities and the final empty line off: what HAProxy's socket would have said without them. */
function readAnswer(answer: string): { stdout: string; exitCode: number } {
  // The answer to `set severity-output` is one empty line.
  const text = answer.startsWith("\n") ? answer.slice(1) : answer;
  let refused = false;
  const stdout = text.replace(/^\[([0-7])\]: /gm, (_, severity: string) => {
    if (Number(severity) <= 3) refused = true;
    return "";
  });
  const exitCode = refused ? 1 : 0;
  if (stdout === "\n") return { stdout: "", exitCode };
  return { stdout: stdout.endsWith("\n\n") ? stdout.slice(0, -1) : stdout, exitCode };
}

function connectFailure(endpoint: Endpoint, error: NodeJS.ErrnoException): string {
  const where = formatEndpoint(endpoint).replace(/^unix@/, "");
  switch (error.code) {
    case "ENOENT":
      return `there is no socket ${where}`;
    case "ECONNREFUSED":
      return `nobody listens on ${where}`;
    case "EACCES":
      return `no permission to use ${where}`;
    default:
      return `${where}: ${error.message}`;
  }
}
