import { beforeAll, describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import { ipSockaddr } from "../base/address.ts";
import {
  D_FLAGS,
  DF_EOF,
  S_BYTES_DOWN_F64,
  S_BYTES_UP_F64,
  S_CLIENT_ACTIVE_F64,
  S_CLIENT_ADDR,
  S_DOWN,
  S_SERVER_ACTIVE_F64,
  SESSION_WORDS,
  SessionState,
} from "../memory/session-row.ts";
import { showSess } from "./show-sess.ts";

const HOUR_MS = 3_600_000;

/** Sessions by what is special about them: young, old, queued, half-closed, far, sender. */
async function withSessions() {
  const program = await InMemoryProgram.start();
  const { sessions, sessionsF64 } = program.memory;
  const names = new Map<string, string>();
  const add = (name: string, session: Parameters<typeof program.addSession>[0], row: number): number => {
    names.set(program.addSession(session), name);
    return row * SESSION_WORDS;
  };
  add("young", {}, 0);
  add("old", { ageMs: 2 * HOUR_MS, server: 1 }, 1);
  add("queued", { state: SessionState.QUEUED }, 2);
  add("retrying", { state: SessionState.TURN_AROUND }, 3);
  const halfClosed = add("half-closed", { ageMs: HOUR_MS }, 4);
  sessions[halfClosed + S_DOWN + D_FLAGS] |= DF_EOF;
  const far = add("far", { thread: 1 }, 64);
  sessions.set(new Int32Array(ipSockaddr("::ffff:10.1.2.3", 5).buffer), far + S_CLIENT_ADDR);
  const sender = add("sender", { thread: 1, ageMs: 1000 }, 65);
  sessionsF64[sender / 2 + S_BYTES_UP_F64] = 600;
  sessionsF64[sender / 2 + S_BYTES_DOWN_F64] = 500;
  // Quiet for an hour on one side only is not quiet.
  sessionsF64[sender / 2 + S_CLIENT_ACTIVE_F64] -= HOUR_MS;
  for (const word of [S_CLIENT_ACTIVE_F64, S_SERVER_ACTIVE_F64]) sessionsF64[halfClosed / 2 + word] -= 10_000;
  const show = async (words: string): Promise<{ names: string[]; text: string }> => {
    const { text } = await showSess.run(
      { program, connection: undefined as never, signal: new AbortController().signal },
      words.split(" "),
    );
    let whole = typeof text === "string" ? text : "";
    if (typeof text !== "string") for await (const part of text) whole += part;
    return { text: whole, names: [...whole.matchAll(/^(0x[0-9a-f]+):/gm)].map((match) => names.get(match[1]!)!) };
  };
  return { program, show };
}

describe("filters of sessions", () => {
  let show: Awaited<ReturnType<typeof withSessions>>["show"];
  let program: InMemoryProgram;
  beforeAll(async () => {
    ({ show, program } = await withSessions());
  });

  it.each([
    ["server be/s2", ["old"]],
    ["server be/s1", ["young", "retrying", "half-closed", "far", "sender"]],
    ["backend other", []],
    ["frontend fe backend be older 30m", ["old", "half-closed"]],
    ["from 192.0.2.0/24", ["young", "old", "queued", "retrying", "half-closed", "sender"]],
    ["from 10.0.0.0/8", ["far"]],
    ["from ::/0", []],
    ["older 1h30m", undefined],
    ["older 90m", ["old"]],
    ["older 3h", []],
    ["idle 5", ["half-closed"]],
    ["idle 5000ms and state established", []],
    ["bytes-over 1k", ["sender"]],
    ["bytes-over 1100", []],
    ["bytes-over 1099", ["sender"]],
    ["state queued", ["queued"]],
    ["state turn-around", ["retrying"]],
    ["state connecting", []],
    ["state half-closed", ["half-closed"]],
    ["state established and from 192.0.2.1", ["young", "old", "sender"]],
    ["state established and from 192.0.2.1 and older 10m", ["old"]],
    ["all state half-closed", ["half-closed"]],
  ])("%s", async (words, expected) => {
    const shown = await show(words);
    if (expected === undefined) expect(shown.text).toBe("Invalid age.\n");
    else expect(shown.names).toEqual(expected);
  });

  it.each([
    ["top 2 by age", ["old", "half-closed"]],
    ["top 1 by bytes", ["sender"]],
    ["top 1 by idle", ["half-closed"]],
    ["top 10 by age from 10.0.0.0/8", ["far"]],
    ["top by age state queued", ["queued"]],
  ])("%s", async (words, expected) => {
    const shown = await show(words);
    expect(shown.names).toEqual(expected);
    expect(shown.text).toMatch(/ thread=\d+ bytes=\d+ idle=\S+\n$/);
  });

  it("top by rate is what moves now, not what moved long ago", async () => {
    const { sessionsF64 } = program.memory;
    const shown = show("top 3 by rate");
    const grows = setInterval(() => {
      sessionsF64[S_BYTES_UP_F64] += 1000;
    }, 10);
    const { names, text } = await shown;
    clearInterval(grows);
    expect(names[0]).toBe("young");
    expect(Number(/ bytes\/s=(\d+)\n/.exec(text)?.[1])).toBeGreaterThan(0);
    expect(text.split("\n")[1]).toMatch(/ bytes\/s=0$/);
  });
});
