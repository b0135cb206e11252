// Listening sockets over reloads: an address that stays keeps its socket, one that changes loses nobody, one that goes accepts who waits.

import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { ConnectionLoad } from "../harness/connection-load.ts";
import { freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { ReloadStage } from "./reload-stage.ts";

const opened = closeAfterEach();

const HEAD = `
global
    nbthread 2
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 1h
`;

const frontend = (name: string, binds: readonly string[], backend = "be", lines: readonly string[] = []) =>
  `frontend ${name}\n${binds.map((bind) => `    bind ${bind}\n`).join("")}${lines.map((line) => `    ${line}\n`).join("")}    default_backend ${backend}\n`;

const backend = (name: string, server: string) => `backend ${name}\n    server s ${server}\n`;

describe("an address that changes", () => {
  it("127.0.0.1:<port> becomes *:<port> and back while clients connect, and none fails", async () => {
    const load = opened(await ConnectionLoad.start());
    const port = await freePort("127.0.0.1");
    const config = (bind: string) => HEAD + frontend("fe", [bind]) + backend("be", `127.0.0.1:${load.upstreamPort}`);
    const stage = opened(await ReloadStage.start(config(`127.0.0.1:${port}`)));
    const running = load.run(port, 4, 16);
    let changes = 0;
    let isOver = false;
    void running.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      for (const bind of [`*:${port}`, `127.0.0.1:${port}`]) {
        const { listeners } = await stage.mustReload(config(bind));
        expect([listeners.opened.length, listeners.closed.length]).toEqual([1, 1]);
        changes++;
        // One that comes in the moment of a change repeats its SYN, so that the next change waits for a quiet one.
        const client = await Client.open({ port });
        await client.roundTrip("let in");
        client.close();
      }
    }
    const { count, errors } = await running;
    expect(errors).toBe(0);
    expect(count).toBeGreaterThan(0);
    expect(changes).toBeGreaterThan(1);
    // Two sockets on one port were for the moment only: a second program is refused as ever.
    const second = opened(await Program.start({ config: config(`127.0.0.1:${port}`), waitUntilReady: false }));
    expect(await second.waitForExit()).toBe(1);
    expect(second.stderr).toContain(`cannot bind socket (Address already in use) for [127.0.0.1:${port}]`);
  });
});

describe("an address that goes", () => {
  it("accepts who waits there, then is closed; others do not notice", async () => {
    const upstream = opened(await Upstream.start(echo));
    const [stays, goes] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
    const [a, b] = [`127.0.0.1:${stays}`, `127.0.0.1:${goes}`];
    const config = (binds: readonly string[], lines: readonly string[] = []) =>
      HEAD + frontend("fe", binds, "be", lines) + backend("be", upstream.endpoint);
    const stage = opened(await ReloadStage.start(config([a, b], ["maxconn 1"])));
    const first = opened(await Client.open({ port: stays }));
    await first.roundTrip("hello");
    // The frontend is full: this one waits in the kernel, until the new limit lets it in.
    const waiting = opened(await Client.open({ port: goes }));
    const report = await stage.mustReload(config([a], ["maxconn 10"]));
    expect(report.listeners).toMatchObject({ closed: [b], opened: [] });
    await waiting.roundTrip("let in by the reload that closed the address");
    await first.roundTrip("still here");
    await expect(Client.open({ port: goes })).rejects.toThrow("ECONNREFUSED");
    const again = await stage.mustReload(config([a, b], ["maxconn 10"]));
    expect(again.listeners.opened).toEqual([b]);
    await opened(await Client.open({ port: goes })).roundTrip("open again");
  });

  it("a unix socket keeps its clients, and its path goes with it", async () => {
    const upstream = opened(await Upstream.start(echo));
    const port = await freePort("127.0.0.1");
    const config = (binds: readonly string[]) => HEAD + frontend("fe", binds) + backend("be", upstream.endpoint);
    const stage = opened(await ReloadStage.start(config([`127.0.0.1:${port}`])));
    const path = `${stage.program.directory}/fe.sock`;
    await stage.mustReload(config([`127.0.0.1:${port}`, path]));
    const client = opened(await Client.open({ path }));
    await client.roundTrip("hello");
    await stage.mustReload(config([`127.0.0.1:${port}`, `${path} mode 666`]));
    await client.roundTrip("still here");
    await stage.mustReload(config([`127.0.0.1:${port}`]));
    expect(existsSync(path)).toBe(false);
    await client.roundTrip("still here");
  });
});

describe("an address that moves", () => {
  it("to another frontend, with its backend; paused and shut down frontends stay so", async () => {
    const [one, two] = [opened(await Upstream.start(echo)), opened(await Upstream.start(echo))];
    const [p, q] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
    const config = (first: readonly string[], second: readonly string[]) =>
      HEAD +
      frontend("fe1", first, "be1") +
      frontend("fe2", second, "be2") +
      backend("be1", one.endpoint) +
      backend("be2", two.endpoint);
    const [a, b] = [`127.0.0.1:${p}`, `127.0.0.1:${q}`];
    const stage = opened(await ReloadStage.start(config([a], [b])));
    const client = opened(await Client.open({ port: p }));
    await client.roundTrip("to one");
    const swapped = await stage.mustReload(config([b], [a]));
    expect(swapped.listeners).toMatchObject({ opened: [], closed: [] });
    expect(swapped.listeners.moved).toEqual([
      { address: b, from: "fe2", to: "fe1" },
      { address: a, from: "fe1", to: "fe2" },
    ]);
    await opened(await Client.open({ port: p })).roundTrip("to two");
    await client.roundTrip("still with one");
    await waitFor(() => one.connections.length === 1 && two.connections.length === 1, "one connection each");
    await stage.program.runtime("disable frontend fe1; shutdown frontend fe2");
    const kept = await stage.mustReload(config([b], [a]).replace("mode tcp", "mode tcp\n    retries 2"));
    expect(kept.staying).toEqual([
      "frontend fe1 state disabled, file enabled",
      "frontend fe2 state shut down, file enabled",
    ]);
    for (const port of [p, q]) await expect(Client.open({ port })).rejects.toThrow("ECONNREFUSED");
    expect(await stage.program.runtime("enable frontend fe1")).toBe("\n");
    await opened(await Client.open({ port: q })).roundTrip("enabled again");
    const other = await freePort("127.0.0.1");
    const reopened = await stage.mustReload(config([b], [a, `127.0.0.1:${other}`]));
    expect(reopened.listeners.opened).toEqual([a, `127.0.0.1:${other}`]);
    await opened(await Client.open({ port: p })).roundTrip("its bind lines changed");
  });
});
