// What operators changed holds after a crash and a restart (`state-file`), and states of HAProxy's files are taken over as HAProxy does.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

/** A program with a state file that can be started again and again with the same configuration, or with another one. */
async function stage(servers: readonly string[], more: readonly string[] = []) {
  const directory = opened(temporaryDirectory()).path;
  const file = join(directory, "state");
  const port = await freePort();
  const config = (lines: readonly string[], others: readonly string[]): string =>
    simpleConfig({ port, servers: lines, global: [`state-file ${file}`, ...others] });
  const start = async (lines = servers, others = more): Promise<Program> =>
    opened(await Program.start({ config: config(lines, others) }));
  /** Commands, each of which has to be answered, and what the file has to say afterwards. */
  const order = async (program: Program, commands: readonly string[], written: RegExp): Promise<void> => {
    for (const command of commands) await program.runtime(command);
    await waitFor(
      () => written.test(textOf(file)),
      () => `the file to say ${written}:\n${textOf(file)}`,
    );
  };
  const kill = async (program: Program): Promise<void> => {
    program.signal("SIGKILL");
    await program.waitForExit();
  };
  return { file, port, start, order, kill };
}

/** Name, address, port, admin state, weight of each server. */
const shown = async (program: Program): Promise<string[]> =>
  (await program.serversState()).map((row) =>
    [row.srv_name, row.srv_addr, row.srv_port, row.srv_admin_state, row.srv_uweight].join(" "),
  );

