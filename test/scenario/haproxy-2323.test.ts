// haproxy-2323: maintenance, cut and `del server` on one line while clients reconnect all the time. And haproxy-2298: a server is
// deleted while sessions refer to it.

import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { EchoThread } from "../harness/echo-thread.ts";
import { acceptQueueLength, survivingConnections } from "../harness/kernel-sockets.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, source, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { ReconnectingCrowd } from "./reconnecting-crowd.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

describe.each([1, 2])("under load, %i thread(s)", (threads) => {
  it("haproxy-2323: disable, cut, wait and delete on one line succeed first time, again and again", async () => {
    const a = opened(await EchoThread.start());
    const b = opened(await EchoThread.start());
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: simpleConfig({ port, threads, servers: [`a ${a.endpoint}`, `b ${b.endpoint}`] }),
      }),
    );
    const crowd = opened(new ReconnectingCrowd({ host: FRONTEND_ADDRESS, port }, 500));
    for (let round = 0; round < 5; round++) {
      const before = crowd.answers;
      const servedBefore = a.accepted;
      await waitFor(() => a.accepted > servedBefore + 50, "clients on the server that will go");
      await waitFor(() => crowd.answers > before + 500, "traffic");

      let surviving: unknown;
      expect(await program.runtime("disable server be/a")).toBe("\n");
      await program.runtime("shutdown sessions server be/a", {
        atAnswer: () => (surviving = survivingConnections(program.pid, a.address, a.port)),
      });
      expect(surviving, `round ${round}`).toEqual([]);
      expect((await program.sessions()).filter((s) => s.srv === "a")).toEqual([]);
      expect(
        await program.runtime("shutdown sessions server be/a; wait 100ms srv-removable be/a; del server be/a"),
      ).toBe("\nDone.\n\nServer deleted.\n\n");
      // What was cut before the server's own process came to accept it is not a new connection.
      await waitFor(() => acceptQueueLength(a.address, a.port) === 0, "the server to have accepted all");
      const reached = a.accepted;
      const later = crowd.answers;
      await waitFor(() => crowd.answers > later + 500, "traffic while there is one server");
      expect(a.accepted, "no connection reaches a deleted server").toBe(reached);

      const added = await program.runtime(`add server be/a ${a.endpoint}; enable server be/a`);
      expect(added).toBe("New server registered.\n\n\n");
    }
    expect(crowd.refused).toBe(0);
    crowd.close();
    await waitFor(async () => (await program.sessions()).length === 0, "all sessions to be gone");
    expect(await program.counter("be", "BACKEND", "scur")).toBe(0);
    expect(await program.counter("fe", "FRONTEND", "scur")).toBe(0);
    expect((await program.info()).CurrConns).toBe("0");
  });

  it("haproxy-2323: the whole procedure on one line", async () => {
    const a = opened(await EchoThread.start());
    const b = opened(await EchoThread.start());
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: simpleConfig({ port, threads, servers: [`a ${a.endpoint}`, `b ${b.endpoint}`] }),
      }),
    );
    opened(new ReconnectingCrowd({ host: FRONTEND_ADDRESS, port }, 100));
    for (let round = 0; round < 5; round++) {
      const servedBefore = a.accepted;
      await waitFor(() => a.accepted > servedBefore + 50, "clients on the server that will go");
      const line = "disable server be/a; shutdown sessions server be/a; del server be/a";
      expect(await program.runtime(line), `round ${round}`).toBe("\n\nServer deleted.\n\n");
      await program.runtime(`add server be/a ${a.endpoint}; enable server be/a`);
    }
  });

  it("haproxy-2298: a server that sessions refer to is not deleted, and nothing of it dangles once it is", async () => {
    const log = opened(await LogReceiver.start());
    const a = opened(await Upstream.start(echo));
    const b = opened(await Upstream.start(source));
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: simpleConfig({
          port,
          threads,
          global: [`log ${log.endpoint} local0`],
          frontend: ["log global", "option tcplog"],
          servers: [`a ${a.endpoint}`],
        }),
      }),
    );
    const clients = (await openClients(4, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("hello")));

    expect(await program.runtime("del server be/a")).toBe("Only servers in maintenance mode can be deleted.\n\n");
    const refused = "Server still has connections attached to it, cannot remove it.\n\n";
    expect(await program.runtime("disable server be/a; del server be/a")).toBe(`\n${refused}`);
    await Promise.all(clients.map((client) => client.roundTrip("still served")));
    clients[0]!.close();
    clients[1]!.reset();
    clients[2]!.halfClose();
    await waitFor(async () => (await program.sessions()).length === 1, "three sessions to be gone");
    expect(await program.runtime("del server be/a")).toBe(refused);
    expect(await program.runtime("shutdown sessions server be/a; del server be/a")).toBe("\nServer deleted.\n\n");
    expect(await program.runtime("shutdown sessions server be/a")).toBe("No such server.\n\n");
    await clients[3]!.waitForEnd();

    // The name in the records is the one that the sessions had, and the same name can come back as another server.
    for (const client of clients) expect((await log.waitForSession(client.local)).server).toBe("a");
    expect(await program.runtime(`add server be/a ${b.endpoint}; enable server be/a`)).toBe(
      "New server registered.\n\n\n",
    );
    const next = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await waitFor(() => next.received.bytes > 1_000_000, "bytes from the new server of that name");
    expect(await program.counter("be", "a", "scur")).toBe(1);
    expect(a.openConnections).toEqual([]);
  });
});
