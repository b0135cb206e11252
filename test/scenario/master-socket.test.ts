// `-W -S`: scripts written for HAProxy's master socket reach the one process, which is master and worker.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { runtimeOnce } from "../harness/runtime-client.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { Transcript } from "../harness/transcript.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(words = "") {
  const upstream = opened(await Upstream.start(echo));
  const master = join(opened(temporaryDirectory()).path, "master.sock");
  const port = await freePort();
  const program = opened(
    await Program.start({
      config: simpleConfig({ port, servers: [`a ${upstream.endpoint}`] }),
      args: ["-W", "-S", `${master}${words}`],
    }),
  );
  /** As `echo ... | socat - UNIX:...` does it. */
  const once = (line: string): Promise<string> => runtimeOnce(master, line, { halfClose: true });
  return { program, master, port, once };
}

describe("the master socket", () => {
  it("shows the process as master and as worker, in HAProxy's columns", async () => {
    const { program, once } = await start();
    const lines = (await once("show proc")).split("\n");
    const pid = String(program.pid).padEnd(15);
    expect(lines).toEqual([
      "#<PID>          <type>          <reloads>       <uptime>        <version>      ",
      expect.stringMatching(new RegExp(`^${pid} master          0 \\[failed: 0\\]   0d00h00m\\d\\ds     \\d\\S+ *$`)),
      "# workers",
      expect.stringMatching(new RegExp(`^${pid} worker          0               0d00h00m\\d\\ds     \\d\\S+ *$`)),
      "",
      "",
    ]);
  });

  it("commands for @1 and @!<pid> reach the sessions and the servers, with or without a choice that lasts", async () => {
    const { program, once, port, master } = await start();
    const clients = (await openClients(2, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("hello")));
    expect((await once("@1 show sess")).match(/ fe=fe /g)).toHaveLength(2);
    expect(await once(`@!${program.pid} show servers state`)).toMatch(/^1\n# be_id .*\n\d+ be 1 a /);
    expect(await once("@1 shutdown sessions server be/a")).toBe("\n");
    await waitFor(() => clients.every((client) => client.received.ended), "both sessions to end");
    const conversation = opened(new Transcript(master));
    conversation.send("@1");
    expect(await conversation.ask("get weight be/a", "\n\n")).toBe("1 (initial 1)");
    expect(await conversation.ask("@master show proc", "\n\n")).toContain(" worker ");
    expect(await conversation.ask("get weight be/a;@ show cli level", "\n\nadmin\n\n")).toBe("1 (initial 1)");
  });

  it("prompts name the process, and every command of a line has its own", async () => {
    const { program, master } = await start();
    const { pid } = program;
    const version = (await program.runtime("show version")).trim();
    const conversation = opened(new Transcript(master));
    expect(await conversation.ask("prompt", "master> ")).toBe("");
    expect(await conversation.ask("show version;@1 show version", `\n\nmaster> ${version}\n\nmaster> `)).toBe(version);
    expect(await conversation.ask("@1", `${pid}> `)).toBe("");
    expect(await conversation.ask("show version", `\n\n${pid}> `)).toBe(version);
    expect(await conversation.ask("show proc", `\n\n${pid}> `)).toMatch(/^Unknown command: 'show'/);
    expect(await conversation.ask("@", "master> ")).toBe("");
    expect(await conversation.ask("@1 prompt;@1 quit", "master> master> ")).toBe("");
    expect(await conversation.ask("show info", "\n\nmaster> ")).toMatch(/^Unknown command: 'show'.*[\s\S]*show proc/);
    expect(await conversation.ask("@2 show info", "'@2'\nmaster> ")).toBe(
      "Can't find the target PID matching the prefix ",
    );
    conversation.send("@1;quit");
    await conversation.waitForEnd();
  });

  it("the level goes down for both, and the socket may begin with less", async () => {
    const { master, once } = await start(",level,operator,mode,600");
    expect(await once("show cli level")).toBe("operator\n\n");
    expect(await once("@1 disable server be/a")).toBe("Permission denied\n\n");
    const conversation = opened(new Transcript(master));
    conversation.send("user");
    expect(await conversation.ask("show proc", "\n\n")).toBe("Permission denied");
    expect(await conversation.ask("@1 show sess", "\n\n")).toBe("Permission denied");
  });

  it("reload is the reload, counted; a failed one says why, hard-reload ends the sessions", async () => {
    const { program, once, port } = await start();
    const [client] = (await openClients(1, { host: FRONTEND_ADDRESS, port })).map(opened);
    await client!.roundTrip("hello");
    const config = readFileSync(program.configPath, "utf8");
    writeFileSync(
      program.configPath,
      config.replace("\nbackend be\n", "\nbackend be\n    server b 127.0.0.1:1 weight 7\n"),
    );
    expect(await once("reload")).toMatch(/^Success=1\n--\n/);
    expect(await once("@1 get weight be/b")).toBe("7 (initial 7)\n\n");
    await client!.roundTrip("still there");
    writeFileSync(program.configPath, `${config}\nnonsense\n`);
    expect(await once("reload")).toMatch(/^Success=0\n--\n[\s\S]*nonsense/);
    expect(await once("show proc")).toMatch(/ master +1 \[failed: 1\] /);
    writeFileSync(program.configPath, config);
    expect(await once("hard-reload")).toMatch(/^Success=1\n--\n/);
    await waitFor(() => client!.received.ended, "the session to end");
    expect(await once("show proc")).toMatch(/ master +2 \[failed: 0\] /);
  });

  it("an address that is none ends the start", async () => {
    const program = opened(
      await Program.start({
        config: simpleConfig({ port: await freePort(), servers: ["a 127.0.0.1:1"] }),
        args: ["-S", "nonsense,level"],
        waitUntilReady: false,
      }),
    );
    expect(await program.waitForExit()).toBe(1);
    expect(program.stderr).toMatch(/-S nonsense,level: /);
  });
});
