// What the kernel says about connections to a server's address: those of this process, and foreign ones with their holders. It is the
// proof behind a receipt. Control thread.

import { isIpAddress } from "../base/address.ts";
import { S_GENERATION, S_SERVER, S_SERVER_FD, SESSION_WORDS, sessionIdOf } from "../memory/session-row.ts";
import { type SharedMemory, slotsUsed } from "../memory/shared-memory.ts";
import { errorName } from "../sys/libc.ts";
import { destroyConnection, listConnections, socketCookie, type TcpConnection } from "../sys/sock-diag.ts";
import { ownDescriptors, ownersOf, socketInode } from "../sys/socket-owners.ts";
import { forSessions } from "./cut.ts";
import type { Registry, ServerEntry } from "./registry.ts";

export interface ForeignConnection {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  /** Null where no process was found that holds it. */
  readonly pid: number | null;
  readonly process: string;
  /** Null: nobody asked for its end. "" it was ended; else the error's name. */
  readonly destroyed: string | null;
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

/** The kernel could not be asked: nothing is proven. */
export const UNKNOWN = "unknown";

const shownEnd = (host: string, port: number): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

/** Sockets that are looked at before the control thread does something else. */
const SOCKETS_PER_PART = 128;

/**
 * One look; undefined for a server that is not reached by an IP address and port of its own. Takes time by the thousand connections
 * that others have to the address, in parts, so that the control thread is not held up; relays are not asked at all.
 */
export async function askKernel(
  memory: SharedMemory,
  server: ServerEntry,
  destroyForeign: boolean,
): Promise<KernelAnswer | typeof UNKNOWN | undefined> {
  if (!isIpAddress(server.host) || server.port === 0) return undefined;
  // Bytes that a closed socket still delivers have no holder; without bytes it is only a memory of the kernel's.
  const list = async (): Promise<TcpConnection[] | undefined> =>
    (await listConnections(server.host, server.port))?.filter(
      ({ inode, unsentBytes }) => inode !== 0 || unsentBytes > 0,
    );
  const live = await list();
  if (live === undefined) return UNKNOWN;
  const orphans = live.filter(({ inode }) => inode === 0).length;
  const hasCookies = live.every(({ cookie }) => cookie !== undefined);
  const keyOf = ({ cookie, inode }: TcpConnection): number => (hasCookies ? cookie : undefined) ?? inode;
  const keyOfOwn = hasCookies ? socketCookie : socketInode;
  const held = new Map(live.filter(({ inode }) => inode !== 0).map((connection) => [keyOf(connection), connection]));
  if (held.size === 0) return { own: 0, ofOtherServers: 0, orphans, foreign: [] };
  const descriptors = descriptorsOf(memory, (base) => memory.sessions[base + S_SERVER] !== server.index);
  let ofOtherServers = 0;
  await inParts(descriptors, (fd) => {
    if (held.delete(keyOfOwn(fd))) ofOtherServers++;
  });
  if (held.size === 0) return { own: 0, ofOtherServers, orphans, foreign: [] };
  let own = 0;
  const known = new Set(descriptors);
  await inParts(ownDescriptors(), (fd) => {
    if (!known.has(fd) && held.delete(keyOfOwn(fd))) own++;
  });
  // A session of another server that ended since the list was made left a connection that nobody has.
  const again = held.size === 0 ? [] : await list();
  if (again === undefined) return UNKNOWN;
  const still = new Set(again.map(keyOf));
  const foreign = [...held.values()].filter((connection) => still.has(keyOf(connection)));
  return { own, ofOtherServers, orphans, foreign: await describe(foreign, destroyForeign) };
}

/** Hands over each item; between parts the control thread does something else. */
async function inParts<T>(items: readonly T[], visit: (item: T) => void): Promise<void> {
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % SOCKETS_PER_PART === 0) await new Promise((resolve) => setImmediate(resolve));
    visit(item);
  }
}

async function describe(foreign: readonly TcpConnection[], destroy: boolean): Promise<ForeignConnection[]> {
  const owners = await ownersOf(new Set(foreign.map(({ inode }) => inode)));
  const described: ForeignConnection[] = [];
  for (const connection of foreign) {
    const { localHost, localPort, remoteHost, remotePort, state, inode } = connection;
    const owner = owners.get(inode);
    const result = destroy ? await destroyConnection(connection) : undefined;
    described.push({
      local: shownEnd(localHost, localPort),
      remote: shownEnd(remoteHost, remotePort),
      state,
      pid: owner?.pid ?? null,
      process: owner?.process ?? "",
      destroyed: result === undefined ? null : result === 0 ? "" : errorName(-result),
    });
  }
  return described;
}

/** The descriptors towards servers of those sessions of which `matches` says so, by the first word of their row. */
function descriptorsOf(memory: SharedMemory, matches: (base: number) => boolean): number[] {
  const found: number[] = [];
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
    forSessions(memory, thread, (base) => {
      const fd = memory.sessions[base + S_SERVER_FD];
      if (fd >= 0 && matches(base)) found.push(fd);
    });
  }
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
export async function carrierOf(
  memory: SharedMemory,
  registry: Registry,
  peer: ManagementPeer,
): Promise<number | undefined> {
  const { host, port, local } = peer;
  if (!registry.serversByIndex.some((server) => server?.port === local.port || server?.mapsPort)) return undefined;
  const carrier = (await listConnections(unmapped(local.host), local.port))?.find(
    ({ localHost, localPort }) => localPort === port && localHost === unmapped(host),
  );
  if (carrier === undefined || carrier.inode === 0) return undefined;
  let descriptor = -1;
  await inParts(
    descriptorsOf(memory, () => true),
    (fd) => {
      if (descriptor < 0 && socketInode(fd) === carrier.inode) descriptor = fd;
    },
  );
  let id: number | undefined;
  for (let thread = 0; thread < slotsUsed(memory); thread++) {
    forSessions(memory, thread, (base) => {
      if (descriptor < 0 || memory.sessions[base + S_SERVER_FD] !== descriptor) return;
      id = sessionIdOf(base / SESSION_WORDS, memory.sessions[base + S_GENERATION]);
    });
  }
  return id;
}
