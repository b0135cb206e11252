// haproxy-3204: reloads with long-lived sessions of every generation: one process, every session listed and reached, no memory,
// descriptor or thread kept. The full size, 200 reloads with 1,000 sessions each: HEADGATE_NIGHTLY=1.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { type Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import type { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { ReloadStage, sections } from "./reload-stage.ts";

const IS_NIGHTLY = process.env.HEADGATE_NIGHTLY === "1";
const RELOADS = IS_NIGHTLY ? 200 : 12;
/** Of the whole run: what is open at once has to fit into the descriptors of test and program. */
const SESSIONS = IS_NIGHTLY ? 1000 : 5;
const OPEN_MOST = 4000;
const GROWTH_MOST = 1.02;
/** With what V8 makes larger as it likes as small as can be, and garbage collected before memory is looked at, what grows is kept. */
const NODE_OPTIONS = `--max-semi-space-size=1 --require=${fileURLToPath(new URL("../harness/collect-garbage.cjs", import.meta.url))}`;
const TIMEOUT_MS = IS_NIGHTLY ? 1_800_000 : 600_000;

const opened = closeAfterEach();

/** Processes below this one, all generations. */
function descendants(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").trim().split(" ").filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** Resident memory without garbage. */
async function keptKib(program: Program): Promise<number> {
  const said = (): number => program.stderr.split("garbage is collected").length;
  const before = said();
  program.signal("SIGWINCH");
  await waitFor(() => said() > before, "garbage to be collected");
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${program.pid}/status`, "latin1"))?.[1]);
}

it(`haproxy-3204: ${RELOADS} reloads with ${SESSIONS} sessions each: one process, all of them listed`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const upstream = opened(await Upstream.start(echo));
  const port = await freePort();
  const configOf = (generation: number) =>
    sections({ port, servers: [`s${generation} ${upstream.endpoint}`], global: ["maxconn 8000"] });
  const shellBefore = `ulimit -n 20000; export NODE_OPTIONS='${NODE_OPTIONS}'`;
  const stage = opened(await ReloadStage.start(configOf(0), { shellBefore }));
  const { program } = stage;
  await stage.mustReload(configOf(0));
  const heldBefore = stage.held();
  const clients: Client[] = [];
  opened({ close: () => clients.map((client) => client.close()) });
  const rounds = async (): Promise<number> => {
    const generations: number[] = [];
    for (let generation = 1; generation <= RELOADS; generation++) {
      await stage.mustReload(configOf(generation));
      clients.push(...(await openClients(SESSIONS, { host: FRONTEND_ADDRESS, port })));
      generations.push(generation);
      // Connected is not served yet: one that waits in the kernel, or on its way between threads, would be the next generation's.
      const isServed = async (): Promise<boolean> =>
        (await program.counter("be", `s${generation}`, "scur")) === SESSIONS;
      await waitFor(isServed, "the clients to be served");
      if (clients.length < OPEN_MOST && generation < RELOADS) continue;
      await waitFor(
        async () => (await program.sessions()).every(({ serverSide }) => serverSide === 8),
        "sessions to stand",
      );
      const shown = await program.sessions();
      expect(shown.map(({ srv }) => srv).sort()).toEqual(
        generations.flatMap((n) => new Array<string>(SESSIONS).fill(`s${n}`)).sort(),
      );
      expect([...(await stage.servers()).keys()].sort()).toEqual(generations.map((n) => `be/s${n}`).sort());
      expect(descendants(program.pid), "one process").toEqual([]);
      await Promise.all([clients[0], clients.at(-1)].map((client) => client!.roundTrip("from the first to the last")));
      await program.runtime(`shutdown sessions server be/s${generations[0]}`);
      expect((await program.sessions()).some(({ srv }) => srv === `s${generations[0]}`)).toBe(false);
      for (const client of clients.splice(0)) client.close();
      await waitFor(async () => (await program.sessions()).length === 0, "all sessions to end");
      await waitFor(async () => (await stage.servers()).size === 1, "all that left to be gone");
      await stage.waitUntilNotMoreHeld(heldBefore);
      // The test keeps nothing either.
      upstream.connections.length = 0;
      generations.length = 0;
    }
    return keptKib(program);
  };
  const before = await rounds();
  if (!IS_NIGHTLY) return;
  const after = await rounds();
  expect(after / before, `${before} KiB, after as many reloads again ${after} KiB`).toBeLessThanOrEqual(GROWTH_MOST);
});
