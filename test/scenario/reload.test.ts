// A reload: one process, one population. What stays does not notice, what leaves stays listed and reachable, what cannot be done changes
// nothing.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { statRow } from "../harness/show.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { HealthSwitch } from "./health-switch.ts";
import { headgate, ReloadStage, type Sections, sections } from "./reload-stage.ts";

const opened = closeAfterEach();
const upstream = async () => opened(await Upstream.start(echo));

interface Place {
  readonly stage: ReloadStage;
  readonly port: number;
  readonly a: Upstream;
  readonly b: Upstream;
  readonly config: (more: Partial<Sections>) => string;
}

/** Servers a and b. */
async function place(more: Partial<Sections> = {}): Promise<Place> {
  const [a, b, port] = [await upstream(), await upstream(), await freePort()];
  const base = { port, servers: [`a ${a.endpoint}`, `b ${b.endpoint}`], ...more };
  const config = (changes: Partial<Sections>) => sections({ ...base, ...changes });
  const stage = opened(await ReloadStage.start(config({})));
  return { stage, port, a, b, config };
}

describe("what stays", () => {
  it("sessions, counters, health and operators' values of servers that are kept", async () => {
    const { stage, port, a, b, config } = await place();
    const { program } = stage;
    const clients = (await stage.clients(4, port)).map(opened);
    const before = await program.sessions();
    await program.runtime(
      "set server be/a weight 7; set maxconn server be/a 9; disable server be/b; set maxconn frontend fe 50",
    );
    const report = await stage.mustReload(
      config({ servers: [`b ${b.endpoint}`, `a ${a.endpoint} backup`], backend: ["option redispatch"] }),
    );
    expect(report.servers).toMatchObject({ added: [], removed: [], leaving: [], kept: 2 });
    expect(report.overruled).toEqual([]);
    for (const client of clients) await client.roundTrip("after the reload");
    expect((await program.sessions()).map(({ id }) => id).sort()).toEqual(before.map(({ id }) => id).sort());
    const rows = await program.stat();
    expect(rows.filter(({ pxname }) => pxname === "be").map(({ svname }) => svname)).toEqual(["b", "a", "BACKEND"]);
    expect(statRow(rows, "be", "a")).toMatchObject({ stot: "2", scur: "2", weight: "7", slim: "9", bck: "1" });
    expect(statRow(rows, "be", "b")).toMatchObject({ stot: "2", status: "MAINT" });
    expect(statRow(rows, "fe", "FRONTEND")).toMatchObject({ slim: "50", stot: "4" });
  });

  it("but sessions live as long as the new file says", async () => {
    const { stage, port, a, b, config } = await place();
    const clients = (await stage.clients(4, port)).map(opened);
    await stage.mustReload(config({ servers: [`a ${a.endpoint} max-session-age 1s`, `b ${b.endpoint}`] }));
    for (const client of clients.filter((_, i) => i % 2 === 0)) await client.waitForEnd();
    for (const client of clients.filter((_, i) => i % 2 === 1)) await client.roundTrip("after the reload");
    await stage.mustReload(config({ backend: ["max-session-idle 300ms"] }));
    for (const client of clients) await client.waitForEnd();
  });

  it("but a server that the file adds gets its share, where it says rebalance", async () => {
    const { stage, port, a, b, config } = await place({ servers: [] });
    const even = { backend: ["balance leastconn", "rebalance 200"] };
    await stage.mustReload(config({ ...even, servers: [`a ${a.endpoint}`] }));
    const clients = (await stage.clients(10, port)).map(opened);
    await stage.mustReload(config({ ...even, servers: [`a ${a.endpoint}`, `b ${b.endpoint}`] }));
    const ended = () => clients.filter((client) => client.received.ended).length;
    await waitFor(() => ended() === 5, "five sessions to be let go");
    const late = (await stage.clients(5, port)).map(opened);
    expect(b.connections).toHaveLength(5);
    for (const client of late) await client.roundTrip("on b");
    expect(ended()).toBe(5);
  });

  it("a value that the file says anew wins over the operator's, and the receipt says so", async () => {
    const { stage, port, a, b, config } = await place({ frontend: ["maxconn 100"] });
    const { program } = stage;
    await program.runtime("set server be/a weight 7; set maxconn frontend fe 50; set server be/b state drain");
    const servers = [`a ${a.endpoint} weight 20`, `b ${b.endpoint} disabled`];
    const report = await stage.mustReload(config({ servers, frontend: ["maxconn 200"] }));
    expect(report.overruled).toEqual([
      "frontend fe maxconn 50 -> 200",
      "be/a weight 7 -> 20",
      "be/b state drain -> maint",
    ]);
    const rows = await program.stat();
    expect(statRow(rows, "be", "a").weight).toBe("20");
    expect(statRow(rows, "be", "b").status).toBe("MAINT");
    expect(statRow(rows, "fe", "FRONTEND").slim).toBe("200");
    expect(await stage.mustReload(config({ servers: servers.map((s) => s.replace(" disabled", "")) }))).toBeDefined();
    expect(statRow(await program.stat(), "be", "b").status).toBe("no check");
    opened((await stage.clients(1, port))[0]!);
  });

  it("servers that operators added or deleted, until the file says something about them", async () => {
    const { stage, a, b, config } = await place();
    const { program } = stage;
    const c = await upstream();
    await program.runtime(`add server be/c ${c.endpoint}; enable server be/c; disable server be/b; del server be/b`);
    const report = await stage.mustReload(config({ backend: ["retries 2"] }));
    expect(report.servers).toMatchObject({ dynamic: ["be/c"], staysDeleted: ["be/b"], added: [] });
    expect([...(await stage.servers()).keys()]).toEqual(["be/a", "be/c"]);
    const named = await stage.mustReload(
      config({ servers: [`a ${a.endpoint}`, `b ${b.endpoint} weight 3`, `c ${c.endpoint}`] }),
    );
    expect(named.servers).toMatchObject({ adopted: ["be/c"], added: ["be/b"], dynamic: [] });
    expect([...(await stage.servers()).keys()]).toEqual(["be/a", "be/b", "be/c"]);
  });

  it("haproxy-199: drain and maintenance hold over reloads, and a new address in the file is a new server", async () => {
    const { stage, a, b, config } = await place();
    const { program } = stage;
    await program.runtime("set server be/a state drain; set server be/b state maint");
    for (let i = 0; i < 3; i++) await stage.mustReload(config({ backend: [`retries ${i + 1}`] }));
    const rows = await program.stat();
    expect([statRow(rows, "be", "a").status, statRow(rows, "be", "b").status]).toEqual(["DRAIN", "MAINT"]);
    const moved = await upstream();
    const report = await stage.mustReload(config({ servers: [`a ${moved.endpoint}`, `b ${b.endpoint}`] }));
    expect(report.servers).toMatchObject({ added: ["be/a"], removed: [`be/a@${a.endpoint}`] });
    expect((await stage.servers()).get("be/a")).toMatchObject({ srv_port: `${moved.port}`, srv_admin_state: "0" });
  });
});

