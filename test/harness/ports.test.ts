// The ports of tests: refused while held, served while somebody listens, and nobody else's.

import { createServer, type Server } from "node:net";
import { describe, expect, it } from "vitest";
import { Client } from "./client.ts";
import { freePort, loopbackAddress } from "./ports.ts";
import { waitFor } from "./wait-for.ts";

const listening = (host: string, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end());
    server.once("error", reject).listen({ host, port }, () => resolve(server));
  });
const closed = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve));

async function refused(host: string, port: number): Promise<boolean> {
  const client = new Client({ host, port });
  await waitFor(() => client.errorCode ?? client.received.ended, "the connection to be refused or taken");
  client.close();
  return client.errorCode === "ECONNREFUSED";
}

describe("a port that a test holds", () => {
  it.each([loopbackAddress(1), "::1"])(
    "refuses, but while somebody listens on it by its number (%s)",
    async (address) => {
      const port = freePort(address);
      expect(await refused(address, port)).toBe(true);
      const server = await listening(address, port);
      expect(await refused(address, port)).toBe(false);
      await closed(server);
      expect(await refused(address, port)).toBe(true);
    },
  );

  it("is given to nobody whose port the kernel chooses", async () => {
    // The kernel chooses among some thousands: were they not held, dozens would come again.
    const address = loopbackAddress(7);
    const held = new Set(Array.from({ length: 500 }, () => freePort(address)));
    expect(held.size).toBe(500);
    const servers = await Promise.all(Array.from({ length: 500 }, () => listening(address, 0)));
    const taken = servers.map((server) => (server.address() as { readonly port: number }).port);
    expect(taken.filter((port) => held.has(port))).toEqual([]);
    await Promise.all(servers.map(closed));
  });
});
