// The listening sockets of the process before, fetched over its stats socket as HAProxy does it (`-x`): those that this configuration has
// too are used, the others closed. Control thread, at start, which waits for it.

import { AppError } from "../../base/errors.ts";
import {
  AF_INET6,
  AF_UNIX,
  EAGAIN,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_TYPE,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../../sys/constants.ts";
import { c, errorText } from "../../sys/libc.ts";
import {
  boundSockaddr,
  connectUnix,
  DESCRIPTORS_MOST,
  receiveDescriptors,
  sendDescriptors,
  setNonBlocking,
  socketOption,
} from "../../sys/pass-sockets.ts";
import { decodeSocketRecords, type SocketRecord } from "./socket-records.ts";

const TIME_LIMIT_MS = 2000;
const RECORD_BYTES_MOST = 520;
/** Far more than any process has. */
const SOCKETS_MOST = 100_000;
const REQUEST = Buffer.from("_getsocks\n");

interface Inherited extends SocketRecord {
  readonly fd: number;
  readonly sockaddr: Uint8Array;
  readonly v6only: boolean;
}

export class InheritedSockets {
  private readonly sockets: Inherited[];

  constructor(sockets: readonly Inherited[] = []) {
    this.sockets = [...sockets];
  }

  /** How many nobody has taken yet. */
  get left(): number {
    return this.sockets.length;
  }

  /** True where there is a socket that is bound to this address. */
  has(sockaddr: Uint8Array, v6only: boolean): boolean {
    return this.indexOf(sockaddr, v6only) >= 0;
  }

  /** The descriptor of such a socket, which is the caller's from now on; undefined where there is none. */
  take(sockaddr: Uint8Array, v6only: boolean): number | undefined {
    const at = this.indexOf(sockaddr, v6only);
    return at < 0 ? undefined : this.sockets.splice(at, 1)[0]?.fd;
  }

  /** Closes what nobody has taken. */
  closeRest(): void {
    for (const { fd } of this.sockets.splice(0)) c.close(fd);
  }

  private indexOf(sockaddr: Uint8Array, v6only: boolean): number {
    const wanted = addressKey(sockaddr);
    return this.sockets.findIndex(
      (socket) =>
        addressKey(socket.sockaddr) === wanted &&
        socket.v6only === v6only &&
        socket.namespace === "" &&
        socket.interface === "",
    );
  }
}

/** An address without what does not tell sockets apart: the scope of IPv6, and the suffix of a path while it is being replaced. */
function addressKey(sockaddr: Uint8Array): string {
  const bytes = Buffer.from(sockaddr);
  if (bytes[0] === AF_INET6) return `${bytes.subarray(0, 4).toString("hex")} ${bytes.subarray(8, 24).toString("hex")}`;
  if (bytes[0] !== AF_UNIX) return bytes.subarray(0, 8).toString("hex");
  if (bytes[2] === 0) return bytes.toString("latin1").replace(/\0+$/, "");
  const path = bytes.subarray(2).toString("latin1").split("\0")[0] ?? "";
  return `unix ${path.replace(/\.\d+\.tmp$/, "")}`;
}

/** Fetches them from whoever listens at `path`. Throws AppError "cannot-take-over". */
export function fetchSockets(path: string): InheritedSockets {
  const fd = connectUnix(path, TIME_LIMIT_MS);
  if (fd < 0) throw failure(path, errorText(-fd));
  try {
    return new InheritedSockets(receiveSockets(fd, path));
  } finally {
    c.close(fd);
  }
}

function receiveSockets(fd: number, path: string): readonly Inherited[] {
  if (sendDescriptors(fd, REQUEST, []) !== REQUEST.length) throw failure(path, "it takes no commands");
  const count = receiveCount(fd, path);
  const descriptors: number[] = [];
  const bodies: Uint8Array[] = [];
  const body = new Uint8Array(DESCRIPTORS_MOST * RECORD_BYTES_MOST);
  try {
    while (descriptors.length < count) {
      const received = receiveDescriptors(fd, body);
      descriptors.push(...received.descriptors);
      if (received.length <= 0)
        throw failure(path, `${descriptors.length} of ${count} sockets came: ${reasonOf(received.length)}`);
      if (received.descriptors.length === 0) throw failure(path, "what came is not what HAProxy sends");
      bodies.push(body.slice(0, received.length));
      // The other side waits for it before it goes on; what it says does not matter.
      sendDescriptors(fd, Buffer.alloc(4), []);
    }
    const records = decodeSocketRecords(Buffer.concat(bodies), count);
    if (records === undefined || descriptors.length !== count)
      throw failure(path, "what came is not what HAProxy sends");
    return usable(descriptors, records);
  } catch (error) {
    for (const descriptor of descriptors) c.close(descriptor);
    throw error;
  }
}

function receiveCount(fd: number, path: string): number {
  const bytes = new Uint8Array(4);
  const { length } = receiveDescriptors(fd, bytes);
  const count = new DataView(bytes.buffer).getInt32(0, true);
  if (length === 0)
    throw failure(path, "it gives away no sockets", "its line in the configuration needs 'expose-fd listeners'");
  if (length !== 4 || count < 0 || count > SOCKETS_MOST) throw failure(path, reasonOf(length));
  return count;
}

const reasonOf = (length: number): string =>
  length === -EAGAIN
    ? "no answer"
    : length < 0
      ? errorText(-length)
      : length === 0
        ? "it closed the connection"
        : "what came is not what HAProxy sends";

/** Listening streams with their addresses; the others are closed. */
function usable(descriptors: readonly number[], records: readonly SocketRecord[]): readonly Inherited[] {
  return descriptors.flatMap((fd, i): Inherited[] => {
    const sockaddr = boundSockaddr(fd);
    const record = records[i];
    if (sockaddr === undefined || record === undefined || socketOption(fd, SOL_SOCKET, SO_TYPE) !== SOCK_STREAM) {
      c.close(fd);
      return [];
    }
    setNonBlocking(fd);
    const v6only = sockaddr[0] === AF_INET6 && socketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY) === 1;
    return [{ fd, sockaddr, v6only, ...record }];
  });
}

const failure = (path: string, why: string, hint?: string): AppError =>
  new AppError(
    "cannot-take-over",
    `cannot fetch the listening sockets of the process before from '${path}': ${why}.`,
    hint,
  );
