// The stats socket as clients see it: framing, modes, half-close, limits, slow readers, and clients that vanish.

import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../../test/harness/closing.ts";
import { temporaryDirectory } from "../../test/harness/temporary-directory.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import { CONTROL_BACKLOG_MAX } from "../base/limits.ts";
import type { AdminLevel, StatsSocket } from "../config/model.ts";
import { statsOf } from "../control/stats/program-stats.ts";
import { startRuntimeSocket } from "./runtime-socket.ts";

const opened = closeAfterEach();
const PLACE = { file: "test.cfg", line: 1, column: 1 };

interface StageOptions {
  readonly level?: AdminLevel;
  readonly mode?: number;
  readonly timeoutMs?: number;
  readonly maxConnections?: number;
  readonly rowsPerThread?: number;
}

async function start(options: StageOptions = {}) {
  const directory = opened(temporaryDirectory());
  const program = await InMemoryProgram.start(undefined, options.rowsPerThread);
  const path = join(directory.path, "stats.sock");
  const config: StatsSocket = {
    endpoint: { kind: "unix", path },
    level: options.level ?? "admin",
    ...(options.mode === undefined ? {} : { mode: options.mode }),
    place: PLACE,
  };
  const { timeoutMs = 60_000, maxConnections = 10 } = options;
  const logged: string[] = [];
  const log = (text: string) => void logged.push(text);
  const socket = opened(await startRuntimeSocket(program, config, { statsTimeoutMs: timeoutMs, maxConnections, log }));
  return { program, path, socket, config, logged, directory: directory.path };
}

/** A client that keeps everything it got. */
class Conversation {
  readonly socket: Socket;
  text = "";
  ended = false;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.setEncoding("utf8").on("data", (chunk: string) => {
      this.text += chunk;
    });
    this.socket.on("end", () => {
      this.ended = true;
      this.socket.end();
    });
    this.socket.on("error", () => {});
  }

  send(text: string): void {
    this.socket.write(text);
  }

  async until(text: string): Promise<void> {
    await waitFor(
      () => this.text === text,
      () => `${JSON.stringify(text)}, got ${JSON.stringify(this.text)}`,
    );
  }

  async untilEnd(): Promise<string> {
    await waitFor(
      () => this.ended || this.socket.destroyed,
      () => `the end, got ${JSON.stringify(this.text)}`,
    );
    return this.text;
  }

  close(): void {
    this.socket.destroy();
  }
}

async function ask(path: string, text: string): Promise<string> {
  const conversation = opened(new Conversation(path));
  conversation.send(text);
  return conversation.untilEnd();
}

describe("one line and close", () => {
  it.each([
    ["show version\n", "1.2.3\n\n"],
    ["show version\r\n", "1.2.3\n\n"],
    ["show version\nshow version\n", "1.2.3\n\n"],
    ["echo a;;echo b;\n", "a\n\n\nb\n\n\n"],
    ["\n", "\n"],
    ["disable server be/s1; show cli level\n", "\nadmin\n\n"],
    ["quit; echo a\n", ""],
    ["echo a <<\nfoo\n\n", "a\n\n"],
    ["echo a <<END\nfoo\n\nEND\n", "a\n\n"],
    ["set severity-output number; disable server be/x; echo a\n", "\n[3]: No such server.\n\n[6]: a\n\n"],
    ["set severity-output string; disable server be/x; disable server be/s1\n", "\n[err]: No such server.\n\n\n"],
    [`${"a ".repeat(65)}\n`, "Too many arguments. Commands must have at most 64 arguments.\n\n"],
  ])("%j", async (line, answer) => {
    const { path } = await start();
    expect(await ask(path, line)).toBe(answer);
  });

  it("takes a line that arrives in pieces", async () => {
    const { path } = await start();
    const client = opened(new Conversation(path));
    for (const piece of ["show", " ver", "sion; ec", "ho x", "\n"]) {
      client.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.untilEnd()).toBe("1.2.3\n\nx\n\n");
  });

  it("runs nothing of a line without its end", async () => {
    const { path, program } = await start();
    const client = opened(new Conversation(path));
    client.socket.end("disable server be/s1");
    expect(await client.untilEnd()).toBe("");
    expect(program.changes).toEqual([]);
  });

  it("refuses a line that is too long", async () => {
    const { path } = await start();
    expect(await ask(path, "x".repeat(16_385))).toMatch(
      /^The command line is too big: at most 16384 bytes are taken\./,
    );
  });
});

