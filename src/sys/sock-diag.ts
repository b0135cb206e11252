// The kernel's own list of TCP connections to an address, and the end of one that is not ours: netlink's NETLINK_SOCK_DIAG, and
// /proc/net/tcp where that is refused. A long list is read in parts, so that the thread is not held up. Control thread.

import { ipSockaddr } from "../base/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  EIO,
  IPPROTO_TCP,
  MSG_DONTWAIT,
  NETLINK_SOCK_DIAG,
  SO_COOKIE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
} from "./constants.ts";
import { c, errno } from "./libc.ts";
import { bytesToHost, procConnections, TCP_STATES, type TcpState } from "./proc-net-tcp.ts";

/** One connection as this host's kernel sees it from its near end. */
export interface TcpConnection {
  readonly localHost: string;
  readonly localPort: number;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly state: TcpState;
  /** 0: no process holds it any more. */
  readonly inode: number;
  /** Bytes received that nobody has read, and bytes written that the other end has not acknowledged. */
  readonly unreadBytes: number;
  readonly unsentBytes: number;
  /** The kernel's number of the socket, as `socketCookie` tells it; undefined where the kernel was not asked by netlink. */
  readonly cookie: number | undefined;
  /** What `destroyConnection` names it by; undefined as well. */
  readonly identity: Uint8Array | undefined;
}

// From the kernel's uapi headers: netlink.h, sock_diag.h, inet_diag.h.
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const SOCK_DIAG_BY_FAMILY = 20;
const SOCK_DESTROY = 21;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_BC_D_COND = 8;
const HEADER_BYTES = 16;
const REQUEST_BYTES = 56;
const MESSAGE_BYTES = 72;
const ID_BYTES = 48;
/** Where the connection's identity stands in a request (behind family, protocol, extensions and states) and in a message. */
const REQUEST_ID = HEADER_BYTES + 8;
const MESSAGE_ID = 4;
/** The socket's number for as long as the host runs. */
const MESSAGE_COOKIE = MESSAGE_ID + 40;

/** All but TIME_WAIT, CLOSE, LISTEN and half-open requests: what is, or may become, a connection. */
const WANTED_STATES = [
  "ESTABLISHED",
  "SYN_SENT",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "CLOSE_WAIT",
  "LAST_ACK",
  "CLOSING",
] as const;
const STATE_MASK = WANTED_STATES.reduce((mask, state) => mask | (1 << TCP_STATES.indexOf(state)), 0);
const isWanted = (state: TcpState): boolean => (WANTED_STATES as readonly TcpState[]).includes(state);

/** Room for one datagram of a dump; the kernel fills at most 32 KiB at a time. */
const ANSWER_BYTES = 65_536;
/** Datagrams read for one dump at most: some millions of connections. */
const DATAGRAMS_MAX = 20_000;

// Not within the heap, where it might be moved.
const answerOption = new DataView(new ArrayBuffer(16));
const answerAddress = c.memmoveAddress(answerOption, answerOption, 0);

const cookieAt = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

/** The kernel's number of the socket behind a descriptor of this process: 0 if it is closed, or no socket. Ten times as fast as its inode. */
export function socketCookie(fd: number): number {
  answerOption.setUint32(8, 8, true);
  if (c.getsockopt(fd, SOL_SOCKET, SO_COOKIE, answerAddress, answerAddress + 8) < 0) return 0;
  return cookieAt(answerOption, 0);
}

/**
 * Connections of this host's network namespace to `host`:`port`, whoever holds them; undefined if the kernel cannot be asked.
 * `viaProc` asks /proc in any case.
 */
export async function listConnections(
  host: string,
  port: number,
  viaProc = false,
): Promise<TcpConnection[] | undefined> {
  const address = ipSockaddr(host, port);
  const listed = viaProc ? -EIO : await listByNetlink(address, port);
  if (typeof listed !== "number") return listed;
  const shown = bytesToHost(addressBytes(address));
  return procConnections(port)?.filter(
    ({ remoteHost, remotePort, state }) => remotePort === port && remoteHost === shown && isWanted(state),
  );
}

/** Ends a connection for whoever holds it, as if it had been aborted: 0, or -errno (EPERM without CAP_NET_ADMIN). */
export async function destroyConnection(connection: TcpConnection): Promise<number> {
  const { identity } = connection;
  if (identity === undefined) return -EIO;
  const request = new Uint8Array(HEADER_BYTES + REQUEST_BYTES);
  writeRequest(request, SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, identity[0]);
  request.set(identity.subarray(MESSAGE_ID, MESSAGE_ID + ID_BYTES), REQUEST_ID);
  let result = -EIO;
  const failure = await converse(request, (type, payload) => {
    if (type === NLMSG_ERROR) result = payload.getInt32(0, true);
    return type === NLMSG_ERROR;
  });
  return failure < 0 ? failure : result;
}

/** Handshakes under way on a local port: clients whose last ACK is awaited. 0 where the kernel cannot be asked. */
export async function countHandshakes(port: number): Promise<number> {
  let count = 0;
  for (const family of [AF_INET, AF_INET6]) {
    const request = new Uint8Array(HEADER_BYTES + REQUEST_BYTES);
    writeRequest(request, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, family);
    new DataView(request.buffer).setUint32(HEADER_BYTES + 4, 1 << TCP_STATES.indexOf("SYN_RECV"), true);
    await converse(request, (type, payload) => {
      const isMessage = type === SOCK_DIAG_BY_FAMILY && payload.byteLength >= MESSAGE_BYTES;
      if (isMessage && payload.getUint16(MESSAGE_ID, false) === port) count++;
      return type === NLMSG_ERROR || type === NLMSG_DONE;
    });
  }
  return count;
}