describe("a crash", () => {
  it("every order of the operator holds when the program is killed and started again", async () => {
    const servers = [
      "a 127.0.0.1:11 weight 9 check inter 1h",
      "b 127.0.0.1:12 maxconn 5",
      "c 127.0.0.1:13",
      "d 127.0.0.1:14 disabled",
      "e 127.0.0.1:15",
    ];
    const { start, order, kill, file } = await stage(servers);
    const first = await start();
    await order(
      first,
      [
        "set weight be/a 4",
        "disable health be/a",
        "set maxconn server be/b 7",
        "set server be/b state drain",
        "set server be/c addr 127.0.0.9 port 99",
        "enable server be/d",
        "disable server be/e",
      ],
      /^\d+ be 5 e \S+ 0 1 /m,
    );
    const before = await shown(first);
    expect(before).toEqual([
      "a 127.0.0.1 11 0 4",
      "b 127.0.0.1 12 8 1",
      "c 127.0.0.9 99 0 1",
      "d 127.0.0.1 14 4 1",
      "e 127.0.0.1 15 1 1",
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await kill(first);

    const second = await start();
    expect(await shown(second)).toEqual(before);
    const stat = await second.stat();
    expect(stat.find(({ svname }) => svname === "b")?.slim).toBe("7");
    expect(stat.find(({ svname }) => svname === "a")?.status).toBe("no check");
    expect(second.stderr).not.toMatch(/WARNING|ALERT/);
    // And again, without an order in between.
    await waitFor(() => textOf(file).includes("configured-address=127.0.0.1:13"), "the second one to write it");
    await kill(second);
    expect(await shown(await start())).toEqual(before);
  });

  it("a value that the configuration changed since is the configuration's; the others hold", async () => {
    const { start, order, kill } = await stage([
      "a 127.0.0.1:11 weight 9 maxconn 5",
      "b 127.0.0.1:12",
      "c 127.0.0.1:13 disabled",
    ]);
    const first = await start();
    await order(
      first,
      [
        "set weight be/a 4",
        "set maxconn server be/a 7",
        "set server be/a addr 127.0.0.9",
        "set server be/a state drain",
        "disable server be/b",
      ],
      /^\d+ be 2 b \S+ 0 1 /m,
    );
    await kill(first);
    const second = await start(["a 127.0.0.2:11 weight 10 maxconn 6", "b 127.0.0.1:12 disabled", "c 127.0.0.1:13"]);
    expect(await shown(second)).toEqual(["a 127.0.0.2 11 8 10", "b 127.0.0.1 12 5 1", "c 127.0.0.1 13 0 1"]);
    expect((await second.stat()).find(({ svname }) => svname === "a")?.slim).toBe("6");
  });

  it("after a reload: what leaves with it is forgotten, also where a new server has its name", async () => {
    const upstream = opened(await Upstream.start(echo));
    const before = ["a 127.0.0.1:11", `b ${upstream.endpoint} weight 9`, "c 127.0.0.1:13"];
    const after = ["a 127.0.0.1:11", "b 127.0.0.1:12 weight 9", "d 127.0.0.1:14"];
    const { start, order, kill, port } = await stage(before);
    const first = await start();
    // A session keeps the old `b` until the end.
    await first.runtime("disable server be/a; disable server be/c");
    const [client] = (await openClients(1, { host: FRONTEND_ADDRESS, port })).map(opened);
    await client!.roundTrip("hello");
    await order(first, ["set weight be/b 3", "set server be/a addr 127.0.0.9"], /configured-address=127\.0\.0\.1:11/);
    const text = readFileSync(first.configPath, "utf8");
    writeFileSync(first.configPath, text.replace(before[1]!, after[1]!).replace(before[2]!, after[2]!));
    await order(first, ["reload"], /^\d+ be \d+ d 127\.0\.0\.1 .* 14 - /m);
    await client!.roundTrip("still there");
    await order(first, ["disable server be/d"], /^\d+ be \d+ d \S+ 0 1 /m);
    await kill(first);
    const rows = await shown(await start(after));
    expect(rows).toEqual(["a 127.0.0.9 11 1 1", "b 127.0.0.1 12 0 9", "d 127.0.0.1 14 1 1"]);
  });

  it("an eviction that was under way goes on under its number, and its server gets nobody", async () => {
    const upstream = opened(await Upstream.start(echo));
    const { start, kill, port, file } = await stage([`a ${upstream.endpoint}`]);
    const first = await start();
    const clients = (await openClients(3, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("x")));
    const conversation = opened(await first.runtimeInteractive());
    void conversation.send("evict server be/a drain 1h deadline 2h").catch(() => {});
    await waitFor(() => / begin=\d+ .* matched=3 /.test(textOf(file)), "the eviction to be in the file");
    await kill(first);

    const second = await start();
    // Its sessions ended with the process that had them: nothing is left, and that is what it was to reach.
    await waitFor(async () => /done/.test(await second.runtime("show evictions")), "the eviction to end");
    expect(JSON.parse(await second.runtime("show evictions 1 json"))).toMatchObject({
      id: 1,
      server: "be/a",
      outcome: "done",
      matched: 3,
      asked: { drainMs: 3_600_000, deadlineMs: 7_200_000 },
      survivors: 0,
    });
    expect(second.stderr).toContain("eviction 1 goes on after a restart");
    expect((await shown(second))[0]).toMatch(/^a \S+ \d+ 1 /);
    await waitFor(() => !textOf(file).includes("# headgate eviction"), "the file to be without the eviction");
  });

  it("an eviction whose server the configuration no longer has is over", async () => {
    const upstream = opened(await Upstream.start(echo));
    const { start, kill, port, file } = await stage([`a ${upstream.endpoint}`, "b 127.0.0.1:12"]);
    const first = await start();
    const [client] = (await openClients(1, { host: FRONTEND_ADDRESS, port })).map(opened);
    await client!.roundTrip("x");
    const conversation = opened(await first.runtimeInteractive());
    void conversation.send("evict server be/a drain 1h").catch(() => {});
    await waitFor(() => textOf(file).includes("# headgate eviction 1 be a "), "the eviction to be in the file");
    await kill(first);
    const second = await start(["b 127.0.0.1:12"]);
    expect(second.stderr).toContain("eviction 1 is over: there is no server be/a any more");
  });
});

describe("an orderly end", () => {
  it("what was ordered right before SIGTERM is written", async () => {
    const { start, file } = await stage(["a 127.0.0.1:11"]);
    const first = await start();
    await first.runtime("set weight be/a 40%; set weight be/a 0%; disable server be/a");
    first.signal("SIGTERM");
    await first.waitForExit();
    expect(textOf(file)).toMatch(/^\d+ be 1 a \S+ 0 1 0 1 /m);
  });
});

describe("a file that is of no use", () => {
  it("cut off: one message, the start goes on without it, and a new one is written", async () => {
    const { start, order, kill, file } = await stage(["a 127.0.0.1:11"]);
    const first = await start();
    await order(first, ["disable server be/a"], /^\d+ be 1 a \S+ 0 1 /m);
    await kill(first);
    writeFileSync(file, textOf(file).slice(0, -30));
    const second = await start();
    expect(second.stderr.match(/state file '.*' is refused/g)).toHaveLength(1);
    expect(second.stderr).toMatch(/line \d+: expected .*: the file is cut off\. It is kept as '.*refused'/);
    expect((await shown(second))[0]).toBe("a 127.0.0.1 11 0 1");
    await waitFor(() => textOf(file).includes("# headgate end "), "a new file");
  });

  it("no file at all, which would be waited for or could not be replaced", async () => {
    const { start, file } = await stage(["a 127.0.0.1:11"]);
    expect(spawnSync("mkfifo", [file]).status).toBe(0);
    const program = await start();
    expect(program.stderr).toContain(`state file '${file}' is no file: it is neither read nor written to.`);
  });

  it("somebody else's: it is neither believed nor written to", async () => {
    const { start, file } = await stage(["a 127.0.0.1:11"]);
    writeFileSync(file, "precious\n");
    const program = await start();
    expect(program.stderr).toContain(
      "line 1: expected '1', found 'precious'. It is not Headgate's, so it is not written to",
    );
    await program.runtime("disable server be/a");
    program.signal("SIGTERM");
    await program.waitForExit();
    expect(textOf(file)).toBe("precious\n");
  });

  it("another program's that runs: neither believed nor written to; the next start may have it", async () => {
    const { start, order, kill, file } = await stage(["a 127.0.0.1:11"]);
    const first = await start();
    await order(first, ["disable server be/a"], /^\d+ be 1 a \S+ 0 1 /m);
    const text = simpleConfig({ port: await freePort(), servers: ["a 127.0.0.1:11"], global: [`state-file ${file}`] });
    const second = opened(await Program.start({ config: text }));
    expect(second.stderr).toContain(`state file '${file}' is another process's, which is running`);
    expect((await shown(second))[0]).toBe("a 127.0.0.1 11 0 1");
    const before = statSync(file).ino;
    await second.runtime("set weight be/a 9");
    second.signal("SIGTERM");
    await second.waitForExit();
    expect(statSync(file).ino).toBe(before);
    await kill(first);
    const shared = join(dirname(file), "shared.sock");
    const third = await start(["a 127.0.0.1:11"], [`stats socket ${shared} expose-fd listeners`]);
    expect((await shown(third))[0]).toBe("a 127.0.0.1 11 1 1");
    expect(third.stderr).not.toContain("state file");
    // Who takes over may have it at once; the one before notices.
    const fourth = opened(await Program.start({ config: text, args: ["-x", shared] }));
    expect((await shown(fourth))[0]).toBe("a 127.0.0.1 11 1 1");
    await order(fourth, ["set weight be/a 7"], /^\d+ be 1 a \S+ 0 1 7 /m);
    await third.runtime("set weight be/a 5");
    await waitFor(() => third.stderr.includes("is written by another process now"), "it to notice");
    expect(textOf(file)).toMatch(/^\d+ be 1 a \S+ 0 1 7 /m);
  });

  it("a folder that cannot be written to is said once, and once that it can be again", async () => {
    const { start, file } = await stage(["a 127.0.0.1:11"]);
    const program = await start();
    await waitFor(() => textOf(file) !== "", "the first file");
    const folder = dirname(file);
    renameSync(folder, `${folder}.away`);
    for (const command of ["disable server be/a", "enable server be/a", "set weight be/a 9"])
      await program.runtime(command);
    await waitFor(() => /state file '.*' cannot be written: ENOENT/.test(program.stderr), "the message");
    await program.runtime("set weight be/a 8");
    mkdirSync(folder);
    await waitFor(() => /is written again/.test(program.stderr), "the other message");
    expect(program.stderr.match(/cannot be written/g)).toHaveLength(1);
    expect(textOf(file)).toMatch(/^\d+ be 1 a \S+ 2 0 8 1 /m);
    renameSync(`${folder}.away/state`, file);
    rmdirSync(`${folder}.away`);
  });
});

describe("HAProxy's server state files", () => {
  it("apply to servers, by name, as the configuration says; health and slow starts among them", async () => {
    const directory = opened(temporaryDirectory()).path;
    chmodSync(directory, 0o755);
    const state = (name: string, values: string): string =>
      `3 be 1 ${name} 127.0.0.9 ${values} 0 0 0 - 80 - 0 0 - - 0\n`;
    writeFileSync(
      join(directory, "servers"),
      `1\n# columns\n${state("a", "0 0 5 9 60 8 2 0 6")}${state("b", "2 8 1 1 50 6 3 4 6")}`,
    );
    const program = opened(
      await Program.start({
        config: simpleConfig({
          port: await freePort(),
          servers: ["a 127.0.0.1:80 weight 9 check inter 1h", "b 127.0.0.1:80 check inter 1h", "c localhost:80"],
          global: [`server-state-base ${directory}`, "server-state-file servers"],
          backend: ["load-server-state-from-file global"],
        }),
      }),
    );
    expect(program.stderr).toContain("Server be/a is DOWN, changed from server-state after a reload.");
    const rows = await program.serversState();
    expect(rows.map((row) => [row.srv_name, row.srv_op_state, row.srv_admin_state, row.srv_uweight].join(" "))).toEqual(
      ["a 0 0 5", "b 2 8 1", "c 2 0 1"],
    );
    expect(Number(rows[0]!.srv_time_since_last_change)).toBeGreaterThanOrEqual(60);
  });

  it("`init-addr last`: a name's address is that of the file, and nobody looks it up", async () => {
    const directory = opened(temporaryDirectory()).path;
    writeFileSync(
      join(directory, "be"),
      "1\n3 be 1 a 127.0.0.9 2 0 1 1 50 1 0 2 0 0 0 0 nowhere.invalid 80 - 0 0 - - 0\n",
    );
    const program = opened(
      await Program.start({
        config: simpleConfig({
          port: await freePort(),
          servers: ["a nowhere.invalid:80 init-addr last"],
          global: [`server-state-base ${directory}`],
          backend: ["load-server-state-from-file local"],
        }),
      }),
    );
    expect(await shown(program)).toEqual(["a 127.0.0.9 80 0 1"]);
  });
});