describe("line after line", () => {
  it("without a prompt: several lines in one packet are answered in order", async () => {
    const { path } = await start();
    const text = await ask(path, "prompt i\necho a;echo b\n\nwait 5ms\necho d <<\nx\n\nquit\n");
    expect(text).toBe("\na\n\nb\n\n\nDone.\n\nd\n\n");
  });

  it("with a prompt, also while a payload is typed", async () => {
    const { path } = await start();
    const client = opened(new Conversation(path));
    client.send("prompt\n");
    await client.until("\n> ");
    client.send("echo a; echo b\n");
    await client.until("\n> a\n\nb\n\n> ");
    client.send("echo <<\n");
    await client.until("\n> a\n\nb\n\n> + ");
    client.send("x\n\n");
    await client.until("\n> a\n\nb\n\n> + \n\n> ");
    client.send("prompt\n");
    expect(await client.untilEnd()).toBe("\n> a\n\nb\n\n> + \n\n> \n");
  });

  it("shows the uptime where it is asked to", async () => {
    const { path } = await start();
    expect(await ask(path, "prompt timed\nquit\n")).toMatch(/^\n\[0:01:02:\d\d\]> $/);
  });

  it("ends in good order when the client has no more to say", async () => {
    const { path } = await start();
    const client = opened(new Conversation(path));
    client.socket.end("prompt\nshow version\n");
    expect(await client.untilEnd()).toBe("\n> 1.2.3\n\n> ");
  });
});

describe("levels", () => {
  it("can be lowered, not raised, and decide what runs", async () => {
    const { path } = await start();
    const line = "operator;disable server be/s1;show env NO_SUCH;operator;user;show sess;operator;show cli level\n";
    const denied = "Permission denied\n\n";
    expect(await ask(path, line)).toBe(`\n${denied}Variable not found\n\n\n\n${denied}${denied}user\n\n`);
  });

  it("are the socket's own at the start", async () => {
    const { path, program } = await start({ level: "user" });
    expect(await ask(path, "disable server be/s1;get weight be/s1\n")).toBe("Permission denied\n\n10 (initial 10)\n\n");
    expect(program.changes).toEqual([]);
  });
});

describe("clients that close", () => {
  it("wait-half-closed: a client that closed its sending side gets the whole answer", async () => {
    const { path, program } = await start();
    program.addSession({ server: 0 });
    const client = opened(new Conversation(path));
    client.socket.end("wait 20ms; wait 1h srv-removable be/s2; show version\n");
    expect(await client.untilEnd()).toBe("Done.\n\nDone.\n\n1.2.3\n\n");
  });

  it("frees what a wait held when its client is gone altogether", async () => {
    const { path, program } = await start({ maxConnections: 1 });
    const client = new Conversation(path);
    client.socket.end("wait 1h\n");
    await waitFor(() => program.progressListeners.size === 1, "the wait to begin");
    client.close();
    await waitFor(() => program.progressListeners.size === 0, "the wait to be given up");
    expect(await ask(path, "show version\n")).toBe("1.2.3\n\n");
  });

  it("survives a client that vanishes in the middle of a dump", async () => {
    const { path, program } = await start({ rowsPerThread: 20_000 });
    for (let i = 0; i < 20_000; i++) program.addSession();
    const client = new Conversation(path);
    client.socket.once("data", () => client.close());
    client.send("show sess all\n");
    await waitFor(() => client.socket.destroyed, "the client to vanish");
    await waitFor(() => statsOf(program).controlConnections.open.length === 0, "its connection to end");
    expect(await ask(path, "show version\n")).toBe("1.2.3\n\n");
  });

  it("closes a connection that is idle for the timeout, without a word", async () => {
    const { path } = await start({ timeoutMs: 20 });
    const client = opened(new Conversation(path));
    client.send("prompt\n");
    expect(await client.untilEnd()).toBe("\n> ");
  });
});

describe("slow readers and long tables", () => {
  it("writes a dump as the client takes it, complete, while other clients are served", async () => {
    const sessions = 20_000;
    const { path, program } = await start({ rowsPerThread: sessions });
    for (let i = 0; i < sessions; i++) program.addSession({ port: 1 + i });
    const slow = opened(new Conversation(path));
    slow.socket.pause();
    slow.send("show sess\n");
    await waitFor(() => statsOf(program).controlConnections.open.some((c) => c.commands === 1), "the dump to begin");
    expect(await ask(path, "show version\n")).toBe("1.2.3\n\n");
    slow.socket.resume();
    const lines = (await slow.untilEnd()).split("\n").filter((line) => line.includes("fe=fe"));
    expect(new Set(lines.map((line) => line.slice(0, line.indexOf(":")))).size).toBe(sessions);
  });
});