describe("what leaves", () => {
  it("haproxy-1876: a removed server's sessions stay, are listed, and every command reaches them", async () => {
    const { stage, port, a, b, config } = await place();
    const { program } = stage;
    const clients = (await stage.clients(4, port)).map(opened);
    const report = await stage.mustReload(config({ servers: [`a ${a.endpoint}`] }));
    expect(report.servers.leaving).toEqual([{ name: "be/b", sessions: 2, policy: "keep" }]);
    for (const client of clients) await client.roundTrip("still here");
    expect((await program.sessions()).filter(({ srv }) => srv === "b")).toHaveLength(2);
    expect(statRow(await program.stat(), "be", "b")).toMatchObject({ status: "MAINT (leaving)", scur: "2" });
    expect((await stage.servers()).get("be/b")).toMatchObject({ srv_admin_state: "1" });
    expect(await program.runtime("set server be/b state ready")).toContain("was removed by a reload");
    expect(await program.runtime("del server be/b")).toContain("still has connections");
    for (const client of await stage.clients(2, port)) opened(client);
    expect(b.connections, "nobody new").toHaveLength(2);
    const waiting = program.runtime("wait 20s srv-removable be/b");
    await program.runtime("shutdown sessions server be/b");
    // It may be gone before the waiting command looks.
    expect(await waiting).toMatch(/^(Done\.|.*No such server\.|.*Interrupted)/);
    await stage.waitUntilGone("be/b");
    await waitFor(() => b.openConnections.length === 0, "b to be left");
  });

  it("a server that the file names again while it leaves is itself again", async () => {
    const { stage, port, a, b, config } = await place();
    const clients = (await stage.clients(2, port)).map(opened);
    await stage.mustReload(config({ servers: [`a ${a.endpoint}`] }));
    const report = await stage.mustReload(config({}));
    expect(report.servers).toMatchObject({ adopted: ["be/b"], added: [] });
    for (const client of clients) await client.roundTrip("back");
    (await stage.clients(2, port)).map(opened);
    expect(b.connections).toHaveLength(2);
    expect(statRow(await stage.program.stat(), "be", "b")).toMatchObject({ stot: "2", status: "no check" });
  });

  it("one with a new address leaves under another name", async () => {
    const { stage, port, a, b, config } = await place();
    const clients = (await stage.clients(2, port)).map(opened);
    const moved = await upstream();
    await stage.mustReload(config({ servers: [`a ${a.endpoint}`, `b ${moved.endpoint}`] }));
    const old = `be/b@${b.endpoint}`;
    expect([...(await stage.servers()).keys()]).toEqual(["be/a", "be/b", old]);
    (await stage.clients(2, port)).map(opened);
    expect(moved.connections).toHaveLength(1);
    await stage.program.runtime(`shutdown sessions server ${old}`);
    await stage.waitUntilGone(old);
    const ended = await Promise.all(clients.map((client) => client.received.ended));
    expect(ended.filter(Boolean).length + clients.filter(({ socket }) => socket.destroyed).length).toBeGreaterThan(0);
  });

  it("traefik-9455: sessions of a removed server meet the policy that the file names", async () => {
    const { stage, port, a, b, config } = await place({ backend: ["on-removed shutdown-sessions"] });
    (await stage.clients(4, port)).map(opened);
    const report = await stage.mustReload(config({ servers: [`a ${a.endpoint}`] }));
    expect(report.servers.leaving).toEqual([{ name: "be/b", sessions: 2, policy: "shutdown-sessions" }]);
    expect(report.ended).toBe(2);
    expect((await stage.program.sessions()).map(({ srv }) => srv)).toEqual(["a", "a"]);
    await waitFor(() => b.openConnections.length === 0, "b to be left");
    await stage.waitUntilGone("be/b");
  });

  it("on-removed drain ends them after its time, hard-stop-after bounds those that are kept", async () => {
    const drained = await place({ backend: ["on-removed drain 100ms"] });
    (await drained.stage.clients(2, drained.port)).map(opened);
    await drained.stage.mustReload(drained.config({ servers: [`a ${drained.a.endpoint}`] }));
    await drained.stage.waitUntilGone("be/b");
    expect((await drained.stage.program.sessions()).map(({ srv }) => srv)).toEqual(["a"]);
    const bounded = await place({ global: ["hard-stop-after 100ms"] });
    (await bounded.stage.clients(2, bounded.port)).map(opened);
    await bounded.stage.mustReload(bounded.config({ servers: [`a ${bounded.a.endpoint}`] }));
    await bounded.stage.waitUntilGone("be/b");
    expect(
      (await bounded.stage.program.sessions()).map(({ srv }) => srv),
      "a stays",
    ).toEqual(["a"]);
  });

  it("haproxy-3330: sessions from before the reload are cut when their server fails its check", async () => {
    const health = opened(await HealthSwitch.start());
    const [a, b, port] = [await upstream(), await upstream(), await freePort()];
    const words = `${health.words()} on-marked-down shutdown-sessions`;
    const config = (servers: readonly string[]) =>
      sections({ port, servers, backend: ["option httpchk", "http-check expect status 200"] });
    const stage = opened(await ReloadStage.start(config([`a ${a.endpoint} ${words}`, `b ${b.endpoint} ${words}`])));
    (await stage.clients(4, port)).map(opened);
    await stage.mustReload(config([`a ${a.endpoint} ${words} weight 3`]));
    expect(await stage.program.sessions()).toHaveLength(4);
    health.state = "down";
    // Both: the one that is kept, and the one that leaves.
    await waitFor(
      async () => (await stage.program.sessions()).length === 0,
      () => "all sessions to be cut",
    );
    await stage.waitUntilGone("be/b");
  });

  it("a removed backend, and a frontend that is renamed, leave as wholes", async () => {
    const { stage, port, a, b, config } = await place();
    const { program } = stage;
    const clients = (await stage.clients(2, port)).map(opened);
    const renamed = config({})
      .replace("frontend fe", "frontend other")
      .replace("default_backend be", "default_backend new")
      .replace("\nbackend be", "\nbackend new");
    const report = await stage.mustReload(renamed);
    expect(report.proxies).toMatchObject({ added: ["other", "new"], kept: 0 });
    expect(report.proxies.leaving).toEqual([
      { name: "fe", sessions: 2 },
      { name: "be", sessions: 0 },
    ]);
    expect(report.servers.leaving.map(({ sessions }) => sessions)).toEqual([1, 1]);
    expect(report.listeners).toMatchObject({ opened: [], closed: [], moved: [{ from: "fe", to: "other" }] });
    for (const client of clients) await client.roundTrip("still here");
    (await stage.clients(2, port)).map(opened);
    expect((await program.sessions()).map(({ fe, be }) => `${fe} ${be}`).sort()).toEqual([
      "fe be",
      "fe be",
      "other new",
      "other new",
    ]);
    expect(statRow(await program.stat(), "fe", "FRONTEND").status).toBe("STOP");
    await program.runtime("shutdown sessions server be/a; shutdown sessions server be/b");
    await waitFor(
      async () => !(await program.stat()).some(({ pxname }) => pxname === "be" || pxname === "fe"),
      "both to be gone",
    );
    expect((await program.stat()).map(({ pxname }) => pxname)).toEqual(["other", "new", "new", "new"]);
    expect([a.openConnections.length, b.openConnections.length]).toEqual([1, 1]);
  });
});

