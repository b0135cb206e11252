// Operations on a program without relays: what they commit, what they refuse, what they report.

import { describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import { CB_CUTS, CB_QUEUE_MS_AVG, CB_TIMED, CF_CUTS, CF_SESSIONS, CS_CUTS } from "../memory/counters.ts";
import { CUT_REASON_NAMES, CutReason } from "../memory/cut-reason.ts";
import { OperState, SERVER_WORDS, V_LOAD_WEIGHT, V_OPER, V_WEIGHT } from "../memory/server-row.ts";
import { SessionState } from "../memory/session-row.ts";
import { proxyCounters, serverCounters } from "../memory/shared-memory.ts";
import { findOperation, unknownCommandText } from "./find-operation.ts";
import { uptimeText } from "./info-fields.ts";
import type { Answer, Connection, OperationContext } from "./operation.ts";
import { parseMaxconn } from "./server-maxconn.ts";
import { parseWeight } from "./server-weight.ts";
import { parseSessionId } from "./shutdown.ts";
import { HAPROXY_COLUMNS, STAT_FIELDS } from "./stat-fields.ts";
import { shortTime } from "./state-text.ts";
import { OPERATIONS } from "./table.ts";

const connection = (): Connection => ({
  level: "admin",
  mode: "once",
  timedPrompt: false,
  severityOutput: "none",
  timeoutMs: 1000,
  closing: false,
});

async function textOf(answer: Answer): Promise<string> {
  if (typeof answer.text === "string") return answer.text;
  let text = "";
  for await (const part of answer.text) text += part;
  return text;
}

async function run(program: InMemoryProgram, line: string, signal = new AbortController().signal): Promise<string> {
  const words = line.split(" ");
  const operation = findOperation(OPERATIONS, words)!;
  const context: OperationContext = { program, connection: connection(), signal };
  return textOf(await operation.run(context, words.slice(operation.words.length)));
}

describe("numbers", () => {
  it.each([
    ["5", 10, 5],
    ["0", 10, 0],
    ["256", 10, 256],
    ["50%", 10, 5],
    ["50%", 1, 0],
    ["300%", 10, 30],
    ["99999999999999%", 10, 256],
  ])("weight %s of %d is %d", (text, initial, weight) => {
    expect(parseWeight(text, initial)).toEqual({ found: weight });
  });

  it.each([
    ["257", "Absolute weight can only be between 0 and 256 inclusive."],
    ["-1", "Absolute weight can only be between 0 and 256 inclusive."],
    ["4294967296", "Absolute weight can only be between 0 and 256 inclusive."],
    ["-1%", "Relative weight must be positive."],
    ["1.5", "Trailing garbage in weight string"],
    ["", "Empty weight string empty or preceded by garbage"],
  ])("weight %j is refused", (text, error) => {
    expect(parseWeight(text, 10)).toEqual({ error });
  });

  it.each(["-1", "2147483648", "4294967295"])("bad-numbers: maxconn %s is refused with the range", (text) => {
    expect(parseMaxconn(text).error).toContain("2147483647");
  });

  it.each([
    ["0x200001", 0x200001],
    ["0X20000a", 0x20000a],
    ["2097153", 0x200001],
    ["010000001", 0x200001],
    ["200001", 200_001],
    ["0", undefined],
    ["08", undefined],
    ["2097153q", undefined],
    ["0x0", undefined],
    ["0xzz", undefined],
    ["", undefined],
    ["0xffffffffffffffff", undefined],
  ])("session id %j", (text, id) => {
    expect(parseSessionId(text)).toBe(id);
  });

  it.each([
    [0, "0s"],
    [59_999, "59s"],
    [60_000, "1m"],
    [3_579_000, "59m39s"],
    [3_605_000, "1h5s"],
    [90_061_000, "1d1h"],
  ])("%d ms is %s", (ms, text) => {
    expect(shortTime(ms)).toBe(text);
  });

  it("uptime", () => {
    expect(uptimeText(93_784)).toBe("1d 2h03m04s");
  });
});

describe("show stat", () => {
  it("has the throttle of a server that starts slowly in every format, and of no other", async () => {
    const program = await InMemoryProgram.start();
    const { index } = program.registry.serversByIndex.find((server) => server?.name === "s1")!;
    const row = index * SERVER_WORDS;
    program.memory.serversI32[row + V_OPER] = OperState.STARTING;
    program.memory.serversI32[row + V_LOAD_WEIGHT] = program.memory.serversI32[row + V_WEIGHT] * 4;
    const typed = (await run(program, "show stat typed")).split("\n").filter((line) => line.includes(".throttle."));
    expect(typed).toEqual(["S.3.1.29.throttle.1:MaPV:u32:25"]);
    const [header, ...lines] = (await run(program, "show stat")).split("\n").map((line) => line.split(","));
    const column = header!.indexOf("throttle");
    expect(lines.filter((line) => (line[column] ?? "") !== "").map((line) => line[1])).toEqual(["s1"]);
  });
});

describe("changes", () => {
  it.each([
    ["disable server be/s1", { kind: "set-admin", set: 0x01, clear: 0x08 }],
    ["enable server be/s1", { kind: "set-admin", set: 0, clear: 0x09 }],
    ["set server #3/#1 state drain", { kind: "set-admin", set: 0x08, clear: 0x01 }],
    ["set weight be/s1 50%", { kind: "set-weight", weight: 5 }],
    ["set maxconn server be/s1 7", { kind: "set-maxconn", maxconn: 7 }],
    ["set server be/s1 addr 10.0.0.1", { kind: "set-address", host: "10.0.0.1", port: 28901 }],
    ["set server be/s2 addr 0:0::0002 port 80", { kind: "set-address", host: "::2", port: 80 }],
    ["shutdown sessions server be/s1", { kind: "cut-server" }],
    ["shutdown sessions server be/s1 idle 0", { kind: "cut-selected", selector: { backend: -1, idleMs: 0 } }],
    ["shutdown sessions older 10", { kind: "cut-selected", selector: { olderMs: 10_000, server: -1 } }],
    ["shutdown session 0x200001", { kind: "cut-session", id: 0x200001 }],
    ["shutdown frontend fe", { kind: "shutdown-frontend" }],
    ["clear counters", { kind: "clear-counters", all: false }],
    ["clear counters all", { kind: "clear-counters", all: true }],
    ["clear counters nope", { kind: "clear-counters", all: false }],
    ["del server be/s2", { kind: "delete-server" }],
  ])("%s", async (line, change) => {
    const program = await InMemoryProgram.start();
    await run(program, line);
    expect(program.changes).toMatchObject([change]);
  });

  it("a cut that leaves sessions behind is not answered with silence", async () => {
    // The relays of this program acknowledge and do nothing.
    const program = await InMemoryProgram.start();
    program.addSession();
    const answer = await run(program, "shutdown sessions server be/s1");
    expect(answer).toBe("1 sessions are still there, which is a defect of Headgate (use 'show sess').\n");
  });

  it.each([
    "set server be/s1 weight 257",
    "set server be/s1 addr 10.0.0.1 port 99999",
    "set server be/s1 addr 10.0.0.1 port 0",
    "set server be/s1 addr 10.0.0.1 prt 80",
    "set server be/s1 addr nope",
    "set server be/s1 addr 127.0.0.1 port 28901",
    "set server other/s1 addr 127.0.0.1",
    "set maxconn server be/s1 -1",
    "shutdown session x5",
    "shutdown sessions",
    "shutdown sessions all",
    "shutdown sessions server be/s1 nope",
    "shutdown sessions server be/s1 older",
    "shutdown sessions from 10.0.0.0/40",
    "add server be/s1 10.0.0.1:80",
    "add server be/n 10.0.0.1:80 id 7",
    "add server be/n* 10.0.0.1:80",
    "add server be/n 10.0.0.1:99999",
  ])("commits nothing: %s", async (line) => {
    const program = await InMemoryProgram.start();
    expect(await run(program, line)).not.toBe("");
    expect(program.changes).toEqual([]);
  });

  it("bad-numbers: port 99999 is refused with the range", async () => {
    const program = await InMemoryProgram.start();
    expect(await run(program, "set server be/s1 addr 127.0.0.9 port 99999")).toContain("from 1 to 65535");
  });

  it("a new server gets the lowest free id, starts in maintenance, and can be deleted", async () => {
    const program = await InMemoryProgram.start();
    expect(await run(program, "add server be/n 10.0.0.1:80 weight 3 maxconn 5")).toBe("New server registered.\n");
    expect(await run(program, "show servers state be")).toMatch(/^3 be 2 n 10\.0\.0\.1 0 1 3 3 0 1 /m);
    expect(await run(program, "del server be/n")).toBe("Server deleted.\n");
    expect(await run(program, "del server be/n")).toBe("No such server.\n");
    expect(await run(program, "del server be/s1")).toBe("Only servers in maintenance mode can be deleted.\n");
  });
});

describe("wait", () => {
  it("ends when the server is removable, fails at once where waiting does not help", async () => {
    const program = await InMemoryProgram.start();
    expect(await run(program, "wait 1h srv-removable be/s2")).toBe("Done.\n");
    expect(await run(program, "wait 1h srv-removable be/s1")).toBe(
      "Failed. Only servers in maintenance mode can be deleted.\n",
    );
    expect(await run(program, "wait 1h srv-removable be/nope")).toBe("Failed. No such server.\n");
    const waiting = run(program, "wait 1ms");
    expect(await waiting).toBe("Done.\n");
    expect(program.progressListeners.size).toBe(0);
  });

  it("sees a server that is deleted meanwhile", async () => {
    const program = await InMemoryProgram.start();
    const [s1] = program.registry.proxies[1]!.servers;
    await run(program, "disable server be/s1");
    const { V_ATTACHED, SERVER_WORDS } = await import("../memory/server-row.ts");
    program.memory.serversI32[s1!.index * SERVER_WORDS + V_ATTACHED] = 1;
    const waiting = run(program, "wait 1h srv-removable be/s1");
    program.memory.serversI32[s1!.index * SERVER_WORDS + V_ATTACHED] = 0;
    await run(program, "del server be/s1");
    expect(await waiting).toMatch(/^(Done\.|Failed\. No such server\.)\n$/);
  });

  it("is given up when nobody is left to answer to", async () => {
    const program = await InMemoryProgram.start();
    const gone = new AbortController();
    const waiting = run(program, "wait 1h", gone.signal);
    gone.abort();
    await waiting;
    expect(program.progressListeners.size).toBe(0);
  });
});

describe("show sess", () => {
  async function withSessions() {
    const program = await InMemoryProgram.start();
    const young = program.addSession({ port: 1 });
    const old = program.addSession({ port: 2, ageMs: 7_200_000, thread: 1 });
    const queued = program.addSession({ port: 3, state: SessionState.QUEUED });
    const backup = program.addSession({ port: 4, server: 1, state: SessionState.TURN_AROUND });
    const ids = async (line: string): Promise<string[]> =>
      [...(await run(program, line)).matchAll(/^(0x[0-9a-f]+):/gm)].map((match) => match[1]!);
    return { program, young, old, queued, backup, ids };
  }

  it("shows a line for each, with thread, states and deadlines", async () => {
    const { program, young, old, queued, backup } = await withSessions();
    const lines = (await run(program, "show sess")).split("\n");
    expect(lines.map((line) => line.slice(0, line.indexOf(":")))).toEqual([young, queued, backup, old, ""]);
    expect(lines[0]).toMatch(
      /: proto=tcpv4 src=192\.0\.2\.1:1 fe=fe be=be srv=s1 ts=00 .* age=0s .* scf=\[8,0h,fd=1\/30,rex=(1m|59s),wex=\] scb=\[8,1h,fd=1\/31,.* rc=0 c_exp= thread=1$/,
    );
    expect(lines[1]).toMatch(/ srv=<none> .* scb=\[2,1h,fd=1\/-1,rex=,wex=\] exp=[45]s rc=0 c_exp=[45]s thread=1$/);
    expect(lines[2]).toMatch(/ srv=s2 .* scb=\[3,/);
    expect(lines[3]).toMatch(/ age=2h .* thread=2$/);
  });

  it("filters", async () => {
    const { young, old, queued, backup, ids } = await withSessions();
    expect(await ids("show sess older 1h")).toEqual([old]);
    expect(await ids("show sess all older 1h")).toEqual([old]);
    expect(await ids("show sess older 3h")).toEqual([]);
    expect(await ids("show sess server be/s1")).toEqual([young, old]);
    expect(await ids("show sess backend #3")).toEqual([young, queued, backup, old]);
    expect(await ids("show sess frontend fe")).toEqual([young, queued, backup, old]);
    expect(await ids("show sess backend other")).toEqual([]);
    expect(await ids(`show sess ${old}`)).toEqual([old]);
  });

  it("knows no session that ended, nor one that took over its row", async () => {
    const { program, young, ids } = await withSessions();
    program.endSession(0);
    expect(await ids("show sess")).not.toContain(young);
    expect(await run(program, `show sess ${young}`)).toBe("Session not found.\n");
  });

  it.each([
    ["show sess nope", "Unsupported option 'nope', try 'help' for more info."],
    ["show sess older", "Expects a minimum age (in seconds by default)."],
    ["show sess older abc", "Invalid age."],
    ["show sess all server", "Missing server name (<backend>/<server>)."],
    ["show sess server be", "Require 'backend/server'."],
    ["show sess server be/nope", "No such server."],
    ["show sess backend", "Missing backend name."],
    ["show sess frontend be", "No such frontend."],
    ["show sess frontend fe frontend fe", "'frontend' may be given once."],
    ["show sess from localhost", "Invalid network: an IP address or <address>/<bits>."],
    ["show sess idle 1y", "Invalid idle time."],
    ["show sess state nope", "Unknown state 'nope': queued, connecting, turn-around, established, half-closed."],
    ["show sess and older 1", "'and' stands between two filters."],
    ["show sess older 1 and", "'and' stands between two filters."],
    ["show sess top 0 by age", "Expects a number of sessions from 1 to 1000."],
    ["show sess top by size", "Usage: show sess top [<n>] by bytes|age|idle|rate [<filter>*]"],
    ["show sess 0x12", "Session not found."],
  ])("%s", async (line, text) => {
    expect(await run(await InMemoryProgram.start(), line)).toBe(`${text}\n`);
  });
});

describe("show stat", () => {
  it("has HAProxy's columns in their places", () => {
    const places = {
      pxname: 0,
      status: 17,
      lastchg: 23,
      type: 32,
      check_status: 36,
      lastsess: 55,
      addr: 73,
      uweight: 99,
      cache_hint_hits: 118,
    };
    for (const [name, position] of Object.entries(places)) expect(STAT_FIELDS[position]!.name).toBe(name);
    expect(HAPROXY_COLUMNS).toBe(119);
  });

  it("has a column for each reason of a cut behind HAProxy's, and their values by threads' sums", async () => {
    const program = await InMemoryProgram.start();
    const { countersF64 } = program.memory;
    const s1 = program.registry.proxies.find(({ name }) => name === "be")!.servers[0]!.index;
    for (const thread of [0, 1]) {
      countersF64[proxyCounters(program.memory, thread, 0) + CF_CUTS + CutReason.OPERATOR] = 2;
      countersF64[proxyCounters(program.memory, thread, 1) + CB_CUTS + CutReason.EVICTION] = 3;
      countersF64[serverCounters(program.memory, thread, s1) + CS_CUTS + CutReason.TIMEOUT] = 4;
    }
    const [header, ...rows] = (await run(program, "show stat")).trim().split("\n");
    const names = header!.replace(/^# /, "").split(",");
    const own = names.slice(names.indexOf("-") + 1, -1);
    expect(names.indexOf("-")).toBe(119);
    expect(own).toHaveLength(CUT_REASON_NAMES.length - 1);
    expect(own.every((name) => /^cut_[a-z_]+$/.test(name))).toBe(true);
    const values = rows.flatMap((row) => {
      const fields = row.split(",");
      expect(fields).toHaveLength(names.length);
      return own.flatMap((name) => {
        const value = fields[names.indexOf(name)];
        return value === "0" ? [] : [`${fields[1]} ${name} ${value}`];
      });
    });
    expect(values).toContain("FRONTEND cut_operator 4");
    expect(values).toContain("BACKEND cut_eviction 6");
    expect(values.filter((value) => value.endsWith("cut_timeout 8"))).toHaveLength(1);
    expect(await run(program, "show stat typed")).toMatch(/^S\.\d+\.\d+\.131\.cut_timeout\.1:MCPP:u64:8$/m);
  });

  it("adds up threads, and weighs their averages by what they timed", async () => {
    const program = await InMemoryProgram.start();
    const { countersF64 } = program.memory;
    for (const [thread, sessions, timed, average] of [
      [0, 3, 1, 100],
      [1, 4, 3, 20],
    ] as const) {
      countersF64[proxyCounters(program.memory, thread, 0) + CF_SESSIONS] = sessions;
      countersF64[proxyCounters(program.memory, thread, 1) + CB_TIMED] = timed;
      countersF64[proxyCounters(program.memory, thread, 1) + CB_QUEUE_MS_AVG] = average;
    }
    expect(await run(program, "show stat fe 1 -1 typed")).toContain("F.2.0.7.stot.1:MCPP:u64:7\n");
    expect(await run(program, "show stat be 2 -1 typed")).toContain("B.3.0.58.qtime.1:MaPV:u32:40\n");
  });

  it("every row has as many cells as the header", async () => {
    const program = await InMemoryProgram.start();
    const lines = (await run(program, "show stat")).trimEnd().split("\n");
    expect(new Set(lines.map((line) => line.split(",").length))).toEqual(new Set([134]));
    expect(lines.map((line) => line.split(",").slice(0, 2).join("/"))).toEqual([
      "# pxname/svname",
      "fe/FRONTEND",
      "be/s1",
      "be/s2",
      "be/BACKEND",
      "other/s1",
      "other/BACKEND",
    ]);
  });
});

describe("words that name no command", () => {
  const listed = (line: string): string[] =>
    [...unknownCommandText(OPERATIONS, [], line.split(" ")).matchAll(/^ {2}([^:]+?) *: /gm)].map((match) => match[1]!);

  it("propose what is near, or begins alike", () => {
    expect(listed("show sevrers")).toEqual(["show servers conn [<backend>]", "show servers state [<backend>]"]);
    expect(listed("shwo info")).toContain("show info [typed|json|desc|float]*");
    expect(listed("show s").every((usage) => usage.startsWith("show s"))).toBe(true);
    expect(listed("qqqqqqqq")).toHaveLength(OPERATIONS.length);
  });
});
