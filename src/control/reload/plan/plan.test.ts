import { describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../../../test/unit/in-memory-program.ts";
import { loadConfigText } from "../../../config/load.ts";
import type { Config } from "../../../config/model.ts";
import { W_MAXCONN } from "../../../memory/control-words.ts";
import { CT_ROWS_USED } from "../../../memory/counters.ts";
import { AdminState, OperState, SERVER_WORDS, V_ATTACHED, V_QUEUE_LENGTH } from "../../../memory/server-row.ts";
import {
  S_ACCEPT_F64,
  S_CLIENT_ACTIVE_F64,
  S_SERVER,
  S_SERVER_ACTIVE_F64,
  S_STATE,
  SESSION_WORDS,
  SessionState,
} from "../../../memory/session-row.ts";
import { threadCounters } from "../../../memory/shared-memory.ts";
import { findProxy, findServer, type ServerEntry } from "../../registry.ts";
import type { ReloadPlan } from "./model.ts";
import { planReload } from "./plan.ts";
import { planText } from "./plan-text.ts";

const DEFAULTS = "defaults\n  timeout client 1m\n  timeout server 1m\n  timeout connect 5s\n";

function load(text: string): Config {
  const { config, diagnostics } = loadConfigText(DEFAULTS + text, "new.cfg", {});
  if (config === undefined) throw new Error(diagnostics.map((d) => d.message).join("; "));
  return config;
}

class Running {
  readonly program: InMemoryProgram;

  private constructor(program: InMemoryProgram) {
    this.program = program;
  }

  static async with(text: string): Promise<Running> {
    const program = await InMemoryProgram.start(DEFAULTS + text, 1000);
    program.memory.words[W_MAXCONN] = 1000;
    return new Running(program);
  }

  server(name: string): ServerEntry {
    const [backend = "", server = ""] = name.split("/");
    const entry = findServer(findProxy(this.program.registry, backend, "backend")!, server);
    if (entry === undefined) throw new Error(`no server ${name}`);
    return entry;
  }

  hasSessions(name: string, attached: number, queued = 0): void {
    const row = this.server(name).index * SERVER_WORDS;
    this.program.memory.serversI32[row + V_ATTACHED] = attached;
    this.program.memory.serversI32[row + V_QUEUE_LENGTH] = queued;
  }

  plan(text: string): ReloadPlan {
    return planReload(this.program.registry, this.program.memory, load(text), this.program.nowMs());
  }

  /** The plan's lines without the summary and without places. */
  lines(text: string): string[] {
    const [, ...lines] = planText(this.plan(text)).trimEnd().split("\n");
    return lines.map((line) => line.replace(/ \(new.cfg:\d+\)$/, ""));
  }
}

const server = (name: string, port: number, words = ""): string => `  server ${name} 127.0.0.1:${port} ${words}\n`;
const B = `backend b\n${server("s1", 1)}${server("s2", 2)}`;

describe("the plan of a reload", () => {
  it("is empty where the files say what is loaded", async () => {
    const running = await Running.with(B);
    const plan = running.plan(`# a comment\n${B}`);
    expect(plan.hasChanges).toBe(false);
    expect(planText(plan)).toBe("No changes, the files say what is loaded.\n");
  });

  it("says how many sessions leave with a server, and what becomes of them", async () => {
    const running = await Running.with(
      `backend b\n${server("keeps", 1)}${server("drains", 2, "on-removed drain 30s")}${server("cuts", 3, "on-removed shutdown-sessions")}${server("idle", 4)}${server("stays", 5)}`,
    );
    for (const [name, sessions] of [
      ["b/keeps", 3],
      ["b/drains", 1],
      ["b/cuts", 2],
    ] as const)
      running.hasSessions(name, sessions, name === "b/cuts" ? 5 : 0);
    const next = `backend b\n${server("stays", 5)}`;
    expect(running.lines(next)).toEqual([
      "- server b/keeps 127.0.0.1:1 leaves with 3 sessions: they stay until they end (on-removed keep)",
      "- server b/drains 127.0.0.1:2 leaves with 1 session: ended after 30s at the latest (on-removed drain 30s)",
      "- server b/cuts 127.0.0.1:3 leaves with 7 sessions: ended at once (on-removed shutdown-sessions)",
      "- server b/idle 127.0.0.1:4 leaves, without sessions",
    ]);
    const bounded = running.plan(`global\n  hard-stop-after 10s\n${next}`).servers.leaving;
    expect(bounded.map(({ endsAfterMs }) => endsAfterMs)).toEqual([10_000, 10_000, 0, 10_000]);
  });

  it("tells a server with another address as one that leaves and one that comes", async () => {
    const running = await Running.with(B);
    running.hasSessions("b/s1", 2);
    expect(running.lines(B.replace("127.0.0.1:1 ", "127.0.0.1:9 "))).toEqual([
      "+ server b/s1 127.0.0.1:9, at its new address",
      "- server b/s1 127.0.0.1:1 leaves with 2 sessions, now called b/s1@127.0.0.1:1: they stay until they end (on-removed keep)",
    ]);
  });

  it("tells sections and their listeners", async () => {
    const running = await Running.with(
      `frontend f\n  bind 127.0.0.1:8001\n  bind 127.0.0.1:8002 maxconn 5\n  default_backend b\n${B}listen old\n  bind 127.0.0.1:8003\n${server("x", 7)}`,
    );
    running.hasSessions("old/x", 1);
    const next = `frontend f\n  bind 127.0.0.1:8002 maxconn 6\n  bind 127.0.0.1:8004\n  timeout client 2m\n  default_backend b\nfrontend g\n  bind 127.0.0.1:8001\n  default_backend b\n${B}`;
    expect(running.lines(next)).toEqual([
      "+ frontend g",
      "~ frontend f: timeout client 1m -> 2m",
      "- listen old is removed",
      "+ listener 127.0.0.1:8004 of f",
      "~ listener 127.0.0.1:8002 of f: maxconn 5 -> 6",
      "~ listener 127.0.0.1:8001 goes from f to g, and stays open",
      "- listener 127.0.0.1:8003 of old is closed",
      "- server old/x 127.0.0.1:7 leaves with 1 session: they stay until they end (on-removed keep)",
    ]);
  });

  it("takes many servers with the same to tell in one line", async () => {
    const many = (weight: number): string =>
      `backend b\n${Array.from({ length: 20 }, (_, i) => server(`s${i}`, i + 1, `weight ${weight}`)).join("")}`;
    const running = await Running.with(many(1));
    expect(running.lines(many(2))).toEqual(["~ 20 servers of b (s0, s1, s2, ...): weight 1 -> 2"]);
    expect(running.lines("backend b\n")).toEqual(["- 20 servers of b (s0, s1, s2, ...) leave, without sessions"]);
    expect(running.lines(`${many(1)}backend c\n${server("x", 1)}`)).toEqual(["+ backend c with 1 server"]);
  });

  it("names what waits for a restart", async () => {
    const running = await Running.with(`global\n  maxconn 10\n${B}`);
    const plan = running.plan(`global\n  maxconn 20\n  nbthread 3\n  chroot /x\n${B}`);
    expect(plan.needsRestart).toBe(true);
    expect(planText(plan).split("\n")).toEqual([
      "Settings changed; a restart is needed for some.",
      "! the reload is refused: nbthread 3 needs a restart: this process was started with 2 threads.",
      "~ global: maxconn 10 -> 20",
      "! global: nbthread 3, was not set, which needs a restart",
      "! global: chroot /x, was not set, which needs a restart",
      "",
    ]);
  });

  it("has colours for a terminal only", async () => {
    const plan = (await Running.with(B)).plan(`${B}${server("s3", 3)}`);
    expect(planText(plan, { colour: true })).toContain("\x1b[32m+ server b/s3");
    expect(planText(plan)).not.toContain("\x1b");
  });
});

describe("sessions that policies end", () => {
  it("are told with their server's state and the word that does it", async () => {
    const names = ["maint", "drain", "down", "off", "kept"];
    const config = (words: Readonly<Record<string, string>>): string =>
      `backend b\n${names.map((name, i) => server(name, i + 1, `check ${words[name] ?? ""}`)).join("")}`;
    const running = await Running.with(config({}));
    const { program } = running;
    for (const name of names) running.hasSessions(`b/${name}`, 2);
    const admin = (name: string, set: number) =>
      program.commit({ kind: "set-admin", server: running.server(`b/${name}`), set, clear: 0 });
    await admin("maint", AdminState.FORCED_MAINT);
    await admin("kept", AdminState.FORCED_MAINT);
    await admin("drain", AdminState.FORCED_DRAIN);
    const down = running.server("b/down");
    await program.commit({ kind: "set-health", server: down, source: "check", oper: OperState.STOPPED });
    running.hasSessions("b/down", 1);
    const lines = running.lines(
      config({
        maint: "on-maint drain 10s",
        kept: "on-maint keep on-marked-down shutdown-sessions",
        drain: "on-drain idle 5s",
        down: "on-marked-down shutdown-sessions after 5s over 10s",
        off: "disabled on-marked-down shutdown-sessions",
      }),
    );
    expect(lines.filter((line) => line.startsWith("!"))).toEqual([
      "! b/maint is in maintenance: its 2 sessions are ended within 10s (on-maint drain 10s)",
      "! b/drain drains: its 2 sessions are ended when quiet (on-drain idle 5s)",
      "! b/down is down: its 1 session is ended within 15s (on-marked-down shutdown-sessions after 5s over 10s)",
      "! b/off enters maintenance: its 2 sessions are ended at once (on-marked-down shutdown-sessions)",
    ]);
  });

  it("are those that are older, or quiet for longer, than they may now be", async () => {
    const running = await Running.with(B);
    const { memory, registry } = running.program;
    const ages = [10, 100, 1000];
    running.hasSessions("b/s1", ages.length);
    memory.countersF64[threadCounters(memory, 0) + CT_ROWS_USED] = ages.length;
    for (const [row, seconds] of ages.entries()) {
      memory.sessions[row * SESSION_WORDS + S_STATE] = SessionState.ESTABLISHED;
      memory.sessions[row * SESSION_WORDS + S_SERVER] = running.server("b/s1").index;
      const base = (row * SESSION_WORDS) / 2;
      memory.sessionsF64[base + S_ACCEPT_F64] = -seconds * 1000;
      memory.sessionsF64[base + S_CLIENT_ACTIVE_F64] = -seconds * 500;
      memory.sessionsF64[base + S_SERVER_ACTIVE_F64] = -seconds * 500;
    }
    const plan = planReload(registry, memory, load(`${B}  max-session-age 500s\n  max-session-idle 40s\n`), 0);
    expect(
      planText(plan)
        .split("\n")
        .filter((line) => line.startsWith("!")),
    ).toEqual([
      "! b/s1: 1 session is older than max-session-age 500s, and is ended",
      "! b/s1: 1 session has been quiet for longer than max-session-idle 40s, and is ended",
    ]);
  });
});

describe("values that were changed at runtime", () => {
  const base = `frontend f\n  bind 127.0.0.1:8001\n  maxconn 50\n  default_backend b\n`;
  const before = `${base}backend b\n${server("s1", 1, "weight 10 maxconn 5")}${server("s2", 2)}${server("s3", 3, "disabled")}`;

  async function changed(): Promise<Running> {
    const running = await Running.with(before);
    const { program } = running;
    const f = findProxy(program.registry, "f", "frontend")!;
    await program.commit({ kind: "set-weight", server: running.server("b/s1"), weight: 50 });
    await program.commit({ kind: "set-maxconn", server: running.server("b/s1"), maxconn: 9 });
    await program.commit({ kind: "set-admin", server: running.server("b/s2"), set: AdminState.FORCED_DRAIN, clear: 0 });
    await program.commit({ kind: "set-admin", server: running.server("b/s3"), set: 0, clear: AdminState.FORCED_MAINT });
    await program.commit({ kind: "set-frontend-maxconn", proxy: f, maxconn: 7 });
    return running;
  }

  it("stay where the file says what it said", async () => {
    const running = await changed();
    const plan = running.plan(`# nothing new\n${before}`);
    expect(plan).toMatchObject({ hasChanges: false, overruled: [] });
    expect(plan.staying.map(({ of, setting, runtime, file }) => [of, setting, runtime, file])).toEqual([
      ["frontend f", "maxconn", "7", "50"],
      ["b/s1", "weight", "50", "10"],
      ["b/s1", "maxconn", "9", "5"],
      ["b/s2", "state", "drain", "ready"],
      ["b/s3", "state", "ready", "maint"],
    ]);
  });

  it("are overruled where it says something else, unless it says the same as they", async () => {
    const running = await changed();
    const now = `${base.replace("50", "60")}backend b\n${server("s1", 1, "weight 20 maxconn 9")}${server("s2", 2, "disabled")}${server("s3", 3)}`;
    expect(running.lines(now).filter((line) => /^[!=]/.test(line))).toEqual([
      "! frontend f: maxconn 7, set at runtime, is lost: the file now says 60",
      "! b/s1: weight 50, set at runtime, is lost: the file now says 20",
      "! b/s2: state drain, set at runtime, is lost: the file now says maint",
    ]);
  });

  it("are lost with a server that gets another address in the file", async () => {
    const running = await changed();
    const lines = running.lines(before.replace("127.0.0.1:2 ", "127.0.0.1:9 "));
    expect(lines).toContain(
      "! b/s2: state drain, set at runtime, is lost: its new address is a new server, with ready",
    );
  });

  it("are the address too", async () => {
    const running = await Running.with(B);
    const entry = running.server("b/s1");
    await running.program.commit({
      kind: "set-address",
      server: entry,
      host: "127.0.0.7",
      port: 77,
    });
    expect(entry.host).toBe("127.0.0.7");
    expect(running.plan(B).staying).toMatchObject([{ of: "b/s1", setting: "address", runtime: "127.0.0.7:77" }]);
  });
});
