// What becomes of sessions whose frontend is removed, and of those that wait in the queue of what is removed: `on-removed` decides, nobody
// hangs, and nobody reaches a server that he must not reach.

import { expect, it } from "vitest";
import type { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { echo, silent, Upstream } from "../harness/upstream.ts";
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
    timeout queue 1h
`;

const frontend = (name: string, port: number, backend: string, line = "") =>
  `frontend ${name}\n    bind ${FRONTEND_ADDRESS}:${port}\n    default_backend ${backend}\n    ${line}\n`;
const backend = (name: string, servers: readonly string[], line = "") =>
  `backend ${name}\n    ${line}\n${servers.map((server) => `    server ${server}\n`).join("")}`;

it("on-removed of a frontend decides over those who came in by it; its backend's other sessions do not notice", async () => {
  const upstream = opened(await Upstream.start(echo));
  const [stays, keeps, drains, cuts] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ] as const;
  const be = backend("be", [`s ${upstream.endpoint}`]);
  const stage = opened(
    await ReloadStage.start(
      HEAD +
        frontend("stays", stays, "be") +
        frontend("keeps", keeps, "be") +
        frontend("drains", drains, "be", "on-removed drain 200ms") +
        frontend("cuts", cuts, "be", "on-removed shutdown-sessions") +
        be,
    ),
  );
  const [staying, kept, drained] = await Promise.all(
    [stays, keeps, drains].map(async (port) => opened((await stage.clients(1, port))[0]!)),
  );
  const cut = opened((await stage.clients(1, cuts))[0]!);
  const report = await stage.mustReload(HEAD + frontend("stays", stays, "be") + be);
  expect(report.proxies.leaving).toEqual(["keeps", "drains", "cuts"].map((name) => ({ name, sessions: 1 })));
  expect(
    (await stage.program.sessions()).map(({ fe }) => fe),
    "cuts, at the answer",
  ).not.toContain("cuts");
  await cut.waitForEnd();
  await drained!.waitForEnd();
  for (const client of [staying!, kept!]) await client.roundTrip("still here");
  expect((await stage.program.sessions()).map(({ fe }) => fe).sort()).toEqual(["keeps", "stays"]);
  kept!.close();
  await waitFor(
    async () => !(await stage.program.stat()).some(({ pxname }) => pxname === "keeps"),
    () => "the frontend to be gone with its last session",
  );
});

it("who waits in the queue of a removed backend is served there, or ends with it; in one that stays another server takes him", async () => {
  const names = ["keeps", "drains", "cuts", "replaced"] as const;
  const policies = ["", "on-removed drain 300ms", "on-removed shutdown-sessions", ""];
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()];
  const upstreams: Upstream[] = [];
  for (const _ of names) upstreams.push(opened(await Upstream.start(silent)));
  const next = opened(await Upstream.start(echo));
  const server = (i: number): string => `s ${upstreams[i]!.endpoint} maxconn 1`;
  const stage = opened(
    await ReloadStage.start(
      HEAD +
        names.map((name, i) => frontend(`fe${i}`, ports[i]!, name) + backend(name, [server(i)], policies[i])).join(""),
    ),
  );
  const connected: Client[] = [];
  const queued: Client[][] = [];
  for (const [i, port] of ports.entries()) {
    connected.push(opened(await stage.open(port)));
    await upstreams[i]!.waitForConnections(1);
    queued.push([opened(await stage.open(port)), opened(await stage.open(port))]);
    for (const client of queued[i]!) client.send("asked in the queue");
  }
  const waiting = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      (await stage.program.stat())
        .filter(({ svname }) => svname === "BACKEND")
        .map(({ pxname, qcur }) => [pxname!, Number(qcur)]),
    );
  await waitFor(
    async () => Object.values(await waiting()).join() === "2,2,2,2",
    () => "all to wait",
  );
  const fresh = HEAD + [0, 1, 2].map((i) => frontend(`fe${i}`, ports[i]!, "replaced")).join("");
  stage.write(`${fresh}${frontend("fe3", ports[3]!, "replaced")}${backend("replaced", [`new ${next.endpoint}`])}`);
  expect(await stage.program.runtime("plan")).toContain(
    "- backend cuts is removed, 2 sessions in its queue: ended at once (on-removed shutdown-sessions)",
  );
  const report = await stage.mustReload();
  expect(report.proxies.leaving).toEqual([
    { name: "keeps", sessions: 2 },
    { name: "drains", sessions: 2 },
    { name: "cuts", sessions: 2 },
  ]);
  // In the section that stays they go to the server that took the place of theirs, at once.
  for (const client of queued[3]!) await waitFor(() => client.received.bytes > 0, "an answer of the new server");
  // Cut: at the answer none of them is there.
  expect((await stage.program.sessions()).map(({ be }) => be)).not.toContain("cuts");
  for (const client of [connected[2]!, ...queued[2]!]) await client.waitForEnd();
  for (const client of [connected[1]!, ...queued[1]!]) await client.waitForEnd();
  // Kept: one after the other is served by the server that leaves with them.
  for (let served = 1; served <= 2; served++) {
    upstreams[0]!.connections[served - 1]!.socket.resetAndDestroy();
    await upstreams[0]!.waitForConnections(served + 1);
  }
  upstreams[0]!.connections[2]!.socket.resetAndDestroy();
  await waitFor(
    async () => !Object.keys(await waiting()).includes("keeps"),
    () => "the backend to be gone with its last session",
  );
  expect(
    upstreams.map(({ connections }) => connections.length),
    "who was cut has reached no server",
  ).toEqual([3, 1, 1, 1]);
  expect(next.connections).toHaveLength(2);
});
