// What health means for new sessions, and what is said about it: routing, `track`, `init-state`, the commands, log lines.

import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { type Row, statRow } from "../harness/show.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { HealthSwitch } from "./health-switch.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start(threads: number, servers: readonly string[], lines: readonly string[] = [], log?: LogReceiver) {
  const port = await freePort();
  const config = simpleConfig({
    port,
    threads,
    servers,
    timeouts: { check: "5s" },
    backend: ["option httpchk", ...lines],
    ...(log === undefined ? {} : { global: [`log ${log.endpoint} local0`] }),
  });
  const withLog = log === undefined ? config : config.replace("mode tcp\n", "mode tcp\n    log global\n");
  return { port, program: opened(await Program.start({ config: withLog })) };
}

const row = async (program: Program, server: string): Promise<Row> => statRow(await program.stat(), "be", server);

async function waitForStatus(program: Program, server: string, status: string): Promise<void> {
  let last = "";
  await waitFor(
    async () => {
      last = (await row(program, server)).status!;
      return last === status;
    },
    () => `be/${server} to be ${status}, it is ${last}`,
  );
}

const waitForLog = (log: LogReceiver, pattern: RegExp): Promise<string> =>
  waitFor(
    () => log.messages.find((message) => pattern.test(message)),
    () => `a log line like ${pattern}, there are:\n${log.messages.join("")}`,
  );

describe.each([1, 2])("health and routing, %i thread(s)", (threads) => {
  it("a server that fails its check gets no new session, and gets some again when it is back", async () => {
    const a = opened(await Upstream.start(echo));
    const b = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program, port } = await start(threads, [`a ${a.endpoint} ${health.words()}`, `b ${b.endpoint}`]);
    const open = async (count: number): Promise<void> => {
      const clients = (await openClients(count, { host: FRONTEND_ADDRESS, port })).map(opened);
      await Promise.all(clients.map((client) => client.roundTrip("hello")));
    };
    await open(4);
    expect([a.connections.length, b.connections.length]).toEqual([2, 2]);
    health.state = "down";
    await waitForStatus(program, "a", "DOWN");
    await open(6);
    expect([a.connections.length, b.connections.length]).toEqual([2, 8]);
    health.state = "up";
    await waitForStatus(program, "a", "UP");
    await open(4);
    expect([a.connections.length, b.connections.length]).toEqual([4, 10]);
  });

  it("servers that track another one, and those that track them, are what that one is", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program, port } = await start(threads, [
      `a ${a.endpoint} ${health.words()}`,
      `b ${a.endpoint} track a`,
      `c ${a.endpoint} track be/b`,
    ]);
    const statuses = async (): Promise<string[]> =>
      Promise.all(["a", "b", "c"].map(async (server) => (await row(program, server)).status!));
    health.state = "down";
    await waitFor(async () => (await statuses()).every((status) => status === "DOWN"), "all to be down");
    const late = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await late.waitForEnd();
    health.state = "up";
    await waitFor(async () => (await statuses()).every((status) => status === "UP"), "all to be up");

    expect(await program.runtime("disable server be/a")).toBe("\n");
    expect(await statuses()).toEqual(["MAINT", "MAINT (via be/a)", "MAINT (via be/b)"]);
    expect((await program.serversState()).map((server) => server.srv_admin_state)).toEqual(["1", "2", "2"]);
    expect(await program.runtime("set server be/a state drain")).toBe("\n");
    expect((await program.serversState()).map((server) => server.srv_admin_state)).toEqual(["8", "16", "16"]);
    expect(await program.runtime("set server be/a state ready")).toBe("\n");
    await waitFor(async () => (await statuses()).every((status) => status === "UP"), "all to be up again");
    expect((await row(program, "c")).tracked).toBe("be/b");
    expect(await program.runtime("set server be/b health down")).toBe("cannot change health on a tracking server.\n\n");
    expect(await program.runtime("disable server be/a; del server be/a")).toContain("cannot be removed at runtime");
  });
});