async function listByNetlink(address: Uint8Array, port: number): Promise<TcpConnection[] | number> {
  const found: TcpConnection[] = [];
  const isV4 = new DataView(address.buffer).getUint16(0, true) === AF_INET;
  // IPv6 sockets may be connected to an IPv4 address too; the kernel's filter knows.
  for (const family of isV4 ? [AF_INET, AF_INET6] : [AF_INET6]) {
    let failure = 0;
    const error = await converse(dumpRequest(family, address, port), (type, payload) => {
      if (type === NLMSG_ERROR) failure = payload.getInt32(0, true);
      else if (type === SOCK_DIAG_BY_FAMILY && payload.byteLength >= MESSAGE_BYTES)
        found.push(new ListedConnection(payload));
      return type === NLMSG_ERROR || type === NLMSG_DONE;
    });
    if (error < 0 || failure < 0) return Math.min(error, failure);
  }
  return found;
}

function dumpRequest(family: number, address: Uint8Array, port: number): Uint8Array {
  const host = addressBytes(address);
  // One condition: its operation (4 bytes), then family, prefix length, port and address.
  const codeBytes = 4 + 8 + host.length;
  const request = new Uint8Array(HEADER_BYTES + REQUEST_BYTES + 4 + codeBytes);
  writeRequest(request, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, family);
  const view = new DataView(request.buffer);
  view.setUint32(HEADER_BYTES + 4, STATE_MASK, true);
  const attribute = HEADER_BYTES + REQUEST_BYTES;
  view.setUint16(attribute, 4 + codeBytes, true);
  view.setUint16(attribute + 2, INET_DIAG_REQ_BYTECODE, true);
  const code = attribute + 4;
  request[code] = INET_DIAG_BC_D_COND;
  // Where it goes on if the condition holds (the end: accepted), and if not (beyond the end: not shown).
  request[code + 1] = codeBytes;
  view.setUint16(code + 2, codeBytes + 4, true);
  request[code + 4] = host.length === 4 ? AF_INET : AF_INET6;
  request[code + 5] = host.length * 8;
  view.setInt32(code + 8, port, true);
  request.set(host, code + 12);
  return request;
}

function writeRequest(request: Uint8Array, type: number, flags: number, family: number): void {
  const view = new DataView(request.buffer);
  view.setUint32(0, request.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  request[HEADER_BYTES] = family;
  request[HEADER_BYTES + 1] = IPPROTO_TCP;
}

/** Sends a request and hands over each message of the answer until one is the last; 0, or -errno. */
async function converse(request: Uint8Array, isLast: (type: number, payload: DataView) => boolean): Promise<number> {
  const fd = c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return -errno();
  const answer = new Uint8Array(ANSWER_BYTES);
  try {
    // Unbound and unconnected: that means the kernel, and it answers before `send` returns or when it is read.
    if (c.send(fd, c.memmoveAddress(request, request, 0), request.length, 0) < 0) return -errno();
    const address = c.memmoveAddress(answer, answer, 0);
    for (let datagrams = 0; datagrams < DATAGRAMS_MAX; datagrams++) {
      // The kernel goes on with a dump when it is read: some 300 connections at a time.
      if (datagrams > 0) await new Promise((resolve) => setImmediate(resolve));
      const length = c.recv(fd, address, ANSWER_BYTES, MSG_DONTWAIT);
      if (length < 0) return -errno();
      const view = new DataView(answer.buffer, 0, length);
      for (let at = 0; at + HEADER_BYTES <= length; ) {
        const messageBytes = view.getUint32(at, true);
        if (messageBytes < HEADER_BYTES || at + messageBytes > length) return -EIO;
        const payload = new DataView(answer.buffer, at + HEADER_BYTES, messageBytes - HEADER_BYTES);
        if (isLast(view.getUint16(at + 4, true), payload)) return 0;
        at += (messageBytes + 3) & ~3;
      }
    }
    return -EIO;
  } finally {
    c.close(fd);
  }
}

/** struct inet_diag_msg. Addresses become text only where somebody reads them: there may be thousands. */
class ListedConnection implements TcpConnection {
  readonly identity: Uint8Array;
  readonly cookie: number;
  readonly localPort: number;
  readonly remotePort: number;
  readonly state: TcpState;
  readonly unreadBytes: number;
  readonly unsentBytes: number;
  readonly inode: number;

  constructor(message: DataView) {
    this.identity = new Uint8Array(message.buffer, message.byteOffset, MESSAGE_BYTES).slice();
    this.cookie = cookieAt(message, MESSAGE_COOKIE);
    this.localPort = message.getUint16(MESSAGE_ID, false);
    this.remotePort = message.getUint16(MESSAGE_ID + 2, false);
    this.state = TCP_STATES[this.identity[1]] ?? "";
    this.unreadBytes = message.getUint32(56, true);
    this.unsentBytes = message.getUint32(60, true);
    this.inode = message.getUint32(68, true);
  }

  get localHost(): string {
    return this.#host(MESSAGE_ID + 4);
  }

  get remoteHost(): string {
    return this.#host(MESSAGE_ID + 20);
  }

  #host(at: number): string {
    return bytesToHost(this.identity.subarray(at, at + (this.identity[0] === AF_INET ? 4 : 16)));
  }
}

/** The IP address of a sockaddr_in or sockaddr_in6. */
const addressBytes = (sockaddr: Uint8Array): Uint8Array =>
  sockaddr.length === 16 ? sockaddr.subarray(4, 8) : sockaddr.subarray(8, 24);
