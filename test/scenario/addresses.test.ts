// Every kind of address, on both sides: IPv4, IPv6, unix sockets; several of them in one frontend, and one listen section.

import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";

const opened = closeAfterEach();
const DEFAULTS = `
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 1h
`;

describe.each([1, 2])("addresses, %i thread(s)", (threads) => {
  it("a unix socket in front and a unix socket behind", async () => {
    const directory = opened(temporaryDirectory());
    const front = join(directory.path, "front.sock");
    const upstream = opened(await Upstream.start(echo, { path: join(directory.path, "back.sock") }));
    const program = opened(
      await Program.start({
        config: `global
    nbthread ${threads}
${DEFAULTS}
listen l
    bind unix@${front} mode 600
    server a ${upstream.endpoint}
`,
      }),
    );
    expect(statSync(front).mode & 0o777).toBe(0o600);
    const clients = [];
    for (let i = 0; i < 4; i++) clients.push(opened(await Client.open({ path: front })));
    await Promise.all(clients.map((client) => client.roundTrip("over unix sockets")));
    const sessions = await program.sessions();
    expect(sessions).toHaveLength(4);
    for (const session of sessions) {
      expect(session).toMatchObject({ fe: "l", be: "l", srv: "a" });
      expect(session.line).toMatch(/proto=unix_stream src=unix:\d+ /);
    }
    const shown = await program.runtime(`show sess ${sessions[0]!.id}`);
    expect(shown).toMatch(/^ {2}frontend=l .* addr=unix:1$/m);
    expect(shown).toMatch(/^ {2}backend=l .* addr=unix\n {2}server=a \(id=1\) addr=unix$/m);
    expect(await program.runtime("shutdown sessions server l/a")).toBe("\n");
    for (const client of clients) await client.waitForEnd();
    await waitFor(() => upstream.connections.every((c) => c.received.ended), "the server to see the ends");
    expect(await program.sessions()).toEqual([]);
    program.signal("SIGUSR1");
    expect(await program.waitForExit()).toBe(0);
  });

  it("IPv6 in front and behind", async () => {
    const upstream = opened(await Upstream.start(echo, { address: "::1" }));
    const port = await freePort("::1");
    const program = opened(
      await Program.start({
        config: `global
    nbthread ${threads}
${DEFAULTS}
listen l
    bind [::1]:${port}
    server a [::1]:${upstream.port}
`,
      }),
    );
    const client = opened(await Client.open({ host: "::1", port }));
    await client.roundTrip("over IPv6");
    const [session] = await program.sessions();
    expect(session!.line).toMatch(`proto=tcpv6 src=::1:${client.local.port} `);
    const shown = await program.runtime(`show sess ${session!.id}`);
    expect(shown).toMatch(new RegExp(`^  backend=l .* addr=::1:${upstream.connections[0]!.socket.remotePort}$`, "m"));
    expect(await program.runtime("shutdown sessions server l/a")).toBe("\n");
    await client.waitForEnd();
    await waitFor(() => upstream.connections[0]!.received.wasReset, "the server's side to be reset");
  });

  it("several addresses and ports of one frontend", async () => {
    const upstream = opened(await Upstream.start(echo));
    const directory = opened(temporaryDirectory());
    const [first, second] = [await freePort(), await freePort()];
    const third = await freePort("::1");
    const path = join(directory.path, "front.sock");
    const program = opened(
      await Program.start({
        config: `global
    nbthread ${threads}
${DEFAULTS}
frontend fe
    bind ${FRONTEND_ADDRESS}:${first},${FRONTEND_ADDRESS}:${second}
    bind [::1]:${third}
    bind unix@${path}
    default_backend be
backend be
    server a ${upstream.endpoint}
`,
      }),
    );
    const targets = [
      { host: FRONTEND_ADDRESS, port: first },
      { host: FRONTEND_ADDRESS, port: second },
      { host: "::1", port: third },
      { path },
    ];
    for (const target of targets) await opened(await Client.open(target)).roundTrip("hello");
    expect(await program.counter("fe", "FRONTEND", "scur")).toBe(4);
  });

  it("a wildcard: `show sess all` names the address that the client dialled", async () => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort();
    const program = opened(
      await Program.start({
        config: `global
    nbthread ${threads}
${DEFAULTS}
listen l
    bind *:${port}
    server a ${upstream.endpoint}
`,
      }),
    );
    await opened(await Client.open({ host: FRONTEND_ADDRESS, port })).roundTrip("hello");
    const shown = await program.runtime("show sess all frontend l");
    const { remoteAddress, remotePort } = upstream.connections[0]!.socket;
    expect(shown).toMatch(new RegExp(`^  frontend=l .* addr=${FRONTEND_ADDRESS}:${port}$`, "m"));
    expect(shown).toMatch(new RegExp(`^  backend=l .* addr=${remoteAddress}:${remotePort}$`, "m"));
  });
});
