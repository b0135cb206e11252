// The states in which a session can be when it is cut: for each, what the server does, how clients bring a session into it, and
// the proof (from `show sess`, the counters or the kernel's table) that all of them are in it.

import { Client } from "../harness/client.ts";
import { socketBetween, socketsHeldTo } from "../harness/kernel-sockets.ts";
import { FRONTEND_ADDRESS } from "../harness/ports.ts";
import type { Program } from "../harness/program.ts";
import { SERVER_SIDE } from "../harness/show.ts";
import { BlackHole, echo, halfCloser, refuser, silent, sink, source, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Where the sessions are brought into a state: one frontend, one backend with one server "victim". */
export interface CutStage {
  readonly program: Program;
  readonly port: number;
  readonly backend: string;
  /** How many sessions. */
  readonly count: number;
  readonly victim: Victim;
}

/** The server that is cut. `upstream` where it is one that accepts. */
export interface Victim {
  readonly address: string;
  readonly port: number;
  readonly endpoint: string;
  readonly upstream?: Upstream;
  close?(): Promise<void>;
}

export interface CutState {
  readonly name: string;
  /** Lines of the victim's backend. */
  readonly backend?: readonly string[];
  /** Words of the victim's server line. */
  readonly serverWords?: string;
  startVictim(): Promise<Victim>;
  /** Opens the clients and resolves once every session is in the state. */
  enter(stage: CutStage): Promise<Client[]>;
  /** Whether bytes of the client may lie unread in the balancer: closing then resets, and the client may see either. */
  readonly clientMaySeeReset?: boolean;
  /** The client does not read, so it learns of the end only when it does. */
  readonly clientReadsLater?: boolean;
}

async function accepting(behaviour: Parameters<typeof Upstream.start>[0]): Promise<Victim> {
  const upstream = await Upstream.start(behaviour);
  return {
    address: upstream.address,
    port: upstream.port,
    endpoint: upstream.endpoint,
    upstream,
    close: () => upstream.close(),
  };
}

async function openEstablished(stage: CutStage, paused = false): Promise<Client[]> {
  const options = { host: FRONTEND_ADDRESS, port: stage.port, paused };
  const clients = await Promise.all(Array.from({ length: stage.count }, () => Client.open(options)));
  await stage.victim.upstream!.waitForConnections(stage.count);
  await waitFor(
    () => {
      const held = socketsHeldTo(stage.program.pid, stage.victim.address, stage.victim.port);
      return held.filter((s) => s.state === "ESTABLISHED" || s.state === "CLOSE_WAIT").length === stage.count;
    },
    () => `${stage.count} connections of the program to the server`,
  );
  return clients;
}

/** The balancer's sockets to all clients have bytes to send and no window to send them into; the servers' likewise. */
async function waitUntilBlockedTowardsClients(stage: CutStage, clients: readonly Client[]): Promise<void> {
  const frontend = { address: FRONTEND_ADDRESS, port: stage.port };
  const server = { address: stage.victim.address, port: stage.victim.port };
  await waitFor(
    () =>
      clients.every((client) => socketBetween(frontend, client.local)?.windowClosed) &&
      stage.victim.upstream!.connections.every((c) => socketBetween(server, c.peer)?.windowClosed),
    "all buffers between the servers and the clients to be full",
  );
}

async function waitUntilBlockedTowardsServer(stage: CutStage, clients: readonly Client[]): Promise<void> {
  const frontend = { address: FRONTEND_ADDRESS, port: stage.port };
  await waitFor(() => {
    const held = socketsHeldTo(stage.program.pid, stage.victim.address, stage.victim.port);
    return (
      held.length === stage.count &&
      held.every((s) => s.windowClosed) &&
      clients.every((client) => socketBetween(client.local, frontend)?.windowClosed)
    );
  }, "all buffers between the clients and the server to be full");
}

async function waitForServerSide(stage: CutStage, state: number): Promise<void> {
  let last = "";
  await waitFor(
    async () => {
      const sessions = await stage.program.sessions();
      last = sessions.map((s) => s.line).join("\n");
      return sessions.filter((s) => s.be === stage.backend && s.serverSide === state).length === stage.count;
    },
    () => `${stage.count} sessions with scb=[${state}, there are:\n${last}`,
  );
}

export const CUT_STATES: readonly CutState[] = [
  {
    name: "connecting, SYN unanswered",
    startVictim: () => BlackHole.start(),
    async enter(stage) {
      const options = { host: FRONTEND_ADDRESS, port: stage.port };
      const clients = await Promise.all(Array.from({ length: stage.count }, () => Client.open(options)));
      await waitFor(() => {
        const held = socketsHeldTo(stage.program.pid, stage.victim.address, stage.victim.port);
        return held.filter((s) => s.state === "SYN_SENT").length === stage.count;
      }, `${stage.count} connections in SYN_SENT`);
      return clients;
    },
  },
  {
    name: "turn-around, server refuses",
    backend: ["retries 1000"],
    startVictim: () => refuser(),
    async enter(stage) {
      const options = { host: FRONTEND_ADDRESS, port: stage.port };
      const clients = await Promise.all(Array.from({ length: stage.count }, () => Client.open(options)));
      await waitForServerSide(stage, SERVER_SIDE.turnAround);
      return clients;
    },
  },
  {
    name: "established, idle",
    startVictim: () => accepting(silent),
    enter: (stage) => openEstablished(stage),
  },
  {
    name: "busy both ways",
    startVictim: () => accepting(echo),
    clientMaySeeReset: true,
    async enter(stage) {
      const clients = await openEstablished(stage);
      for (const client of clients) client.pingPong(Buffer.alloc(4096, "busy "), 8);
      await waitFor(() => clients.every((c) => c.received.bytes > 256 * 1024), "traffic in all sessions");
      return clients;
    },
  },
  {
    name: "blocked towards the client",
    startVictim: () => accepting(source),
    clientReadsLater: true,
    async enter(stage) {
      const clients = await openEstablished(stage, true);
      await waitUntilBlockedTowardsClients(stage, clients);
      return clients;
    },
  },
  {
    name: "blocked towards the server",
    startVictim: () => accepting(sink),
    clientMaySeeReset: true,
    async enter(stage) {
      const clients = await openEstablished(stage);
      for (const client of clients) client.flood();
      await waitUntilBlockedTowardsServer(stage, clients);
      return clients;
    },
  },
  {
    name: "spliced, bytes in the pipe",
    backend: ["option splice-auto"],
    startVictim: () => accepting(source),
    clientReadsLater: true,
    async enter(stage) {
      const clients = await openEstablished(stage);
      // A stream that runs out of room in the wrong moment stops with its bytes in a buffer: then it goes on, and stops again.
      await waitFor(async () => {
        const streamed = clients.map((client) => client.received.bytes);
        for (const client of clients) client.resume();
        await waitFor(() => clients.every((c, i) => c.received.bytes > streamed[i]! + 4_000_000), "streams under way");
        for (const client of clients) client.socket.pause();
        await waitUntilBlockedTowardsClients(stage, clients);
        return Number((await stage.program.info()).PipesUsed) >= stage.count / 2;
      }, "at least half of the sessions to be blocked with bytes in a pipe");
      return clients;
    },
  },
  {
    name: "half closed by the client",
    startVictim: () => accepting(silent),
    async enter(stage) {
      const clients = await openEstablished(stage);
      for (const client of clients) client.halfClose();
      await waitFor(
        () => stage.victim.upstream!.connections.every((c) => c.received.endings[0] === "fin"),
        "the server to see every client's FIN",
      );
      return clients;
    },
  },
  {
    name: "half closed by the server",
    startVictim: () => accepting(halfCloser),
    async enter(stage) {
      const clients = await openEstablished(stage);
      await waitFor(
        () => clients.every((c) => c.received.endings[0] === "fin"),
        "every client to see the server's FIN",
      );
      return clients;
    },
  },
];