describe("the socket itself", () => {
  it("closes the one connection whose command has a defect, says so, and serves on", async () => {
    const { path, program, logged } = await start({ maxConnections: 1 });
    Object.defineProperty(program, "version", {
      get: () => {
        throw new Error("a defect");
      },
    });
    expect(await ask(path, "show version\n")).toBe("");
    expect(logged.join()).toContain("a defect");
    expect(await ask(path, "show cli level\n")).toBe("admin\n\n");
  });

  it("says once that clients are turned away, and again when it happens anew", async () => {
    const { path, logged } = await start({ maxConnections: 1 });
    for (const spells of [1, 2]) {
      const clients = Array.from({ length: 1 + CONTROL_BACKLOG_MAX + 3 }, () => opened(new Conversation(path)));
      await waitFor(() => logged.length >= spells, "clients to be turned away");
      expect(logged).toHaveLength(spells);
      expect(logged.at(-1)).toMatch(/: clients are turned away, because 1 are served and 128 wait$/);
      for (const client of clients) client.close();
      // Those that closed may still be counted for a moment.
      await waitFor(async () => (await ask(path, "show version\n")) === "1.2.3\n\n", "a client to be served again");
    }
  });

  it("serves no more clients at once than it may; the others get their turn", async () => {
    const { path, program } = await start({ maxConnections: 2 });
    const first = [opened(new Conversation(path)), opened(new Conversation(path))];
    for (const client of first) client.send("prompt\n");
    for (const client of first) await client.until("\n> ");
    const third = opened(new Conversation(path));
    third.send("show version\n");
    first[0]!.send("show version\n");
    await first[0]!.until("\n> 1.2.3\n\n> ");
    expect([third.text, statsOf(program).controlConnections.open.length]).toEqual(["", 2]);
    first[0]!.close();
    expect(await third.untilEnd()).toBe("1.2.3\n\n");
  });

  it("lets those that wait in as soon as a reload allows more", async () => {
    const { path, socket, config } = await start({ maxConnections: 1 });
    const [first, second] = [opened(new Conversation(path)), opened(new Conversation(path))];
    first.send("prompt\n");
    await first.until("\n> ");
    second.send("show version\n");
    first.send("show version\n");
    await first.until("\n> 1.2.3\n\n> ");
    expect(second.text).toBe("");
    socket.update(config, { statsTimeoutMs: 60_000, maxConnections: 2 });
    expect(await second.untilEnd()).toBe("1.2.3\n\n");
  });

  it("has its mode, replaces a stale one, leaves no temporary name, and removes its path", async () => {
    const { path, program, config, directory, socket } = await start({ mode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const next = opened(await startRuntimeSocket(program, config, { statsTimeoutMs: 1000, maxConnections: 10 }));
    expect(readdirSync(directory)).toEqual(["stats.sock"]);
    await socket.close();
    expect(existsSync(path), "the path is the newer one's").toBe(true);
    expect(await ask(path, "show cli sockets\n")).toBe(`# socket lvl processes\nunix@${path} admin all\n\n`);
    await next.close();
    expect(existsSync(path)).toBe(false);
  });

  it("does not replace what is no socket", async () => {
    const { program, directory } = await start();
    const path = join(directory, "file");
    writeFileSync(path, "precious");
    const config: StatsSocket = { endpoint: { kind: "unix", path }, level: "admin", place: PLACE };
    const starting = startRuntimeSocket(program, config, { statsTimeoutMs: 1000, maxConnections: 10 });
    await expect(starting).rejects.toMatchObject({ code: "cannot-bind", message: expect.stringContaining(path) });
  });

  it("listens on TCP too", async () => {
    const program = await InMemoryProgram.start();
    const endpoint = { kind: "inet", host: "127.0.0.1", family: "ipv4", port: 0 } as const;
    const config: StatsSocket = { endpoint, level: "user", place: PLACE };
    const socket = opened(await startRuntimeSocket(program, config, { statsTimeoutMs: 1000, maxConnections: 10 }));
    const port = Number(/^ipv4@127\.0\.0\.1:(\d+)$/.exec(socket.address)?.[1]);
    const client = connect({ host: "127.0.0.1", port });
    let text = "";
    client.on("data", (chunk) => {
      text += chunk;
    });
    client.write("show cli level\n");
    await waitFor(
      () => text === "user\n\n",
      () => `the level, got ${text}`,
    );
    client.destroy();
  });
});