describe("all or nothing", () => {
  it("a bad file, a port that is taken, a file that vanished: nothing changes, and the answer says where", async () => {
    const { stage, port, config } = await place();
    const { program } = stage;
    const client = opened((await stage.clients(1, port))[0]!);
    const before = await program.runtime("show servers state");
    const untouched = async (): Promise<void> => {
      // All but the time since the last change.
      const lines = (text: string) => text.split("\n").map((line) => line.split(" ").toSpliced(9, 1).join(" "));
      expect(lines(await program.runtime("show servers state"))).toEqual(lines(before));
      await client.roundTrip("nothing has changed");
      opened((await stage.clients(1, port))[0]!);
    };
    const bad = await stage.reload(config({ backend: ["balance nonsense"] }));
    expect(bad).toMatchObject({ outcome: "refused" });
    expect(bad.messages.find(({ severity }) => severity === "error")?.place).toMatchObject({
      file: program.configPath,
      column: 13,
    });
    await untouched();

    const taken = await freePort();
    const rival = createServer();
    await new Promise<void>((resolve) => rival.listen({ host: FRONTEND_ADDRESS, port: taken }, resolve));
    const free = await freePort();
    const blocked = await stage.reload(
      config({ frontend: [`bind ${FRONTEND_ADDRESS}:${free}`, `bind ${FRONTEND_ADDRESS}:${taken}`], servers: [] }),
    );
    rival.close();
    expect(blocked.outcome).toBe("refused");
    const message = blocked.messages.find(({ severity }) => severity === "error");
    expect(message?.text).toContain(`cannot bind socket (Address already in use) for [${FRONTEND_ADDRESS}:${taken}]`);
    expect(message?.place).toMatchObject({ file: program.configPath });
    await expect(stage.open(free)).rejects.toThrow("ECONNREFUSED");
    await untouched();

    expect((await stage.reload("defaults\n    mode tcp")).messages.at(-1)?.text).toContain("nothing would listen");

    rmSync(program.configPath);
    const gone = await stage.reload();
    expect(gone.messages[0]).toMatchObject({ severity: "error", place: { file: program.configPath, line: 1 } });
    expect(gone.messages[0]!.text).toContain("no such file");
    await untouched();
    expect((await stage.reload(config({}))).outcome).toBe("done");
  });

  it("maxconn grows and shrinks, within the room that there is", async () => {
    const { stage, port, config } = await place({ global: ["maxconn 2"] });
    const { program } = stage;
    (await stage.clients(2, port)).map(opened);
    // The process is full: this one waits in the kernel.
    const third = opened(await stage.open(port));
    expect((await stage.mustReload(config({ global: ["maxconn 3"] }))).global).toEqual(["maxconn"]);
    await third.roundTrip("let in by the reload");
    expect(await program.info()).toMatchObject({ Maxconn: "3", Hard_maxconn: "3" });
    const tooMany = await stage.reload(config({ global: ["maxconn 100000"] }));
    expect(tooMany.messages.at(-1)?.text).toBe(
      "maxconn 100000 needs a restart: this process was started with room for 16384 sessions.",
    );
  });

  it("what needs a restart is said", async () => {
    const { stage, config } = await place();
    const receipt = await stage.reload(config({ global: ["pidfile /nonexistent/pid"] }));
    expect(receipt.report).toMatchObject({ needsRestart: true, global: [{ name: "pidfile" }] });
  });
});