describe("health by command", () => {
  it("set server health and disable health", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program } = await start(1, [`a ${a.endpoint} ${health.words()}`, `b ${a.endpoint}`]);
    await waitForStatus(program, "a", "UP");
    expect(await program.runtime("disable health be/a")).toBe("\n");
    expect((await row(program, "a")).status).toBe("no check");
    health.state = "down";
    const asked = health.asked;
    expect(await program.runtime("set server be/a health stopping; set server be/b health down")).toBe("\n\n");
    expect([(await row(program, "a")).status, (await row(program, "b")).status]).toEqual(["NOLB", "DOWN"]);
    expect(await program.runtime("set server be/b health up; set server be/a health up")).toBe("\n\n");
    expect(health.asked, "a disabled check asks no more").toBeLessThanOrEqual(asked + 1);
    expect(await program.runtime("enable health be/a")).toBe("\n");
    await waitForStatus(program, "a", "DOWN");
    expect(await program.runtime("enable health be/b")).toBe(
      "Health check was not configured on this server, cannot enable.\n\n",
    );
    expect(await program.runtime("enable agent be/a")).toBe(
      "Agent was not configured on this server, cannot enable.\n\n",
    );
    expect(await program.runtime("set server be/a health sick")).toBe(
      "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n\n",
    );
    expect(await program.runtime("set server be/a agent up")).toBe("agent checks are not enabled on this server.\n\n");
  });

  it("a server added at runtime is checked from `enable health` on, and no more after `del server`", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program } = await start(1, [`a ${a.endpoint}`]);
    expect(await program.runtime(`add server be/new ${a.endpoint} ${health.words()}`)).toBe(
      "New server registered.\n\n",
    );
    expect(await program.runtime("enable server be/new")).toBe("\n");
    expect((await row(program, "new")).status).toBe("no check");
    expect(health.asked).toBe(0);
    expect(await program.runtime("enable health be/new")).toBe("\n");
    await waitForStatus(program, "new", "UP");
    health.state = "down";
    await waitForStatus(program, "new", "DOWN");
    expect(await program.runtime("disable server be/new; del server be/new")).toBe("\nServer deleted.\n\n");
    expect((await program.stat()).map((r) => r.svname)).not.toContain("new");
  });

  it("maintenance pauses the check; a server that leaves it is up at once", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    health.state = "down";
    const { program } = await start(1, [`a ${a.endpoint} ${health.words("rise 2 fall 3 inter 1h fastinter 1h")}`]);
    expect(await program.runtime("disable server be/a")).toBe("\n");
    expect((await program.serversState())[0]).toMatchObject({ srv_op_state: "0", srv_check_health: "0" });
    expect(Number((await program.serversState())[0]!.srv_check_state) & 8).toBe(8);
    expect(await program.runtime("enable server be/a")).toBe("\n");
    expect((await program.serversState())[0]).toMatchObject({ srv_op_state: "2", srv_check_health: "2" });
    expect((await row(program, "a")).status).toBe("UP 1/3");
  });

  it("init-state down: the first success takes it up; until then it gets nothing", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    health.state = "down";
    const { program, port } = await start(1, [`a ${a.endpoint} ${health.words("rise 2 fall 3 init-state down")}`]);
    await waitFor(async () => (await row(program, "a")).status!.startsWith("DOWN"), "it to be down");
    const early = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await early.waitForEnd();
    expect(a.connections).toHaveLength(0);
    health.state = "up";
    await waitForStatus(program, "a", "UP");
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
  });
});

describe("an agent", () => {
  it("takes its server down and up, drains it, and sets weight and maxconn; when it is away it says nothing", async () => {
    const a = opened(await Upstream.start(echo));
    let line = "up";
    const agent = opened(
      await Upstream.start(({ socket }) => {
        if (line === "") socket.resetAndDestroy();
        else socket.end(`${line}\n`);
      }),
    );
    const { program } = await start(1, [
      `a ${a.endpoint} weight 10 agent-check agent-inter 100ms agent-addr ${agent.address} agent-port ${agent.port}`,
    ]);
    const shows = async (wanted: Readonly<Record<string, string>>): Promise<void> => {
      let shown: Row = {};
      await waitFor(
        async () => {
          shown = await row(program, "a");
          return Object.entries(wanted).every(([column, value]) => shown[column] === value);
        },
        () => `${JSON.stringify(wanted)}, it is ${JSON.stringify(shown)}`,
      );
    };
    await shows({ agent_status: "L7OK", agent_health: "1", status: "no check" });
    line = "down # too hot";
    await shows({ status: "DOWN (agent)", agent_status: "L7STS", last_agt: "via agent : down (too hot)" });
    line = "";
    const before = agent.connections.length;
    await agent.waitForConnections(before + 3);
    expect((await row(program, "a")).status, "an agent that is away").toBe("DOWN (agent)");
    line = "up 50% maxconn:7";
    await shows({ status: "no check", weight: "5", slim: "7" });
    line = "drain";
    await shows({ status: "DRAIN (agent)" });
    line = "ready up 100%";
    await shows({ status: "no check", weight: "10" });
    expect(await program.runtime("set server be/a agent down")).toBe("\n");
    await shows({ status: "no check" });
    line = "maint";
    await shows({ status: "MAINT" });
  });
});

