// What the kernel says about connections to a server's address: those of this process, and foreign ones with their holders. It is the
// proof behind a receipt. Control thread.

import { isIpAddress } from "../base/address.ts";
import { S_GENERATION, S_SERVER, S_SERVER_FD, SESSION_WORDS, sessionIdOf } from "../memory/session-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import { errorName } from "../sys/libc.ts";
import { destroyConnection, listConnections, type TcpConnection } from "../sys/sock-diag.ts";
import { ownersOf, socketsOf } from "../sys/socket-owners.ts";
import { forSessions } from "./cut.ts";
import type { Registry, ServerEntry } from "./registry.ts";

export interface ForeignConnection {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  /** Undefined where no process was found that holds it. */
  readonly pid: number | undefined;
  readonly process: string;
  /** Undefined: nobody asked for its end. "" it was ended; else the error's name. */
  readonly destroyed: string | undefined;
}

export interface KernelAnswer {
  /** Connections of this process to that address which no session of another server explains: must be 0. */
  readonly own: number;
  /** Connections of this process to that address for sessions of other servers that have it too. */
  readonly ofOtherServers: number;
  /** Closed by whoever had them, and still delivering bytes. */
  readonly orphans: number;
  readonly foreign: readonly ForeignConnection[];
}

const shownEnd = (host: string, port: number): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

/** One look; undefined for a server that is not reached by an IP address and port of its own. */
export function askKernel(
  memory: SharedMemory,
  server: ServerEntry,
  destroyForeign: boolean,
): KernelAnswer | undefined {
  if (!isIpAddress(server.host) || server.port === 0) return undefined;
  const connections = listConnections(server.host, server.port);
  // Bytes that a closed socket still delivers have no holder; without bytes it is only a memory of the kernel's.
  const live = connections.filter(({ inode, unsentBytes }) => inode !== 0 || unsentBytes > 0);
  if (live.length === 0) return { own: 0, ofOtherServers: 0, orphans: 0, foreign: [] };
  const descriptors = socketsOf("self");
  const mine = live.filter(({ inode }) => descriptors.has(inode));
  const others = descriptorsOfOthers(memory, server);
  const ofOtherServers = mine.filter(({ inode }) => others.has(descriptors.get(inode) ?? -1)).length;
  const foreign = live.filter(({ inode }) => inode !== 0 && !descriptors.has(inode));
  const orphans = live.filter(({ inode }) => inode === 0).length;
  return { own: mine.length - ofOtherServers, ofOtherServers, orphans, foreign: describe(foreign, destroyForeign) };
}

function describe(foreign: readonly TcpConnection[], destroy: boolean): ForeignConnection[] {
  const owners = ownersOf(new Set(foreign.map(({ inode }) => inode)));
  return foreign.map((connection) => {
    const { localHost, localPort, remoteHost, remotePort, state, inode } = connection;
    const owner = owners.get(inode);
    const result = destroy ? destroyConnection(connection) : undefined;
    return {
      local: shownEnd(localHost, localPort),
      remote: shownEnd(remoteHost, remotePort),
      state,
      pid: owner?.pid,
      process: owner?.process ?? "",
      destroyed: result === undefined ? undefined : result === 0 ? "" : errorName(-result),
    };
  });
}

/** Descriptors by which sessions of other servers reach them. */
function descriptorsOfOthers(memory: SharedMemory, server: ServerEntry): Set<number> {
  const found = new Set<number>();
  for (let thread = 0; thread < memory.threads; thread++) {
    forSessions(memory, thread, (base) => {
      if (memory.sessions[base + S_SERVER] !== server.index) found.add(memory.sessions[base + S_SERVER_FD]);
    });
  }
  found.delete(-1);
  return found;
}

/** The two ends of a management connection, as this process sees it. */
export interface ManagementPeer {
  readonly host: string;
  readonly port: number;
  readonly local: { readonly host: string; readonly port: number };
}

const unmapped = (host: string): string => host.replace(/^::ffff:/, "");

/**
 * The session that carries a management connection, if there is one: what the stats socket sees as its client is the near end of the
 * balancer's own connection to a server, which is the stats socket.
 */
export function carrierOf(memory: SharedMemory, registry: Registry, peer: ManagementPeer): number | undefined {
  const { host, port, local } = peer;
  if (!registry.serversByIndex.some((server) => server?.port === local.port || server?.mapsPort)) return undefined;
  const carrier = listConnections(unmapped(local.host), local.port).find(
    ({ localHost, localPort }) => localPort === port && localHost === unmapped(host),
  );
  const descriptor = carrier === undefined ? undefined : socketsOf("self").get(carrier.inode);
  if (descriptor === undefined) return undefined;
  let id: number | undefined;
  for (let thread = 0; thread < memory.threads; thread++) {
    forSessions(memory, thread, (base) => {
      if (memory.sessions[base + S_SERVER_FD] !== descriptor) return;
      id = sessionIdOf(base / SESSION_WORDS, memory.sessions[base + S_GENERATION]);
    });
  }
  return id;
}
