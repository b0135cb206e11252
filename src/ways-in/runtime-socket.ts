// A stats socket: binds it, and hands each connection to a RuntimeSession while fewer than the limit are served; further ones wait
// unread. Control thread.

import { chmodSync, chownSync, lstatSync, type Stats } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { AppError } from "../base/errors.ts";
import { CONTROL_BACKLOG_MAX } from "../base/limits.ts";
import { formatEndpoint } from "../config/address.ts";
import type { StatsSocket } from "../config/model.ts";
import { resolveBindAddress } from "../control/addresses.ts";
import type { InheritedSockets } from "../control/hand-over/inherited-sockets.ts";
import type { Program } from "../control/program.ts";
import type { ControlConnections } from "../control/stats/control-connections.ts";
import { statsOf } from "../control/stats/program-stats.ts";
import { UnixPath, type UnixPaths } from "../control/unix-path.ts";
import type { Dialect } from "./dialect.ts";
import { RuntimeSession } from "./runtime-session.ts";
import { descriptorOf } from "./socket-descriptor.ts";

/** What a reload may change. */
export interface RuntimeSocketLimits {
  /** Idle time after which a connection is closed, in ms. */
  readonly statsTimeoutMs: number;
  /** Connections served at once, over all stats sockets. */
  readonly maxConnections: number;
}

export interface RuntimeSocketOptions extends RuntimeSocketLimits {
  /** Told of what went wrong with the socket, and of defects that a command met. */
  readonly log?: (text: string) => void;
  /** Sockets of the process before, one of which may be this one's. */
  readonly inherited?: InheritedSockets;
  /** When unix sockets get their paths; absent: at once. */
  readonly paths?: UnixPaths;
  /** Called when somebody asks for the listening sockets, where the configuration allows it. */
  readonly listeningSockets?: () => readonly number[];
  /** Makes what a connection's words are for; absent: the Runtime API. */
  readonly dialect?: () => Dialect;
}