describe("what is said", () => {
  it("log lines of a server's way down and up", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const log = opened(await LogReceiver.start());
    const { program } = await start(1, [`a ${a.endpoint} ${health.words()}`], [], log);
    await waitForStatus(program, "a", "UP");
    health.state = "down";
    await waitForLog(
      log,
      /^<129>.* Server be\/a is DOWN, reason: Layer7 wrong status, code: 503, info: "[^"]*", check duration: \d+ms\. 0 active and 0 backup servers left\. 0 sessions active, 0 requeued, 0 remaining in queue\.\n$/,
    );
    await waitForLog(log, /^<128>.* backend be has no server available!\n$/);
    health.state = "up";
    await waitForLog(
      log,
      /^<133>.* Server be\/a is UP, reason: Layer7 check passed, code: 200, (info: "[^"]*", )?check duration: \d+ms\. 1 active and 0 backup servers online\. 0 sessions requeued, 0 total in queue\.\n$/,
    );
    await program.runtime("set server be/a health down");
    await waitForLog(log, /Server be\/a is DOWN, changed from CLI\. 0 active/);
  });

  it("option log-health-checks: a line for each result that changes something", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const log = opened(await LogReceiver.start());
    const { program } = await start(1, [`a ${a.endpoint} ${health.words()}`], ["option log-health-checks"], log);
    await waitForStatus(program, "a", "UP");
    health.state = "down";
    await waitForStatus(program, "a", "DOWN");
    health.state = "up";
    await waitForStatus(program, "a", "UP");
    await waitForLog(log, /Server be\/a is UP\. 1 active/);
    const lines = log.messages.map((message) => /(Health check .*|Server be\/a is [A-Z]+[.,])/.exec(message)?.[1]);
    const said = lines
      .filter((line) => line !== undefined)
      .map((line) => line.replace(/, reason: .*, status:/, " ... status:"));
    expect(said).toEqual([
      "Health check for server be/a succeeded ... status: 2/2 UP.",
      "Health check for server be/a failed ... status: 1/2 UP.",
      "Health check for server be/a failed ... status: 0/2 DOWN.",
      "Server be/a is DOWN.",
      "Health check for server be/a succeeded ... status: 1/2 DOWN.",
      "Health check for server be/a succeeded ... status: 2/2 UP.",
      "Server be/a is UP.",
    ]);
  });

  it("show stat and show servers state tell the last check", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program } = await start(1, [`a ${a.endpoint} ${health.words()}`]);
    health.state = "down";
    await waitForStatus(program, "a", "DOWN");
    const shown = await waitFor(async () => {
      const now = await row(program, "a");
      return now.check_status === "L7STS" ? now : undefined;
    }, "a moment without a check on its way");
    expect(shown).toMatchObject({
      check_code: "503",
      check_desc: "Layer7 wrong status",
      check_rise: "2",
      check_fall: "2",
      check_health: "0",
      chkdown: "1",
    });
    expect(Number(shown.chkfail)).toBeGreaterThanOrEqual(1);
    expect((await program.serversState())[0]).toMatchObject({ srv_op_state: "0", srv_check_status: "17" });
  });

  it("checks go on during the soft stop, while sessions are left", async () => {
    const a = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const { program, port } = await start(1, [`a ${a.endpoint} ${health.words()} on-marked-down shutdown-sessions`]);
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
    program.signal("SIGUSR1");
    await waitFor(async () => (await program.info()).Stopping === "1", "the soft stop");
    health.state = "down";
    await client.waitForEnd();
    expect(await program.waitForExit()).toBe(0);
  });
});
