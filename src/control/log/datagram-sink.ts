// Syslog by datagram: UDP or a unix socket, through libc. Control thread. Every send is non-blocking; what the kernel does
// not take is dropped. One socket for each address family, opened at the first message, shared by all sinks.

import { AF_UNIX, ENOENT, MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_DGRAM } from "../../sys/constants.ts";
import { c, errno, errorText } from "../../sys/libc.ts";
import type { LogSink } from "./sink.ts";

/** The process's sockets for sending datagrams. */
export class DatagramSockets {
  private readonly fds = new Map<number, number>();

  /** A socket of the family, or -errno. */
  socketOf(family: number): number {
    const open = this.fds.get(family);
    if (open !== undefined) return open;
    const fd = c.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // A refusal (no descriptor left, say) is not remembered: the next message tries again.
    if (fd < 0) return -errno();
    this.fds.set(family, fd);
    return fd;
  }

  close(): void {
    for (const fd of this.fds.values()) c.close(fd);
    this.fds.clear();
  }
}

export class DatagramSink implements LogSink {
  readonly name: string;
  private readonly sockets: DatagramSockets;
  private readonly address: Uint8Array;

  /** `address`: a sockaddr. A unix socket need not exist yet: each message tries again. */
  constructor(name: string, address: Uint8Array, sockets: DatagramSockets) {
    this.name = name;
    this.sockets = sockets;
    this.address = address;
  }

  send(bytes: Buffer, length: number): string | undefined {
    const family = this.address[0];
    const fd = this.sockets.socketOf(family);
    if (fd < 0) return errorText(-fd);
    const sent = c.sendtoBytes(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, this.address, this.address.length);
    if (sent >= 0) return undefined;
    const code = errno();
    return family === AF_UNIX && code === ENOENT ? "no such socket" : errorText(code);
  }

  async close(): Promise<void> {}
}

/** A target whose host name could not be resolved: every message is dropped with the reason. */
export class UnreachableSink implements LogSink {
  readonly name: string;
  private readonly reason: string;

  constructor(name: string, reason: string) {
    this.name = name;
    this.reason = reason;
  }

  send(): string {
    return this.reason;
  }

  async close(): Promise<void> {}
}
