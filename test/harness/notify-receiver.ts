// What a service manager hears: a unix datagram socket, by libc, since Node has none.

import { join } from "node:path";
import { unixSockaddr } from "../../src/base/address.ts";
import { AF_UNIX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from "../../src/sys/constants.ts";
import { c } from "../../src/sys/libc.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { waitFor } from "./wait-for.ts";

const BYTES_MOST = 4096;

export class NotifyReceiver {
  /** For NOTIFY_SOCKET. */
  readonly path: string;
  /** Lines of all messages so far, in order. */
  readonly #lines: string[] = [];
  readonly #fd: number;
  readonly #bytes = new Uint8Array(new SharedArrayBuffer(BYTES_MOST));
  readonly #directory = temporaryDirectory();

  constructor() {
    this.path = join(this.#directory.path, "notify");
    this.#fd = c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr = unixSockaddr(this.path, false);
    if (this.#fd < 0 || c.bind(this.#fd, sockaddr, sockaddr.length) < 0) throw new Error(`cannot bind ${this.path}`);
  }

  /** All lines so far. */
  lines(): readonly string[] {
    const at = c.memmoveAddress(this.#bytes, this.#bytes, 0);
    for (;;) {
      const length = c.recv(this.#fd, at, BYTES_MOST, MSG_DONTWAIT);
      if (length < 0) return this.#lines;
      this.#lines.push(...Buffer.from(this.#bytes.slice(0, length)).toString().split("\n"));
    }
  }

  /** Waits for a line, and gives it. */
  waitForLine(pattern: RegExp): Promise<string> {
    return waitFor(
      () => this.lines().find((line) => pattern.test(line)),
      () => `the service manager to be told ${pattern}; it was told ${this.#lines.join(" ")}`,
    );
  }

  close(): void {
    c.close(this.#fd);
    this.#directory.close();
  }
}
