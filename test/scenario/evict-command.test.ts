// `headgate evict`: what it prints, how it ends, and Ctrl-C; on the program's own command line where that is enough, and with a
// terminal of the test's where somebody has to sit at it.

import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { runEvictCommand } from "../../src/ways-in/evict-command.ts";
import type { Terminal } from "../../src/ways-in/terminal.ts";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { runHeadgate } from "../harness/command.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(count: number) {
  const upstream = opened(await Upstream.start(echo));
  const port = await freePort();
  const config = simpleConfig({ port, threads: 2, servers: [`a ${upstream.endpoint}`] });
  const program = opened(await Program.start({ config }));
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
    clients.push(client);
  }
  return { program, upstream, clients };
}

/** The command as typed into a shell. */
const shell = (...words: string[]) => runHeadgate(["evict", ...words], opened);

/** A terminal at which the test sits: it gives `answers` to questions, and may press Ctrl-C. */
class TestTerminal implements Terminal {
  readonly isWatched = true;
  stdout = "";
  stderr = "";
  readonly questions: string[] = [];
  readonly #answers: string[];
  readonly #listeners = new Set<() => void>();

  constructor(...answers: string[]) {
    this.#answers = answers;
  }

  out(text: string): void {
    this.stdout += text;
  }

  error(text: string): void {
    this.stderr += text;
  }

  onInterrupt(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async ask(question: string): Promise<string | undefined> {
    this.questions.push(question);
    return this.#answers.shift();
  }

  interrupt(): void {
    for (const listener of this.#listeners) listener();
  }
}

describe("headgate evict", () => {
  it("0: verified empty; the receipt as text", async () => {
    const { program } = await start(3);
    const { code, stdout, stderr } = await shell("be/a", "-s", program.socketPath, "--over", "300ms");
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^Eviction 1 of be\/a \(127\.\S+\): done, verified empty\.\n/);
    expect(stdout).toContain("3 cut at pace");
    expect(code).toBe(0);
  });

  it("0: as JSON, and the server deleted", async () => {
    const { program } = await start(2);
    const { code, stdout } = await shell("be/a", "-s", program.socketPath, "--delete", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ server: "be/a", matched: 2, deleted: true, verified: true });
    expect(code).toBe(0);
    expect((await shell("be/a", "-s", program.socketPath)).stderr).toBe("headgate: No such server.\n");
  });

  it("0: sessions by filter, with the server left in service; 2 without a filter", async () => {
    const { program, clients } = await start(3);
    const socket = ["-s", program.socketPath];
    const { code, stdout } = await shell(
      "sessions",
      "backend",
      "be",
      "and",
      "older",
      "0",
      "--over",
      "200ms",
      ...socket,
    );
    expect(stdout).toMatch(/^Eviction 1 of sessions backend be and older 0: done, verified empty\.\n/);
    expect(code).toBe(0);
    for (const client of clients) await client.waitForEnd();
    const refused = await shell("sessions", ...socket);
    expect(refused.stderr).toMatch(/^headgate: Which sessions\? At least one filter is needed/);
    expect(refused.code).toBe(2);
  });

  it("0: a dry run changes nothing", async () => {
    const { program } = await start(2);
    const { code, stdout } = await shell("be/a", "-f", program.configPath, "--dry-run");
    expect(stdout).toMatch(/^Dry run of an eviction of be\/a: nothing was changed\.\n {2}sessions: +2 /);
    expect(code).toBe(0);
    expect(await program.sessions()).toHaveLength(2);
  });

  it("0: a dry run changes nothing, whatever else is asked for", async () => {
    const { program } = await start(2);
    const all = "be/a --drain 30s --idle 200ms --over 10s --deadline 60s --dry-run --delete --json";
    const { code, stdout } = await shell(...all.split(" "), "-s", program.socketPath);
    expect(JSON.parse(stdout)).toMatchObject({ server: "be/a", dryRun: true, matched: 2 });
    expect(code).toBe(0);
    expect(await program.sessions()).toHaveLength(2);
    expect(await program.runtime("show evictions")).toBe("\n");
  });

  it("1: foreign connections are left, and named", async () => {
    const { program, upstream } = await start(1);
    const foreign = connect({ host: upstream.address, port: upstream.port });
    opened({ close: () => void foreign.destroy() });
    await once(foreign, "connect");
    const { code, stdout } = await shell("be/a", "-s", program.socketPath);
    expect(stdout).toContain(`pid ${process.pid} (`);
    expect(code).toBe(1);
  });

  it.each([
    [["be/nope"], "No such server."],
    [["be"], "Require 'backend/server'."],
    [["be/a", "--drain", "5"], "'drain' expects a time with its unit, such as 30s."],
    [["be/a; show info"], "No such server."],
  ])("2: %j", async (words, text) => {
    const { program } = await start(0);
    const { code, stdout, stderr } = await shell(...words, "-s", program.socketPath);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `headgate: ${text}\n` });
    expect(await program.runtime("show evictions")).toBe("\n");
  });

  it("2: words that the command line does not know", async () => {
    expect(await shell("be/a", "--nope")).toMatchObject({ code: 2 });
    expect(await shell()).toMatchObject({ code: 2 });
  });

  it("3: nobody answers", async () => {
    const { code, stderr } = await shell("be/a", "-s", "/nowhere/stats.sock");
    expect({ code, stderr }).toEqual({ code: 3, stderr: "headgate: there is no socket /nowhere/stats.sock\n" });
  });
});

