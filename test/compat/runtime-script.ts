// What the differential test types into both programs, in order: every command, its errors, and both kinds of sessions meanwhile.

import { Client } from "../harness/client.ts";
import type { Program } from "../harness/program.ts";
import { waitFor } from "../harness/wait-for.ts";

/** One program under test, and where its frontends are. */
export interface Side {
  readonly program: Program;
  readonly host: string;
  readonly ports: Readonly<Record<"fe" | "li" | "ends" | "waits" | "bored", number>>;
  readonly clients: Client[];
}

/** A line, or something that happens between lines, the same on both sides. */
export type Step = string | { readonly name: string; readonly run: (side: Side) => Promise<void> };

const line = (name: string, run: (side: Side) => Promise<void>): Step => ({ name, run });

async function openClients(side: Side, port: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) side.clients.push(await Client.open({ host: side.host, port }));
}

async function sessionsInState(side: Side, backend: string, state: number, count: number): Promise<void> {
  let last = "";
  await waitFor(
    async () => {
      const sessions = await side.program.sessions();
      last = sessions.map((session) => session.line).join("\n");
      return sessions.filter((session) => session.be === backend && session.serverSide === state).length === count;
    },
    () => `${count} sessions of ${backend} in state ${state}:\n${last}`,
  );
}

const ESTABLISHED = 8;
const QUEUED = 2;
const TURN_AROUND = 3;

/** One client of the server that ends sessions; `during`: what it does first. */
async function endedByServer(
  side: Side,
  backend: "ends" | "bored",
  during?: (client: Client) => Promise<void>,
): Promise<void> {
  const client = await Client.open({ host: side.host, port: side.ports[backend] });
  await during?.(client);
  await client.waitForEnd();
  client.close();
  await sessionsInState(side, backend, ESTABLISHED, 0);
}

