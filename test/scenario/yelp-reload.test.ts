// yelp-reload: a reload every 100 ms while clients connect, and nobody is refused, whatever the reload changes: servers come and go,
// addresses move between frontends, sections are renamed; nor is anything left open. The nightly size: HEADGATE_NIGHTLY=1.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { ConnectionLoad } from "../harness/connection-load.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/wait-for.ts";
import { ReloadStage } from "./reload-stage.ts";

const IS_NIGHTLY = process.env.HEADGATE_NIGHTLY === "1";
const CONNECTIONS = IS_NIGHTLY ? 200_000 : 20_000;
const PERIOD_MS = 100;
const CLIENTS = 32;
const WINDOW_SECONDS = 2;
const WINDOWS_MOST = IS_NIGHTLY ? 800 : 200;
const TIMEOUT_MS = IS_NIGHTLY ? 1_800_000 : 600_000;

const opened = closeAfterEach();

/** Each configuration has something of the one before, and something else. */
function configOf(round: number, port: number, upstream: number): string {
  const frontend = round % 3 === 0 ? "renamed" : "fe";
  const backend = round % 5 === 0 ? "other" : "be";
  const server = (name: string, words = "") => `    server ${name} 127.0.0.1:${upstream} ${words}\n`;
  const old = server(`s${round}`);
  const both = old + server(`s${round + 1}`, `weight ${1 + (round % 7)}`);
  return `
global
    nbthread 2
defaults
    mode tcp
    timeout client 1m
    timeout server 1m
    timeout connect 5s
frontend ${frontend}
    bind 127.0.0.1:${port}
    default_backend ${backend}
backend ${backend}
    balance ${round % 2 === 0 ? "roundrobin" : "leastconn"}
${both}`;
}

it(`yelp-reload: 0 failed of ${CONNECTIONS} connections with a reload every ${PERIOD_MS} ms`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const load = opened(await ConnectionLoad.start());
  const port = await freePort("127.0.0.1");
  const stage = opened(await ReloadStage.start(configOf(0, port, load.upstreamPort)));
  await stage.mustReload(configOf(0, port, load.upstreamPort));
  const heldBefore = stage.held();
  let isOver = false;
  let reloads = 0;
  const reloading = (async () => {
    for (let round = 1; !isOver; round++) {
      const [report] = await Promise.all([
        stage.mustReload(configOf(round, port, load.upstreamPort)),
        sleep(PERIOD_MS),
      ]);
      expect(report.listeners).toMatchObject({ opened: [], closed: [] });
      reloads++;
    }
  })();
  const total = { count: 0, errors: 0 };
  for (let window = 0; total.count < CONNECTIONS && window < WINDOWS_MOST; window++) {
    const { count, errors } = await load.run(port, WINDOW_SECONDS, CLIENTS);
    total.count += count;
    total.errors += errors;
  }
  isOver = true;
  await reloading;
  expect(total.errors).toBe(0);
  expect(total.count).toBeGreaterThanOrEqual(CONNECTIONS);
  expect(reloads).toBeGreaterThan(3);
  await waitFor(async () => (await stage.program.sessions()).length === 0, "the sessions to end");
  await waitFor(async () => (await stage.servers()).size === 2, "all that left to be gone");
  await stage.waitUntilNotMoreHeld(heldBefore);
});
