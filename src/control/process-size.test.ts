import { describe, expect, test } from "vitest";
import { SESSIONS_MAX, THREAD_SLOTS_LEAST, THREADS_MAX } from "../base/limits.ts";
import { loadConfigText } from "../config/load.ts";
import type { Config } from "../config/model.ts";
import { defaultThreads, sizeProcess as sizeWith } from "./process-size.ts";

/** As the system would grant it. */
let fileLimit = 0;
const sizeProcess = (config: Config, threads: number) => sizeWith(config, threads, undefined, () => fileLimit);

function configOf(globalLine = "", serverWords = ""): Config {
  const text = `global\n  ${globalLine}\ndefaults\n  mode tcp\nlisten l\n  bind 127.0.0.1:9\n  server s 127.0.0.1:10 ${serverWords}\n`;
  return loadConfigText(text, "test.cfg", {}).config!;
}

describe("without a maxconn", () => {
  test.each([1, 2, 3, 5, 6, 7, 64])(
    "%d threads with nearly endless descriptors: whole rows for each slot",
    (threads) => {
      fileLimit = 2 ** 30;
      const { maxconn, room, slots } = sizeProcess(configOf(), threads);
      expect(slots).toBe(Math.min(THREADS_MAX, Math.max(threads, THREAD_SLOTS_LEAST, defaultThreads())));
      expect(maxconn).toBe(Math.floor(SESSIONS_MAX / slots));
      expect(room).toBe(maxconn);
    },
  );

  test("two descriptors for each session, and some for the rest", () => {
    fileLimit = 1024;
    const { maxconn } = sizeProcess(configOf(), 2);
    expect(Number.isInteger(maxconn)).toBe(true);
    expect(maxconn * 2).toBeLessThan(1024);
    expect(maxconn).toBeGreaterThan(400);
  });

  test("one for each check and each agent", () => {
    fileLimit = 1025;
    const plain = sizeProcess(configOf(), 2).maxconn;
    const checked = sizeProcess(configOf("", "check agent-check agent-port 99"), 2).maxconn;
    expect(plain - checked).toBe(1);
  });

  test("a file limit that leaves none for sessions is refused", () => {
    fileLimit = 64;
    expect(() => sizeProcess(configOf(), 2)).toThrow("leaves none for sessions");
  });
});

describe("a maxconn that does not fit is refused with what would", () => {
  test.each([
    [
      "2000000",
      3,
      /^maxconn 2000000 is more than 3 relay threads/,
      "maxconn to 699050 or less, or nbthread to 1 or less",
    ],
    ["600000", 2, /^maxconn 600000 needs 12001\d\d file descriptors/, "set maxconn to 5242"],
  ])("%s with %d threads", (maxconn, threads, text, hint) => {
    fileLimit = 2 ** 20;
    const size = (): unknown => sizeProcess(configOf(`maxconn ${maxconn}`), threads);
    expect(size).toThrow(text);
    expect(size).toThrow(expect.objectContaining({ hint: expect.stringContaining(hint) }));
  });

  test("one that fits is taken", () => {
    fileLimit = 2 ** 20;
    expect(sizeProcess(configOf("maxconn 500000"), 2).maxconn).toBe(500_000);
  });
});

describe("what a reload can go up to", () => {
  const wanted = Math.min(THREADS_MAX, Math.max(THREAD_SLOTS_LEAST, defaultThreads()));

  test("a few more threads, and four times the sessions", () => {
    fileLimit = 2 ** 20;
    expect(sizeProcess(configOf("maxconn 1000"), 1)).toMatchObject({ room: 16_384, slots: wanted });
    expect(sizeProcess(configOf("maxconn 8000"), 2)).toMatchObject({
      room: Math.min(32_000, Math.floor(SESSIONS_MAX / wanted)),
      slots: wanted,
    });
  });

  test.each([
    ["400000", 1, 2],
    ["400000", 2, 2],
    ["400000", 5, 5],
    ["2000000", 1, 1],
  ])("maxconn %s with %d threads: twice as many sessions come before more threads", (maxconn, threads, slots) => {
    fileLimit = 2 ** 30;
    const size = sizeProcess(configOf(`maxconn ${maxconn}`), threads);
    expect(size.slots).toBe(slots);
    expect(size.room).toBe(Math.min(Math.floor(SESSIONS_MAX / slots), 4 * Number(maxconn)));
    expect(size.room * size.slots).toBeLessThanOrEqual(SESSIONS_MAX);
  });
});