export const SCRIPT: readonly Step[] = [
  // Nothing has happened yet.
  "show info",
  "show info typed",
  "show info json",
  "show stat",
  "show stat typed",
  "show stat json",
  "show sess",
  "show servers state",
  "show servers state be",
  "show servers state nope",
  "show servers conn be",
  "show servers conn nope",
  "show backend",
  "show cli level",
  "show cli sockets",
  "show env HEADGATE_COMPAT",
  "show env HEADGATE_COMPAT_NOT_SET",
  "show version",

  // The connection.
  "",
  "; ;",
  "operator; show cli level; disable server be/s1; user; show cli level; operator; show cli level",
  "user; shutdown frontend fe; get weight be/s1; show env",
  "quit; show cli level",
  "set timeout",
  "set timeout cli",
  "set timeout cli abc",
  "set timeout cli 0",
  "set timeout cli 10s",
  "set timeout foo",
  "set severity-output",
  "set severity-output string; disable server nope; disable server be/nope; get weight be/s1; show backend",
  "set severity-output number; disable server be/nope; set server be/s1 state ready",
  "show cli level <<\nfoo\n",

  // Commands that are none.
  "nope",
  "show",
  "set",
  "shutdown",
  "disable",
  "disable nope",
  "set maxconn",
  "clear",
  "add",
  "del nope",
  "shutdown sessions",
  "help",

  // Selections of show stat.
  "show stat be 4 1",
  "show stat be 4",
  "show stat nope 4 1",
  "show stat 3 4 -1",
  "show stat 77 4 -1",
  "show stat -1 1 -1",
  "show stat be 7 -1 up",
  "show stat be 7 -1 no-maint",
  "show stat domain nope",
  "show stat be 2 -1 typed",
  "show stat be 4 7 json",

  // Weights, states, limits, addresses.
  "get weight",
  "get weight be",
  "get weight be/",
  "get weight be/nope",
  "get weight nope/s1",
  "get weight be/s1",
  "get weight #3/#1",
  "set weight be/s1",
  "set weight be/s1 7",
  "set weight be/s1 50%",
  "set weight be/s1 300%",
  "set weight be/s1 -5%",
  "set weight be/s1 0",
  "show stat be 7 -1",
  "set server be/s1 weight",
  "set server be/s1 weight abc",
  "set server be/s1 weight 3x",
  "set server be/s1 weight 257",
  "set server be/s1 weight -1",
  "set server be/s1 weight 10",
  "get weight be/s1",
  "set server",
  "set server be",
  "set server nope/s1 state ready",
  "set server be/nope state ready",
  "set server be/s1",
  "set server be/s1 nope",
  "set server be/s1 state",
  "set server be/s1 state nope",
  "set server be/s1 state drain",
  "show stat be 4 -1",
  "show servers state be",
  "set server be/s1 state maint",
  "show stat be 7 -1",
  "show servers state be",
  "set server be/s1 state drain",
  "show servers state be",
  "enable server be/s1",
  "disable server be/s1; disable server be/s1; show servers state be; enable server be/s1; enable server be/s1",
  "enable server be/s2",
  "show servers state be",
  "show stat be 7 -1",
  "disable server be/s2",
  "show servers state be",
  "enable server",
  "disable server be/nope",
  "set maxconn server",
  "set maxconn server be/s1",
  "set maxconn server be/s1 abc",
  "set maxconn server be/s1 5x",
  "set maxconn server be/s1 2",
  "set server be/s1 addr",
  "set server be/s1 addr nope",
  "set server be/s2 addr 127.0.0.2",
  "set server be/s2 addr 127.0.0.2",
  "set server be/s2 addr 127.0.0.2 port",
  "set server be/s2 addr 127.0.0.2 port abc",
  "set server be/s2 addr 127.0.0.3 port 999",
  "set server be/s2 addr 127.0.0.3 port 1000",
  "set server be/s2 addr ::1 port 1000",
  "set server be/s2 addr ::1 port 1000",
  "show servers state be",
  "set server local/u addr 127.0.0.1",
  "show servers conn local",

  // Servers added and deleted.
  "add server",
  "add server be",
  "add server be/n1",
  "add server nope/n1 127.0.0.1:80",
  "add server be/s1 127.0.0.1:80",
  "add server be/n1 127.0.0.1:80 nope",
  "add server be/n1 127.0.0.1:80 id 1",
  "add server be/n1 127.0.0.1:80 weight 3 maxconn 5",
  "add server be/n2 127.0.0.1:81 id 99",
  "show servers state be",
  "show stat be 4 -1",
  "del server",
  "del server be/nope",
  "del server be/s1",
  "del server be/n1",
  "del server be/n1",
  "del server be/n2",
  "show servers state be",

  // Sessions: two established, one in the queue; one that cannot connect.
  line("two clients of fe", async (side) => {
    await openClients(side, side.ports.fe, 2);
    await sessionsInState(side, "be", ESTABLISHED, 2);
    await Promise.all(side.clients.map((client) => client.roundTrip("hello")));
  }),
  "disable server be/s1",
  "del server be/s1",
  "enable server be/s1",
  line("a third one, which is too many for s1", async (side) => {
    await openClients(side, side.ports.fe, 1);
    await sessionsInState(side, "be", QUEUED, 1);
  }),
  line("one client of li, whose server refuses", async (side) => {
    await openClients(side, side.ports.li, 1);
    await sessionsInState(side, "li", TURN_AROUND, 1);
  }),
  "show sess",
  "show sess all",
  "show stat be 7 -1",
  "show stat fe 1 -1",
  "show servers conn",
  "show info",

  // The end of sessions.
  "shutdown session",
  "shutdown session nope",
  "shutdown session 0x1",
  "shutdown session 1",
  "shutdown sessions server",
  "shutdown sessions server be",
  "shutdown sessions server be/nope",
  "shutdown sessions server nope/s1",
  "shutdown sessions server be/s1",
  "shutdown sessions server li/x",
  line("those with a server are gone, the queued one has its place", async (side) => {
    await sessionsInState(side, "li", TURN_AROUND, 0);
    await sessionsInState(side, "be", QUEUED, 0);
    await sessionsInState(side, "be", ESTABLISHED, 1);
  }),
  "show sess",
  "show stat be 7 -1",
  line("the last one closes", async (side) => {
    for (const client of side.clients) client.close();
    await sessionsInState(side, "be", ESTABLISHED, 0);
  }),
  "show sess",
  "show stat",
  "clear counters",
  "show stat be 7 -1",
  "clear counters all",
  "show stat",
  "show servers conn be",

  // Sessions that a side ends before their time.
  line("a server resets", (side) =>
    endedByServer(side, "ends", async (client) => {
      await sessionsInState(side, "ends", ESTABLISHED, 1);
      client.send("hello");
    }),
  ),
  "show stat ends 7 -1",
  line("a server says nothing", (side) => endedByServer(side, "bored")),
  "show stat bored 7 -1",
  line("one client is served, another waits in vain", async (side) => {
    const served = await Client.open({ host: side.host, port: side.ports.waits });
    await sessionsInState(side, "waits", ESTABLISHED, 1);
    const waiting = await Client.open({ host: side.host, port: side.ports.waits });
    await waiting.waitForEnd();
    waiting.close();
    served.reset();
    await sessionsInState(side, "waits", ESTABLISHED, 0);
  }),
  "show stat waits 7 -1",

  // Frontends and limits.
  "disable frontend",
  "disable frontend nope",
  "disable frontend be",
  "disable frontend fe",
  "disable frontend fe",
  "show stat fe 1 -1",
  line("nobody is let in", async (side) => {
    const refused = new Client({ host: side.host, port: side.ports.fe });
    await waitFor(() => refused.errorCode, "the connection to be refused");
    if (refused.errorCode !== "ECONNREFUSED") throw new Error(`${refused.errorCode}`);
  }),
  "enable frontend",
  "enable frontend nope",
  "enable frontend fe",
  "enable frontend fe",
  "show stat fe 1 -1",
  line("clients are let in again", async (side) => {
    const client = await Client.open({ host: side.host, port: side.ports.fe });
    await client.roundTrip("hello");
    client.close();
    await sessionsInState(side, "be", ESTABLISHED, 0);
  }),
  "set severity-output number; enable frontend fe; disable frontend nope",
  "set maxconn frontend",
  "set maxconn frontend nope 3",
  "set maxconn frontend fe",
  "set maxconn frontend fe -1",
  "set maxconn frontend fe 7",
  "show stat fe 1 -1",
  "show stat be 2 -1",
  "set maxconn global",
  "set maxconn global 1001",
  "set maxconn global 500",
  "show info",
  "set maxconn global 0",
  "show info",

  // A frontend that is closed for good.
  "shutdown frontend",
  "shutdown frontend nope",
  "shutdown frontend be",
  "shutdown frontend fe",
  "shutdown frontend fe",
  "disable frontend fe",
  "enable frontend fe",
  "show stat fe 1 -1",
];
