import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { EIO, ENOENT } from "./constants.ts";
import { procConnections } from "./proc-net-tcp.ts";
import { destroyConnection, listConnections, socketCookie } from "./sock-diag.ts";
import { ownDescriptors, ownersOf, socketInode } from "./socket-owners.ts";

const FLOOD = Buffer.alloc(16 << 20);
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server at `host`, and `count` clients of it. */
async function start(host: string, clientHost: string, count: number) {
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => {});
    accepted.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const clients: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const client = connect({ host: clientHost, port, allowHalfOpen: true });
    client.on("error", () => {});
    clients.push(client);
    await new Promise((resolve) => client.once("connect", resolve));
  }
  await waitFor(() => accepted.length === count, "the server to accept");
  closers.push(() => {
    for (const socket of [...clients, ...accepted]) socket.destroy();
    server.close();
  });
  return { port, clients, accepted };
}

/** The kernel can be asked here. */
const listed = async (host: string, port: number, viaProc?: boolean) => (await listConnections(host, port, viaProc))!;

it("a table that cannot be read is not an empty one", () => {
  const directory = mkdtempSync(join(tmpdir(), "proc-net-"));
  closers.push(() => rmSync(directory, { recursive: true }));
  expect(procConnections(80, directory)).toBeUndefined();
  writeFileSync(join(directory, "tcp"), "header\n");
  // A kernel without IPv6 has no table for it.
  expect(procConnections(80, directory)).toEqual([]);
  mkdirSync(join(directory, "tcp6"));
  expect(procConnections(80, directory)).toBeUndefined();
});

describe.each([
  ["netlink", false],
  ["/proc", true],
] as const)("connections to an address, by %s", (_, viaProc) => {
  it.each([
    ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
    ["::1", "::1", "::1"],
    // An IPv6 socket that is connected over IPv4.
    ["127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1"],
  ])("%s from %s: near ends, states, queues, inodes", async (host, clientHost, shown) => {
    const { port, clients, accepted } = await start(host, clientHost, 3);
    await start(host, host, 2); // Somebody else's.
    const [reader, writer, closer] = clients;
    const peerOf = (client: Socket): Socket => accepted.find((socket) => socket.remotePort === client.localPort)!;
    reader!.pause();
    peerOf(reader!).write(FLOOD);
    writer!.write(FLOOD);
    closer!.end();
    const list = () => listed(host, port, viaProc);
    const of = async (client: Socket) => (await list()).find((c) => c.localPort === client.localPort)!;
    // Node takes in some before it stops reading.
    await waitFor(async () => (await of(reader!)).unreadBytes > 65_536, "unread bytes");
    await waitFor(async () => (await of(writer!)).unsentBytes > 0, "bytes that are not acknowledged");
    await waitFor(async () => (await of(closer!)).state === "FIN_WAIT2", "a half-close");
    expect((await list()).map((c) => c.localPort).sort()).toEqual(clients.map((client) => client.localPort!).sort());
    for (const connection of await list()) {
      expect(connection).toMatchObject({ localHost: shown, remoteHost: shown, remotePort: port });
      expect(ownDescriptors().map(socketInode)).toContain(connection.inode);
      expect(connection.identity === undefined).toBe(viaProc);
      if (!viaProc) expect(ownDescriptors().map(socketCookie)).toContain(connection.cookie);
    }
    expect(await of(closer!)).toMatchObject({ unreadBytes: 0, unsentBytes: 0 });
    expect(await of(writer!)).toMatchObject({ unreadBytes: 0, state: "ESTABLISHED" });
    expect(await of(reader!)).toMatchObject({ unsentBytes: 0, state: "ESTABLISHED" });
  });

  it("what has ended is gone, also while the other end waits", async () => {
    const { port, clients } = await start("127.0.0.1", "127.0.0.1", 2);
    for (const client of clients) client.resetAndDestroy();
    await waitFor(async () => (await listed("127.0.0.1", port, viaProc)).length === 0, "the list to be empty");
    expect(await listed("127.0.0.2", port, viaProc)).toEqual([]);
  });
});

describe("the end of a connection by the kernel", () => {
  it("the one that is named ends with a reset, the others stay", async () => {
    const { port, clients } = await start("127.0.0.1", "127.0.0.1", 3);
    const [first] = await listed("127.0.0.1", port);
    const errors: string[] = [];
    for (const client of clients) {
      client.resume();
      const { localPort } = client;
      client.on("error", (error: NodeJS.ErrnoException) => errors.push(`${localPort} ${error.code}`));
    }
    const local = first!.localPort;
    const result = await destroyConnection(first!);
    // Without CAP_NET_ADMIN the kernel says so, and nothing ends.
    if (process.getuid!() !== 0) {
      expect(result).toBeLessThan(0);
      expect(await listed("127.0.0.1", port)).toHaveLength(3);
      return;
    }
    expect(result).toBe(0);
    expect((await listed("127.0.0.1", port)).map((c) => c.localPort)).not.toContain(local);
    expect(await listed("127.0.0.1", port)).toHaveLength(2);
    await waitFor(() => errors.length > 0, "its holder to hear of it");
    expect(errors).toEqual([`${local} ECONNABORTED`]);
    expect(await destroyConnection(first!)).toBe(-ENOENT);
  });

  it("is refused for a connection that /proc has told of", async () => {
    const { port } = await start("127.0.0.1", "127.0.0.1", 1);
    const [first] = await listed("127.0.0.1", port, true);
    expect(await destroyConnection(first!)).toBe(-EIO);
  });
});

describe("holders", () => {
  it("are found by inode, with pid and name", async () => {
    const { port, clients } = await start("127.0.0.1", "127.0.0.1", 1);
    const child = spawn("sleep", ["60"], { stdio: [clients[0]! as never, "ignore", "ignore"] });
    closers.push(() => child.kill("SIGKILL"));
    clients[0]!.destroy();
    // Once it runs its program, and we have let go of ours.
    await waitFor(
      () => execFileSync("ps", ["-o", "comm=", "-p", `${child.pid}`], { encoding: "utf8" }).trim() === "sleep",
      "sleep",
    );
    await waitFor(async () => {
      const inodes = new Set((await listed("127.0.0.1", port)).map((c) => c.inode));
      const [owner] = (await ownersOf(inodes)).values();
      return owner?.pid === child.pid && owner?.process === "sleep";
    }, "the child to be the only holder");
  });

  it("nobody holds what is not there", async () => {
    expect((await ownersOf(new Set([1]))).size).toBe(0);
    expect(socketInode(2 ** 22 + 1)).toBe(0);
    expect(socketInode(1 << 30)).toBe(0);
    expect(socketCookie(1 << 30)).toBe(0);
  });
});
