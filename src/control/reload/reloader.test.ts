// Reloads of a program in memory: others have their turn while one reads its files, and one comes after the other.

import { expect, it } from "vitest";
import { InMemoryProgram } from "../../../test/unit/in-memory-program.ts";
import type { Steps } from "../../base/turns.ts";
import { loadConfigText } from "../../config/load.ts";
import type { LoadResult } from "../../config/model.ts";
import type { MutableRegistry } from "../commit-context.ts";
import { findProxy } from "../registry.ts";
import { Reloader } from "./reloader.ts";

/** Without a frontend: nothing is bound. */
const CONFIG = `defaults
  timeout connect 5s
  timeout server 1m
backend be
  server s1 127.0.0.1:28901
`;

/** A reloader whose files say what `load` gives. */
async function reloaderOf(load: () => Steps<LoadResult>): Promise<{ program: InMemoryProgram; reloader: Reloader }> {
  const program = await InMemoryProgram.start(CONFIG);
  const { registry, memory } = program;
  const reloader = new Reloader(
    {
      registry: registry as MutableRegistry,
      memory,
      threads: { prepare: async () => {}, settle() {} },
      orders: { order: async () => ({ ended: 0, discardedBytes: 0 }) },
      commit: (change) => program.commit(change),
      log: { open: async () => {}, retain: async () => {} },
      useResolvers: () => {},
      maxconn: undefined,
      isStopping: () => false,
      tell: () => {},
    },
    { files: ["now.cfg"], load, openDoors: async () => ({ accept: () => {}, undo: async () => {} }) },
  );
  return { program, reloader };
}

const added = `${CONFIG}  server late 127.0.0.1:29000\n`;

it("lets others have their turn while the files are read", async () => {
  let wasAnswered = false;
  const { program, reloader } = await reloaderOf(function* () {
    // It would never be over if nothing else were done meanwhile.
    while (!wasAnswered) yield;
    return loadConfigText(added, "now.cfg", {});
  });
  const reload = reloader.reload("a test");
  setTimeout(() => {
    wasAnswered = true;
  }, 1);
  const receipt = await reload;
  expect(receipt.messages.filter(({ severity }) => severity === "error")).toEqual([]);
  expect(receipt.outcome).toBe("done");
  expect(findProxy(program.registry, "be", "backend")?.servers.map(({ name }) => name)).toContain("late");
});

it("begins a reload when the one before is over, and takes all who wait together", async () => {
  const seen: string[] = [];
  let isFirstRead = false;
  let count = 0;
  const { reloader } = await reloaderOf(function* () {
    const own = ++count;
    seen.push(`${own} begins`);
    if (own === 1) while (!isFirstRead) yield;
    seen.push(`${own} ends`);
    return loadConfigText(CONFIG, "now.cfg", {});
  });
  const first = reloader.reload("one");
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const others = [reloader.reload("two"), reloader.reload("three")];
  setTimeout(() => {
    isFirstRead = true;
  }, 1);
  const receipts = await Promise.all([first, ...others]);
  expect(seen).toEqual(["1 begins", "1 ends", "2 begins", "2 ends"]);
  expect(receipts.map(({ id, by }) => [id, by])).toEqual([
    [1, "one"],
    [2, "two"],
    [2, "two"],
  ]);
});