describe("headgate evict, watched", () => {
  const begin = (program: Program, terminal: Terminal, ...words: string[]): Promise<number> =>
    runEvictCommand(
      {
        kind: "evict",
        words: ["server", "be/a", ...words],
        dryRun: false,
        json: false,
        socket: program.socketPath,
        files: [],
      },
      {},
      terminal,
    );

  it("shows how far it is", async () => {
    const { program, clients } = await start(4);
    const terminal = new TestTerminal();
    const ended = begin(program, terminal, "drain", "1h");
    await waitFor(() => terminal.stderr.includes("0 of 4 sessions are gone, 4 left"), "the bar");
    clients[0]!.close();
    await waitFor(
      () => terminal.stderr.includes("[#######.......................] 1 of 4 sessions are gone, 3 left"),
      "a step",
    );
    for (const client of clients) client.close();
    expect(await ended).toBe(0);
    expect(terminal.stdout).toContain("4 ended by themselves");
  });

  it("Ctrl-C, abort: the eviction ends, the receipt says what is left", async () => {
    const { program, clients } = await start(3);
    const terminal = new TestTerminal("w", "a");
    const ended = begin(program, terminal, "drain", "1h");
    await waitFor(() => terminal.stderr.includes("3 left"), "the bar");
    terminal.interrupt();
    await waitFor(() => terminal.questions.length === 1, "the question");
    const shown = terminal.stderr.length;
    await waitFor(() => terminal.stderr.slice(shown).includes("3 left"), "the bar to go on");
    terminal.interrupt();
    expect(await ended).toBe(1);
    expect(terminal.questions[1]).toContain("Leave it to go on (l), abort it (a), or keep watching (w)?");
    expect(terminal.stdout).toContain("cancelled (cancelled by an order)");
    expect(terminal.stdout).toContain("survivors:  3");
    for (const client of clients) await client.roundTrip("still here");
  });

  it("Ctrl-C, leave: the command ends, the eviction goes on", async () => {
    const { program } = await start(3);
    const terminal = new TestTerminal("l");
    const ended = begin(program, terminal, "drain", "1h");
    await waitFor(() => terminal.stderr.includes("3 left"), "the bar");
    terminal.interrupt();
    expect(await ended).toBe(1);
    expect(terminal.stderr).toContain("The eviction goes on; see 'show evictions'.\n");
    expect(await program.runtime("show evictions")).toContain("outcome=running");
  });

  it("a program that ends meanwhile is not reachable", async () => {
    const { program } = await start(1);
    const terminal = new TestTerminal();
    const ended = begin(program, terminal, "drain", "1h");
    await waitFor(() => terminal.stderr.includes("1 left"), "the bar");
    program.signal("SIGKILL");
    expect(await ended).toBe(3);
  });
});
