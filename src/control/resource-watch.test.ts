import { expect, it } from "vitest";
import { CT_BUFFERS_EXHAUSTED, CT_RESOURCE_ERRNO, CT_RESOURCE_ERRORS } from "../memory/counters.ts";
import { allocateSharedMemory, threadCounters } from "../memory/shared-memory.ts";
import { EMFILE } from "../sys/constants.ts";
import { LogLevel } from "./log/syslog-frame.ts";
import { ResourceWatch } from "./resource-watch.ts";

function scene() {
  const memory = allocateSharedMemory({ threads: 2, rowsPerThread: 1, records: 2, proxies: 1, servers: 1 });
  const watch = new ResourceWatch(memory);
  const count = (thread: number, word: number, by: number): void => {
    memory.countersF64[threadCounters(memory, thread) + word]! += by;
  };
  return { count, levels: () => watch.look(() => "1 session").map(({ level }) => level), watch };
}

it("says once for each spell that the system refuses resources, and that it is over", () => {
  const { count, levels, watch } = scene();
  expect(levels()).toEqual([]);
  count(1, CT_RESOURCE_ERRORS, 3);
  count(1, CT_RESOURCE_ERRNO, EMFILE);
  expect(watch.look(() => "1 session").map(({ text }) => text)).toEqual([
    "The system refused resources (EMFILE, 3 times): new connections wait until it gives some again (1 session).",
  ]);
  count(0, CT_RESOURCE_ERRORS, 1);
  expect(levels()).toEqual([]);
  expect(levels()).toEqual([LogLevel.NOTICE]);
  expect(levels()).toEqual([]);
});

it("warns once for each spell that a relay has no buffer left", () => {
  const { count, levels } = scene();
  count(1, CT_BUFFERS_EXHAUSTED, 5);
  expect(levels()).toEqual([LogLevel.WARNING]);
  count(0, CT_BUFFERS_EXHAUSTED, 5);
  expect(levels()).toEqual([]);
  expect(levels()).toEqual([]);
  count(0, CT_BUFFERS_EXHAUSTED, 1);
  expect(levels()).toEqual([LogLevel.WARNING]);
});