export interface RuntimeSocket {
  /** As `show cli sockets` prints it: "unix@/run/headgate.sock", "ipv4@127.0.0.1:9999". */
  readonly address: string;
  /** Of the listening socket. */
  readonly descriptor: number;
  /** A reload names it again: with another level for connections to come, or other rights, perhaps. */
  update(socketConfig: StatsSocket, limits: RuntimeSocketLimits): void;
  /** Stops listening, closes what is open, and removes the socket's path. Commands under way may end within `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

/** Rejects with an AppError "cannot-bind" when the address cannot be listened on. */
export async function startRuntimeSocket(
  program: Program,
  socketConfig: StatsSocket,
  options: RuntimeSocketOptions,
): Promise<RuntimeSocket> {
  const { controlConnections } = statsOf(program);
  let now = { ...options, socketConfig };
  const number = controlConnections.sockets.length + 1;
  const open = new Map<Socket, RuntimeSession | undefined>();
  // From the first client that is turned away until none waits any more.
  let isTurningAway = false;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    open.set(socket, undefined);
    socket.on("close", () => {
      open.delete(socket);
      if (open.size <= now.maxConnections) isTurningAway = false;
    });
    // An error is followed by "close", which the session acts on.
    socket.on("error", () => {});
    const serve = (): Promise<void> =>
      serveConnection(program, controlConnections, socket, number, now.socketConfig, now, (session) =>
        open.set(socket, session),
      );
    controlConnections.admit(() => now.maxConnections, serve);
  });
  server.maxConnections = options.maxConnections + CONTROL_BACKLOG_MAX;
  const removePath = await bind(server, socketConfig, options);
  server.on("error", (error) =>
    options.log?.(`stats socket ${formatEndpoint(socketConfig.endpoint)}: ${error.message}`),
  );
  const address = boundAddress(server, socketConfig);
  server.on("drop", () => {
    if (isTurningAway) return;
    isTurningAway = true;
    options.log?.(
      `stats socket ${address}: clients are turned away, because ${now.maxConnections} are served and ${CONTROL_BACKLOG_MAX} wait`,
    );
  });
  const entry: { readonly address: string; level: StatsSocket["level"] } = { address, level: socketConfig.level };
  controlConnections.sockets.push(entry);
  return {
    address,
    descriptor: descriptorOf(server),
    update(socketConfig, limits) {
      const { endpoint } = socketConfig;
      if (endpoint.kind === "unix" && statOf(endpoint.path)?.isSocket()) setRights(endpoint.path, socketConfig);
      entry.level = socketConfig.level;
      now = { ...now, ...limits, socketConfig };
      server.maxConnections = limits.maxConnections + CONTROL_BACKLOG_MAX;
      controlConnections.limitChanged();
    },
    async close(graceMs = 0) {
      removePath();
      controlConnections.sockets.splice(controlConnections.sockets.indexOf(entry), 1);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const destroyAll = (): void => {
        for (const socket of open.keys()) socket.destroy();
      };
      if (graceMs === 0) destroyAll();
      else for (const [socket, session] of open) session === undefined ? socket.destroy() : session.retire();
      const timer = setTimeout(destroyAll, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function serveConnection(
  program: Program,
  controlConnections: ControlConnections,
  socket: Socket,
  number: number,
  { level, endpoint, exposesListeners }: StatsSocket,
  { statsTimeoutMs, log, listeningSockets, dialect }: RuntimeSocketOptions,
  onSession: (session: RuntimeSession) => void,
): Promise<void> {
  if (socket.destroyed) return;
  const isInet = endpoint.kind === "inet";
  const entry = controlConnections.add({
    protocol: isInet ? (socket.remoteFamily === "IPv6" ? "tcpv6" : "tcpv4") : "unix_stream",
    source: isInet ? `${socket.remoteAddress}:${socket.remotePort}` : `unix:${number}`,
    sinceMs: program.nowMs(),
    fd: descriptorOf(socket),
    timeoutMs: () => session.connection.timeoutMs,
  });
  const onCommand = (): void => {
    entry.commands++;
  };
  const session = new RuntimeSession(program, socket, {
    level,
    timeoutMs: statsTimeoutMs,
    onCommand,
    ...(exposesListeners && listeningSockets !== undefined ? { listeningSockets } : {}),
    ...(dialect === undefined ? {} : { dialect: dialect() }),
  });
  onSession(session);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  // A defect in a report must not end the sessions of everybody: this connection closes, and the log says why.
  await session.serve().catch((error: Error) => {
    log?.(`stats socket: ${error.stack ?? error.message}`);
    socket.destroy();
  });
  await closed;
  controlConnections.remove(entry);
}

/** Binds and returns what removes the path again. */
async function bind(
  server: Server,
  socketConfig: StatsSocket,
  { inherited, paths }: Pick<RuntimeSocketOptions, "inherited" | "paths">,
): Promise<() => void> {
  const { endpoint } = socketConfig;
  try {
    if (endpoint.kind === "inet") {
      const fd = inherited?.take((await resolveBindAddress(endpoint)).sockaddr, false);
      if (fd !== undefined) {
        await listen(server, { fd });
        return () => {};
      }
      await listen(server, { host: endpoint.host, port: endpoint.port });
      return () => {};
    }
    if (endpoint.kind === "abns") {
      await listen(server, { path: `\0${endpoint.name}` });
      return () => {};
    }
    return await bindPath(server, endpoint.path, socketConfig, paths);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof AppError) throw error;
    throw new AppError("cannot-bind", `cannot bind the stats socket ${formatEndpoint(endpoint)}: ${code ?? message}`);
  }
}

/** The path always leads to a socket that answers. */
async function bindPath(
  server: Server,
  path: string,
  socketConfig: StatsSocket,
  paths: UnixPaths | undefined,
): Promise<() => void> {
  if (statOf(path)?.isSocket() === false) {
    // socat, for one, makes a file where it finds no socket.
    const hint = "remove it; a client that was started before the program may have made it";
    throw new AppError(
      "cannot-bind",
      `cannot bind the stats socket ${path}: the path exists and is not a socket`,
      hint,
    );
  }
  const unixPath = new UnixPath(path);
  await listen(server, { path: unixPath.temporary });
  setRights(unixPath.temporary, socketConfig);
  if (paths === undefined) unixPath.publish();
  else paths.add(unixPath);
  return () => unixPath.remove();
}

function setRights(path: string, { mode, uid, gid }: StatsSocket): void {
  if (mode !== undefined) chmodSync(path, mode);
  if (uid !== undefined || gid !== undefined) chownSync(path, uid ?? process.getuid!(), gid ?? process.getgid!());
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function listen(
  server: Server,
  where: { readonly path: string } | { readonly fd: number } | { readonly host: string; readonly port: number },
) {
  return new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function boundAddress(server: Server, { endpoint }: StatsSocket): string {
  const bound = server.address();
  if (endpoint.kind !== "inet" || bound === null || typeof bound === "string") return formatEndpoint(endpoint);
  return bound.family === "IPv6" ? `ipv6@[${bound.address}]:${bound.port}` : `ipv4@${bound.address}:${bound.port}`;
}
