import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { loadConfigText } from "../config/load.ts";
import type { LoadResult } from "../config/model.ts";
import { type RunOutcome, runRuntimeCommand } from "./run-command.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const noFiles = (): LoadResult => {
  throw new Error("no file is to be read");
};

/** A stats socket that answers every line alike and remembers what it was asked. */
async function statsSocket(answer: string, listen: (server: Server) => void): Promise<string[]> {
  const lines: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
      if (!text.endsWith("\n")) return;
      lines.push(text);
      socket.end(answer);
    });
    // A client that half-closes before its answer would be cut off by HAProxy; here it shows in the lines.
    socket.on("end", () => {
      if (!socket.writableEnded) lines.push("<half-closed>");
    });
    socket.on("error", () => {});
  });
  listen(server);
  await once(server, "listening");
  cleanups.push(() => server.close());
  return lines;
}

function socketPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "headgate-run-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "stats.sock");
}

const run = (command: string, socket: string): Promise<RunOutcome> =>
  runRuntimeCommand({ kind: "runtime", command, socket, files: [] }, {}, noFiles);

describe("the answer", () => {
  test.each([
    ["silent success", "\n\n", "", 0],
    ["a message", "\n[6]: New server registered.\n\n", "New server registered.\n", 0],
    ["a refusal", "\n[3]: No such server.\n\n", "No such server.\n", 1],
    ["an unknown command", "\n[6]: Unknown command: 'x'. Known:\n  y\n\n", "Unknown command: 'x'. Known:\n  y\n", 1],
    ["a dump", "\nName: HAProxy\nPid: 1\n\n", "Name: HAProxy\nPid: 1\n", 0],
    ["several commands", "\n\n[3]: No such backend.\n\nPid: 1\n\n", "\nNo such backend.\n\nPid: 1\n", 1],
  ])("%s", async (_, answer, stdout, exitCode) => {
    const path = socketPath();
    const lines = await statsSocket(answer, (server) => server.listen(path));
    expect(await run("some command", path)).toEqual({ stdout, stderr: "", exitCode });
    expect(lines).toEqual(["set severity-output number;some command\n"]);
  });
});

describe("the socket", () => {
  test("over TCP", async () => {
    let port = 0;
    await statsSocket("\nyes\n\n", (server) => {
      server.listen(0, "127.0.0.1", () => {
        port = (server.address() as { port: number }).port;
      });
    });
    expect((await run("x", `127.0.0.1:${port}`)).stdout).toBe("yes\n");
    expect((await run("x", `ipv4@127.0.0.1:${port}`)).stdout).toBe("yes\n");
  });

  test("from the environment, or from a configuration", async () => {
    const path = socketPath();
    await statsSocket("\nyes\n\n", (server) => server.listen(path));
    const command = { kind: "runtime", command: "x", files: [] } as const;
    expect((await runRuntimeCommand(command, { HEADGATE_SOCKET: path }, noFiles)).stdout).toBe("yes\n");
    const load = (files: readonly string[]): LoadResult =>
      loadConfigText(`global\n    stats socket ${path}\n    stats socket /other\n`, files[0], {});
    const fromFile = { ...command, files: ["t.cfg"] };
    expect((await runRuntimeCommand(fromFile, { HEADGATE_SOCKET: "/wrong" }, load)).stdout).toBe("yes\n");
    const none = (): LoadResult => loadConfigText("global\n    maxconn 10\n", "t.cfg", {});
    expect((await runRuntimeCommand(fromFile, {}, none)).stderr).toBe(
      "headgate: t.cfg has no 'stats socket' line in 'global'\n",
    );
    const invalid = (): LoadResult => loadConfigText("globule\n", "t.cfg", {});
    expect((await runRuntimeCommand(fromFile, {}, invalid)).stderr).toMatch(
      /^headgate: t\.cfg should name the stats socket, and is not valid \(--socket PATH names it too\)\nt\.cfg:1:1: error: /,
    );
  });

  test("nobody answers: one clear line and exit code 2", async () => {
    const path = socketPath();
    expect(await run("x", path)).toEqual({ stdout: "", stderr: `headgate: there is no socket ${path}\n`, exitCode: 2 });
    expect((await run("", path)).stderr).toBe("headgate: the command is empty\n");
    expect((await run("a\nb", path)).stderr).toBe("headgate: a command is one line: separate commands with ';'\n");
  });

  test("nowhere named: ./headgate.sock, where there is one", async () => {
    const folder = process.cwd();
    cleanups.push(() => process.chdir(folder));
    process.chdir(dirname(socketPath()));
    const unnamed = () => runRuntimeCommand({ kind: "runtime", command: "x", files: [] }, {}, noFiles);
    expect((await unnamed()).stderr).toMatch(/^headgate: which socket\?/);
    await statsSocket("\nyes\n\n", (server) => server.listen("headgate.sock"));
    expect(await unnamed()).toEqual({ stdout: "yes\n", stderr: "", exitCode: 0 });
  });
});
