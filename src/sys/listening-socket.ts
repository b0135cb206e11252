// What a listening socket that is about to be closed can be asked and told, so that no client is lost: no new ones, how many wait. And
// two sockets on one port for a moment. Control thread.

import { IPPROTO_TCP, SO_ATTACH_FILTER, SO_REUSEPORT, SOL_SOCKET, TCP_INFO } from "./constants.ts";
import { c, errno } from "./libc.ts";

const words = new Int32Array(new SharedArrayBuffer(256));
const addressOf = (view: ArrayBufferView): number => c.memmoveAddress(view, view, 0);

/** Lets other sockets of this user bind to addresses that overlap this one's, or no longer. 0, or -errno. */
export function allowOverlap(fd: number, allowed: boolean): number {
  words[0] = allowed ? 1 : 0;
  return c.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, addressOf(words), 4) < 0 ? -errno() : 0;
}

/**
 * Classic BPF, run on TCP headers: a segment that begins a connection (SYN without ACK) is dropped, so that its sender repeats it; all
 * others pass. Instructions of 8 bytes: code, jumps if true and false, operand.
 */
const SYN_FILTER = [
  [0x30, 0, 0, 13], // load the byte with the flags
  [0x54, 0, 0, 0x12], // keep SYN and ACK
  [0x15, 0, 1, 0x02], // SYN alone?
  [0x06, 0, 0, 0], // drop
  [0x06, 0, 0, 0xffffffff], // take it all
] as const;

const program = new DataView(new SharedArrayBuffer(SYN_FILTER.length * 8));
SYN_FILTER.forEach(([code, jumpTrue, jumpFalse, operand], i) => {
  program.setUint16(i * 8, code, true);
  program.setUint8(i * 8 + 2, jumpTrue);
  program.setUint8(i * 8 + 3, jumpFalse);
  program.setUint32(i * 8 + 4, operand, true);
});

/** From now on no connection begins on a TCP socket; those that began go on. Clients that come repeat their SYN. 0, or -errno. */
export function refuseNewConnections(fd: number): number {
  // struct sock_fprog: the length, and behind padding the address.
  const fprog = new DataView(new SharedArrayBuffer(16));
  fprog.setUint16(0, SYN_FILTER.length, true);
  fprog.setBigUint64(8, BigInt(addressOf(program)), true);
  return c.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, addressOf(fprog), 16) < 0 ? -errno() : 0;
}

/** tcpi_unacked: of a listening socket, how many connections wait to be accepted. */
const INFO_UNACKED = 6;
const INFO_BYTES = 104;

/** Connections that wait to be accepted on a TCP socket, or -errno. */
export function acceptQueueLength(fd: number): number {
  const length = words.length - 1;
  words[length] = INFO_BYTES;
  const address = addressOf(words);
  return c.getsockopt(fd, IPPROTO_TCP, TCP_INFO, address, address + length * 4) < 0 ? -errno() : words[INFO_UNACKED];
}