describe("ways to ask for it", () => {
  it("SIGHUP, SIGUSR2 and the command line", async () => {
    const { stage, a, config } = await place();
    const { program } = stage;
    stage.write(config({ servers: [`a ${a.endpoint}`] }));
    program.signal("SIGHUP");
    await waitFor(
      () => /Reload 1 is done/.test(program.stderr),
      () => `a reload; ${program.stderr}`,
    );
    expect([...(await stage.servers()).keys()]).toEqual(["be/a"]);
    stage.write(config({}));
    program.signal("SIGUSR2");
    await waitFor(
      () => /Reload 2 is done/.test(program.stderr),
      () => `a reload; ${program.stderr}`,
    );
    expect([...(await stage.servers()).keys()]).toEqual(["be/a", "be/b"]);
    const done = headgate("reload", "--socket", program.socketPath);
    expect([done.status, done.stdout]).toEqual([0, expect.stringContaining("no changes")]);
    stage.write("nonsense");
    const refused = headgate("reload", "--socket", program.socketPath);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining(`${program.configPath}:`)]);
    expect(headgate("reload", "--socket", "/nonexistent/socket").status).toBe(3);
    expect(headgate("reload", "--nonsense").status).toBe(2);
  });

  it("the answer comes even if the reload takes its stats socket away", async () => {
    const { stage, config } = await place();
    const { program } = stage;
    const other = `${program.directory}/other.sock`;
    const text = `global\n    stats socket ${other} level admin\n${config({})}`;
    stage.write(text);
    writeFileSync(
      program.configPath,
      readFileSync(program.configPath, "utf8").replace(/ +stats socket .*mode 600.*\n/, ""),
    );
    expect(JSON.parse(await program.runtime("reload json"))).toMatchObject({ outcome: "done" });
    await expect(program.runtime("show info")).rejects.toThrow();
    expect(headgate("run", "--socket", other, "show info").stdout).toContain("Pid:");
  });
});

describe("evictions", () => {
  it("one that is under way goes on, on a server that stays and on one that leaves; and one can begin there", async () => {
    const { stage, port, a, config } = await place();
    const { program } = stage;
    (await stage.clients(4, port)).map(opened);
    const evictions = [
      program.runtime("evict server be/a drain 1h json"),
      program.runtime("evict server be/b drain 1h delete json"),
    ];
    await waitFor(
      async () => (await program.runtime("show evictions")).split("outcome=running").length === 3,
      "both to run",
    );
    await stage.mustReload(config({ servers: [`a ${a.endpoint} weight 4`] }));
    expect((await program.runtime("show evictions")).split("outcome=running")).toHaveLength(3);
    expect(JSON.parse(await program.runtime("evict server be/b delete json"))).toMatchObject({
      outcome: "done",
      cutAtDeadline: 2,
    });
    await stage.waitUntilGone("be/b");
    await program.runtime("evict server be/a");
    for (const answer of evictions) expect(JSON.parse(await answer)).toMatchObject({ outcome: "replaced" });
    expect(await program.sessions()).toEqual([]);
  });
});
