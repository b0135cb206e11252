// The relay allocates nothing per event: over many round trips of established sessions its V8 heap needs (almost) no collection.
// One boxed number per event would need one about every 65,000 events with a young generation of 1 MB. With one session every
// turn has one event, so what a turn allocates shows as well.

import { chmodSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { EchoThread } from "../harness/echo-thread.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const opened = closeAfterEach();
const BATCHES_MAX = 5;
const ROUND_TRIPS = 150_000;
const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** Lets all sessions talk until together they have made `count` round trips. */
async function roundTrips(sockets: readonly Socket[], count: number): Promise<void> {
  let left = count;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          const answer = (): void => {
            if (left-- > 0) socket.write("x");
            else {
              socket.off("data", answer);
              resolve();
            }
          };
          socket.on("data", answer);
          socket.write("x");
        }),
    ),
  );
}

it.each([1, 20])("%i session(s): 300,000 events cost the relay at most two collections", async (sessions) => {
  const directory = opened(temporaryDirectory());
  const launcher = join(directory.path, "headgate-traced");
  writeFileSync(launcher, `#!/bin/sh\nexec '${process.execPath}' --trace-gc --max-semi-space-size=1 '${MAIN}' "$@"\n`);
  chmodSync(launcher, 0o700);
  const echo = opened(await EchoThread.start());
  const port = await freePort();
  const program = opened(
    await Program.start({
      executable: launcher,
      config: `
global
    nbthread 1
defaults
    mode tcp
    timeout client 1m
    timeout server 1m
    timeout connect 5s
listen l
    bind ${FRONTEND_ADDRESS}:${port}
    server s1 ${echo.endpoint}`,
    }),
  );
  const sockets = await Promise.all(
    Array.from(
      { length: sessions },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ host: FRONTEND_ADDRESS, port, noDelay: true }, () => resolve(socket));
          socket.once("error", reject);
        }),
    ),
  );
  // V8 names the heap of each thread in its trace; the main thread's comes first.
  const collections = (): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const [, heap] of program.stdout.matchAll(/^\[\d+:(0x[0-9a-f]+)\] .*(?:Scavenge|Mark-Compact)/gm)) {
      counts.set(heap, (counts.get(heap) ?? 0) + 1);
    }
    return counts;
  };
  /** Collections of the relay's heap in one more batch. */
  const collectionsInBatch = async (): Promise<number> => {
    const before = collections();
    await roundTrips(sockets, ROUND_TRIPS);
    const after = collections();
    expect(after.size, "the trace names the heaps").toBeGreaterThan(1);
    const [main] = after.keys();
    return Math.max(...[...after].map(([heap, count]) => (heap === main ? 0 : count - (before.get(heap) ?? 0))));
  };
  // Until V8 has optimised the loop it boxes numbers everywhere; when that is depends on what else the machine does.
  let collected = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < BATCHES_MAX && collected > 2; batch++) collected = await collectionsInBatch();
  for (const socket of sockets) socket.destroy();
  expect(collected, "collections of the relay's heap").toBeLessThanOrEqual(2);
});
