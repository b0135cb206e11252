// Descriptors that go from one process to another over a unix socket (SCM_RIGHTS). Control thread; a receiving socket may block for as long
// as its time limit says, so that is for the start alone.

import { unixSockaddr } from "../base/address.ts";
import {
  AF_UNIX,
  F_GETFL,
  F_SETFL,
  MSG_CMSG_CLOEXEC,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  SCM_RIGHTS,
  SO_RCVTIMEO,
  SO_SNDTIMEO,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./constants.ts";
import { c, errno } from "./libc.ts";

const addressOf = (view: ArrayBufferView): number => c.memmoveAddress(view, view, 0);
const shared = (bytes: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(bytes));

/** Linux takes at most 253 in one message; HAProxy sends up to 252. */
export const DESCRIPTORS_MOST = 252;

/** struct cmsghdr: length (8 bytes), level, type. */
const CMSG_HEADER = 16;
const CONTROL_BYTES = CMSG_HEADER + ((DESCRIPTORS_MOST * 4 + 7) & ~7);

// struct msghdr, 56 bytes: name, its length, iovec, their number, control, its length, flags. One iovec behind it.
const message = shared(72);
const control = shared(CONTROL_BYTES);
const fields = new DataView(message.buffer);
const rights = new DataView(control.buffer);

function prepare(bytes: Uint8Array, controlLength: number): number {
  const at = addressOf(message);
  message.fill(0);
  fields.setBigUint64(16, BigInt(at + 56), true);
  fields.setBigUint64(24, 1n, true);
  fields.setBigUint64(56, BigInt(addressOf(bytes)), true);
  fields.setBigUint64(64, BigInt(bytes.length), true);
  if (controlLength > 0) fields.setBigUint64(32, BigInt(addressOf(control)), true);
  fields.setBigUint64(40, BigInt(controlLength), true);
  return at;
}

/** A connection to the unix socket at `path` whose calls block, but no longer than `timeLimitMs`. -errno if there is none. */
export function connectUnix(path: string, timeLimitMs: number): number {
  const fd = c.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno();
  const time = new BigInt64Array(new SharedArrayBuffer(16));
  time[0] = BigInt(Math.floor(timeLimitMs / 1000));
  time[1] = BigInt((timeLimitMs % 1000) * 1000);
  for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) c.setsockopt(fd, SOL_SOCKET, option, addressOf(time), 16);
  const sockaddr = shared(128);
  const bytes = unixSockaddr(path, false);
  sockaddr.set(bytes);
  if (c.connect(fd, addressOf(sockaddr), bytes.length) === 0) return fd;
  const failure = errno();
  c.close(fd);
  return -failure;
}

/** What one message brought; `descriptors` are this process's own from now on, close-on-exec. */
export interface Received {
  /** Bytes of it, in `into`; 0 at the end of the stream, -errno on failure. */
  readonly length: number;
  readonly descriptors: readonly number[];
}

/** Takes one message off the socket. */
export function receiveDescriptors(fd: number, into: Uint8Array): Received {
  const bytes = shared(into.length);
  control.fill(0);
  const length = c.recvmsg(fd, prepare(bytes, CONTROL_BYTES), MSG_CMSG_CLOEXEC);
  if (length < 0) return { length: -errno(), descriptors: [] };
  into.set(bytes.subarray(0, length));
  return { length, descriptors: descriptorsIn(Number(fields.getBigUint64(40, true))) };
}

function descriptorsIn(controlLength: number): readonly number[] {
  const found: number[] = [];
  for (let at = 0; at + CMSG_HEADER <= controlLength; ) {
    const length = Number(rights.getBigUint64(at, true));
    if (length < CMSG_HEADER) break;
    if (rights.getInt32(at + 8, true) === SOL_SOCKET && rights.getInt32(at + 12, true) === SCM_RIGHTS) {
      for (let i = CMSG_HEADER; i + 4 <= length; i += 4) found.push(rights.getInt32(at + i, true));
    }
    at += (length + 7) & ~7;
  }
  return found;
}

/** Sends one message with descriptors, at most DESCRIPTORS_MOST; they stay open here. Bytes sent, or -errno. */
export function sendDescriptors(fd: number, body: Uint8Array, descriptors: readonly number[]): number {
  const bytes = shared(body.length);
  bytes.set(body);
  const length = CMSG_HEADER + descriptors.length * 4;
  control.fill(0);
  rights.setBigUint64(0, BigInt(length), true);
  rights.setInt32(8, SOL_SOCKET, true);
  rights.setInt32(12, SCM_RIGHTS, true);
  for (const [i, descriptor] of descriptors.entries()) rights.setInt32(CMSG_HEADER + i * 4, descriptor, true);
  const sent = c.sendmsg(fd, prepare(bytes, descriptors.length === 0 ? 0 : (length + 7) & ~7), MSG_NOSIGNAL);
  return sent < 0 ? -errno() : sent;
}

/** The address that a socket is bound to, as a sockaddr; undefined if it is no socket. */
export function boundSockaddr(fd: number): Uint8Array | undefined {
  const words = shared(136);
  const at = addressOf(words);
  new DataView(words.buffer).setUint32(0, 128, true);
  if (c.getsockname(fd, at + 8, at) < 0) return undefined;
  const length = new DataView(words.buffer).getUint32(0, true);
  return words.slice(8, 8 + Math.min(length, 128));
}

/** An int option of a socket; undefined where it has none. */
export function socketOption(fd: number, level: number, option: number): number | undefined {
  const words = shared(16);
  const at = addressOf(words);
  const view = new DataView(words.buffer);
  view.setUint32(0, 4, true);
  return c.getsockopt(fd, level, option, at + 8, at) < 0 ? undefined : view.getInt32(8, true);
}

/** Calls on the descriptor no longer block. */
export function setNonBlocking(fd: number): void {
  c.fcntl(fd, F_SETFL, c.fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
}
