// A server that vanishes from the network with all its connections open: no reset reaches anybody, the check finds nobody, and the
// sessions end all the same. The program and its servers have a network namespace of their own, in which packets are dropped.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { kernelSockets } from "../harness/kernel-sockets.ts";
import { dropPacketsTo, IN_NEW_NETWORK, startInNetworkOf, whyNoNetwork } from "../harness/network-namespace.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { waitFor } from "../harness/wait-for.ts";

const opened = closeAfterEach();
const whyNot = whyNoNetwork();

/** The network is the test's own, so that no port in it can be taken. */
const VICTIM = "127.66.0.1";
const OTHER = "127.66.0.2";
const PORT = 7000;
const ECHO = (address: string): string =>
  `require("node:net").createServer((s) => s.on("error", () => {}).pipe(s)).listen(${PORT}, "${address}")`;

/** The program and two echo servers in a network of their own, six clients with sessions on the first: three quiet, three busy. */
async function busyVictim(words: string) {
  const directory = opened(temporaryDirectory());
  const path = join(directory.path, "frontend.sock");
  const config = `
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 1h
    timeout check 300ms
listen echoes
    bind unix@${path}
    default-server ${words}
    server victim ${VICTIM}:${PORT}
    server other ${OTHER}:${PORT} backup
`;
  const program = opened(await Program.start({ config, shellBefore: IN_NEW_NETWORK }));
  for (const address of [VICTIM, OTHER]) {
    const server = startInNetworkOf(program.pid, process.execPath, ["-e", ECHO(address)]);
    opened({ close: () => server.kill("SIGKILL") });
    await waitFor(
      () => kernelSockets(PORT, program.pid).some((s) => s.localAddress === address && s.state === "LISTEN"),
      `${address} to listen`,
    );
  }
  const row = async (server: string) => statRow(await program.stat(), "echoes", server);
  for (const server of ["victim", "other"]) {
    await waitFor(async () => /^(UP|no check)$/.test((await row(server)).status!), `${server} to be up`);
  }
  const clients = await Promise.all(Array.from({ length: 6 }, () => Client.open({ path })));
  for (const client of clients) opened(client);
  await Promise.all(clients.map((client) => client.roundTrip("hello")));
  for (const client of clients.slice(0, 3)) client.pingPong(Buffer.alloc(1024, "busy "));
  const toVictim = () =>
    kernelSockets(PORT, program.pid).filter(
      ({ remoteAddress, remotePort, state }) =>
        remoteAddress === VICTIM && remotePort === PORT && state !== "SYN_SENT" && state !== "TIME_WAIT",
    );
  expect(toVictim().length).toBeGreaterThanOrEqual(clients.length);
  return { program, path, row, clients, toVictim };
}

describe.skipIf(whyNot !== "")(`a pulled cable${whyNot}`, () => {
  it("busy and idle sessions end when the check says L4TOUT, and the next ones go to another server", async () => {
    const check = "check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions";
    const { program, path, row, clients, toVictim } = await busyVictim(check);
    dropPacketsTo(program.pid, VICTIM);
    let left: unknown;
    await waitFor(
      async () => {
        const text = await program.runtime("show stat", { atAnswer: () => (left = toVictim()) });
        return /^echoes,victim,(.*,)?DOWN,/m.test(text);
      },
      () => "the victim to be down",
    );
    // What is left of a check that was never answered is in SYN_SENT.
    expect(left).toEqual([]);
    expect((await row("victim")).check_status).toMatch(/^(\* )?L4TOUT$/);
    for (const client of clients) await client.waitForEnd();
    const late = opened(await Client.open({ path }));
    await late.roundTrip("to the other");
    expect((await row("other")).stot).toBe("1");
  });

  it.each(["", "idle 50ms deadline 500ms", "over 300ms"])("an eviction of it leaves nothing: '%s'", async (words) => {
    const { program, clients, toVictim } = await busyVictim("weight 1");
    dropPacketsTo(program.pid, VICTIM);
    let left: unknown;
    const command = `evict server echoes/victim ${words} json`;
    const receipt = JSON.parse(await program.runtime(command, { atAnswer: () => (left = toVictim()) }));
    expect(left).toEqual([]);
    expect(receipt).toMatchObject({ outcome: "done", verified: true, matched: 6, survivors: 0, kernel: { own: 0 } });
    for (const client of clients) await client.waitForEnd();
  });
});
