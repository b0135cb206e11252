import { expect, it } from "vitest";
import { CT_ROWS_USED } from "../../memory/counters.ts";
import { CutReason } from "../../memory/cut-reason.ts";
import { SERVER_WORDS, V_ATTACHED } from "../../memory/server-row.ts";
import { S_SERVER, S_STATE, SessionState } from "../../memory/session-row.ts";
import { allocateSharedMemory, threadCounters } from "../../memory/shared-memory.ts";
import type { CommitContext } from "../commit-context.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ServerEntry } from "../registry.ts";
import { cutUnasked } from "./cut-unasked.ts";

/** A server with one session, and a relay that ends it or does not. */
async function alertsOf(obeys: boolean): Promise<unknown> {
  const memory = allocateSharedMemory({ threads: 1, rowsPerThread: 1, records: 2, proxies: 1, servers: 1 });
  memory.countersF64[threadCounters(memory, 0) + CT_ROWS_USED] = 1;
  memory.sessions[S_STATE] = SessionState.ESTABLISHED;
  memory.sessions[S_SERVER] = 0;
  memory.serversI32[0 * SERVER_WORDS + V_ATTACHED] = 1;
  const said: unknown[] = [];
  const order = async () => {
    if (!obeys) return { ended: 0, discardedBytes: 0 };
    memory.sessions[S_STATE] = SessionState.FREE;
    memory.serversI32[0 * SERVER_WORDS + V_ATTACHED] = 0;
    return { ended: 1, discardedBytes: 0 };
  };
  const onPolicy = (_backend: unknown, level: LogLevel, text: string) => said.push([level, text]);
  const context = { memory, orders: { order }, events: { onPolicy } } as unknown as CommitContext;
  const server = { index: 0, name: "s1", config: {}, backend: { name: "be" } } as ServerEntry;
  await cutUnasked(context, server, CutReason.ON_MARKED_DOWN);
  return said;
}

it("tells of sessions that survive a cut nobody waits for, and of nothing else", async () => {
  expect(await alertsOf(false)).toEqual([
    [LogLevel.ALERT, "Server be/s1: 1 sessions survive their cut, which is a bug of Headgate."],
  ]);
  expect(await alertsOf(true)).toEqual([]);
});
