import { describe, expect, test } from "vitest";
import { CutReason } from "../memory/cut-reason.ts";
import { CutChoice } from "../memory/order.ts";
import {
  S_ACCEPT_F64,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_FD,
  S_SERVER_ACTIVE_F64,
  S_SERVER_FD,
  S_SERVER_NEXT,
  SESSION_WORDS,
} from "../memory/session-row.ts";
import { EAGAIN } from "../sys/constants.ts";
import { chooseSessions } from "./choose-sessions.ts";
import type { Relay } from "./relay.ts";

const NOW_MS = 100_000;
const SESSIONS = 100;

/** Sessions of one server, each accepted and last active a second after the one before; `unread`: rows with a byte to read. */
function relayWith(unread: ReadonlySet<number> = new Set()) {
  const buffer = new SharedArrayBuffer(SESSIONS * SESSION_WORDS * 4);
  const sessions = new Int32Array(buffer);
  const sessionsF64 = new Float64Array(buffer);
  for (let row = 0; row < SESSIONS; row++) {
    const base = row * SESSION_WORDS;
    sessions[base + S_SERVER_NEXT] = row + 1 < SESSIONS ? row + 1 : -1;
    sessions[base + S_CLIENT_FD] = row;
    sessions[base + S_SERVER_FD] = row;
    sessionsF64[base / 2 + S_ACCEPT_F64] = row * 1000;
    sessionsF64[base / 2 + S_CLIENT_ACTIVE_F64] = row * 1000;
    sessionsF64[base / 2 + S_SERVER_ACTIVE_F64] = row * 1000;
  }
  const asked: number[] = [];
  const peek = (fd: number): number => {
    asked.push(fd);
    return unread.has(fd) ? 1 : -EAGAIN;
  };
  const relay = {
    sessions,
    sessionsF64,
    serverSessions: Int32Array.of(0),
    balance: { turn: 0, random: 12345 },
    now: NOW_MS,
    kernel: { peek },
  } as unknown as Relay;
  const choose = (choice: CutChoice, most: number, idleMs: number): number[] =>
    chooseSessions(relay, { server: 0, most, choice, idleMs, resetClients: false, reason: CutReason.EVICTION });
  return { choose, asked };
}

describe("of many sessions", () => {
  test("the oldest, and the longest idle", () => {
    const { choose } = relayWith();
    expect(choose(CutChoice.OLDEST, 3, 0)).toEqual([0, 1, 2]);
    expect(choose(CutChoice.LONGEST_IDLE, 3, 0)).toEqual([0, 1, 2]);
  });

  test("at random every one has its chance, and none is chosen twice", () => {
    const { choose } = relayWith();
    const seen = new Set<number>();
    for (let draw = 0; draw < 200; draw++) {
      const rows = choose(CutChoice.RANDOM, 10, 0);
      expect(new Set(rows).size).toBe(10);
      for (const row of rows) seen.add(row);
    }
    expect(seen.size).toBe(SESSIONS);
  });

  test("all of them where no more are there", () => {
    const { choose } = relayWith();
    expect(choose(CutChoice.RANDOM, SESSIONS + 5, 0)).toHaveLength(SESSIONS);
    expect(choose(CutChoice.RANDOM, SESSIONS + 5, 1)).toHaveLength(SESSIONS);
  });
});

describe("of quiet ones only", () => {
  test.each([CutChoice.RANDOM, CutChoice.OLDEST, CutChoice.LONGEST_IDLE])(
    "choice %d asks the kernel about no more than it takes",
    (choice) => {
      const { choose, asked } = relayWith();
      expect(choose(choice, 3, 500)).toHaveLength(3);
      expect(asked).toHaveLength(6);
    },
  );

  test("those that have something to read are passed over", () => {
    const { choose } = relayWith(new Set([0, 2]));
    expect(choose(CutChoice.OLDEST, 3, 500)).toEqual([1, 3, 4]);
  });

  test("those that were active too lately are not asked about", () => {
    const { choose, asked } = relayWith();
    // Active 95 s ago or more: rows 0 to 5.
    expect(choose(CutChoice.RANDOM, SESSIONS, 95_000).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(asked)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  });
});
