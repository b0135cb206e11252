// A client of the stats socket of a running Headgate (or HAProxy): which socket, one line, its answer. Used by the commands of the
// command line, each in a process of its own. The sending side stays open until the answer is complete.

import { existsSync } from "node:fs";
import { connect, type NetConnectOpts } from "node:net";
import { formatEndpoint, parseAddress } from "../config/address.ts";
import { renderDiagnostic } from "../config/diagnostics.ts";
import type { Endpoint, LoadResult } from "../config/model.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Used where no socket is named and it exists: the socket of examples/quickstart.cfg. */
export const DEFAULT_SOCKET = "./headgate.sock";

/** How the command line named it: by address, by configuration files, or not at all. */
export interface NamedSocket {
  readonly socket?: string;
  readonly files: readonly string[];
}

/** --socket, else the first stats socket of -f, else HEADGATE_SOCKET, else ./headgate.sock; a string says why there is none. */
export function findSocket(
  command: NamedSocket,
  env: Environment,
  load: (files: readonly string[]) => LoadResult,
): Endpoint | string {
  const written = command.socket ?? (command.files.length > 0 ? undefined : env.HEADGATE_SOCKET || undefined);
  if (written !== undefined) {
    const isPath = !written.includes("@") && (written.includes("/") || !/:\d+$/.test(written));
    const parsed = parseAddress(isPath ? `unix@${written}` : written, { port: "optional" }, env);
    return parsed.ok ? parsed.address.endpoint : parsed.message;
  }
  if (command.files.length > 0) {
    const { config, diagnostics } = load(command.files);
    if (config === undefined) {
      const shown = diagnostics.filter(({ severity }) => severity === "error").map((each) => renderDiagnostic(each));
      const files = command.files.join(", ");
      return `${files} should name the stats socket, and is not valid (--socket PATH names it too)\n${shown.join("\n")}`;
    }
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

/** One line; its answer, whole, as it came. Rejects where nobody listens. */
export function askSocket(endpoint: Endpoint, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(connectOptions(endpoint), () => socket.write(line));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    socket.on("error", reject);
  });
}

/** What went wrong with a connection, for people. */
export function connectFailure(endpoint: Endpoint, error: NodeJS.ErrnoException): string {
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
