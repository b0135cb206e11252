// Addresses and ports for tests. Each test process owns loopback addresses of its own (127.x.y.n, from its process id), so that
// a port which the kernel gave out and which was closed again can meet neither another test nor an outgoing connection.

import { createServer } from "node:net";

const high = 1 + ((process.pid >> 8) % 254);
const low = process.pid & 0xff;

/** The `n`th loopback address of this test process, n in 1..254. */
export function loopbackAddress(n: number): string {
  return `127.${high}.${low}.${n}`;
}

/** Frontends listen here unless a test says otherwise. */
export const FRONTEND_ADDRESS = loopbackAddress(1);
/** Upstream servers listen here unless a test says otherwise. */
export const UPSTREAM_ADDRESS = loopbackAddress(2);

const given = new Set<string>();

/** A TCP port that was free on `address` a moment ago; never the same one twice in a process. */
export async function freePort(address: string = FRONTEND_ADDRESS): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.on("error", reject);
      server.listen({ host: address, port: 0 }, () => {
        const bound = server.address();
        server.close(() => resolve(typeof bound === "object" && bound ? bound.port : 0));
      });
    });
    if (!given.has(`${address} ${port}`)) {
      given.add(`${address} ${port}`);
      return port;
    }
  }
  throw new Error(`no free port on ${address}`);
}
