// What outlives a crash besides the states of servers: which servers there are, which frontends listen, limits, and what became of
// evictions (`state-file`).

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { type SimpleConfig, simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

/** A program that can be killed and started again, with the same configuration or with another one. */
async function stage(config: Partial<SimpleConfig> & Pick<SimpleConfig, "servers">) {
  const file = join(opened(temporaryDirectory()).path, "state");
  const port = await freePort();
  const start = async (more: Partial<SimpleConfig> = {}): Promise<Program> => {
    const now = { ...config, ...more };
    const global = [`state-file ${file}`, ...(now.global ?? [])];
    return opened(await Program.start({ config: simpleConfig({ ...now, port, global }) }));
  };
  /** Gives the orders, waits until the file says so, and kills the program. */
  const crash = async (program: Program, orders: readonly string[], written: RegExp): Promise<void> => {
    for (const order of orders) await program.runtime(order);
    await waitFor(
      () => written.test(textOf(file)),
      () => `the file to say ${written}:\n${textOf(file)}`,
    );
    program.signal("SIGKILL");
    await program.waitForExit();
  };
  return { file, port, start, crash };
}

const shown = async (program: Program): Promise<string[]> =>
  (await program.serversState()).map((row) =>
    [row.srv_id, row.srv_name, `${row.srv_addr}:${row.srv_port}`, row.srv_admin_state, row.srv_uweight].join(" "),
  );

const served = async (port: number): Promise<string> => {
  const client = opened(new Client({ host: FRONTEND_ADDRESS, port }));
  return client.connected.then(
    () => client.roundTrip("hello").then(() => "served"),
    () => client.errorCode ?? "",
  );
};

describe("servers added and deleted at run time", () => {
  it("are there, and not there, after a crash; and after another one", async () => {
    const upstream = opened(await Upstream.start(echo));
    const { start, crash, port } = await stage({
      servers: ["a 127.0.0.1:11 check inter 1h", "b 127.0.0.1:12 track be/a", "c 127.0.0.1:13"],
    });
    const first = await start();
    const orders = [
      `add server be/n ${upstream.endpoint} weight 5 check inter 1h`,
      "set weight be/n 3; enable server be/n; enable health be/n",
      "add server be/c 127.0.0.1:99",
      "add server be/spare 127.0.0.1:98 weight 0 backup",
      "disable server be/b; disable server be/a; disable server be/c",
      "del server be/b; del server be/a; del server be/c; add server be/c 127.0.0.1:97",
      "set server be/c addr 127.0.0.7 port 96",
    ];
    await crash(first, orders, /server be c configured-address/);
    const expected = [`4 n ${upstream.endpoint} 0 3`, "5 spare 127.0.0.1:98 1 0", "1 c 127.0.0.7:96 1 1"];
    for (let times = 0; times < 2; times++) {
      const next = await start();
      expect(await shown(next)).toEqual(expected);
      expect(next.stderr).toContain(
        "deleted at run time, and not changed in the configuration since: be/b, be/c, be/a.",
      );
      expect(next.stderr).not.toMatch(/WARNING|ALERT/);
      expect((await next.stat()).find(({ svname }) => svname === "n")?.check_status).not.toBe("");
      expect(await served(port)).toBe("served");
      await crash(next, [], /# headgate end/);
    }
  });

  it("the configuration wins where it has changed since", async () => {
    const { start, crash } = await stage({ servers: ["a 127.0.0.1:11", "b 127.0.0.1:12", "c 127.0.0.1:13 id 9"] });
    const first = await start();
    const orders = [
      "disable server be/a; disable server be/b; disable server be/c",
      "del server be/a; del server be/b; del server be/c",
      "add server be/d 127.0.0.1:14; add server be/e 127.0.0.1:15 id 7; add server be/f 127.0.0.1:16",
    ];
    await crash(first, orders, /added be f /);
    // `a` says what it said, though in another place; `b` and `d` are news.
    const next = await start({
      servers: ["b 127.0.0.1:12 weight 5", "a 127.0.0.1:11", "d 127.0.0.1:44", "g 127.0.0.1:17 id 7"],
    });
    expect(await shown(next)).toEqual([
      "1 b 127.0.0.1:12 0 5",
      "3 d 127.0.0.1:44 1 1",
      "7 g 127.0.0.1:17 0 1",
      "2 f 127.0.0.1:16 1 1",
    ]);
    expect(next.stderr).toContain(
      "server be/d, which was added at run time, does not come back: the configuration has one of this name.",
    );
    expect(next.stderr).toMatch(
      /server be\/e, .* does not come back: 'id' : custom id 7 already used at .*\('server g'\)/,
    );
  });

  it("a server that an eviction deleted stays deleted", async () => {
    const { start, crash } = await stage({ servers: ["a 127.0.0.1:11", "b 127.0.0.1:12"] });
    await crash(await start(), ["evict server be/a delete"], /deleted be a /);
    expect(await shown(await start())).toEqual(["2 b 127.0.0.1:12 0 1"]);
  });
});

describe("frontends and limits", () => {
  it("a disabled frontend stays so, also where another program has its port by now; limits hold", async () => {
    const upstream = opened(await Upstream.start(echo));
    const { start, crash, port } = await stage({ servers: [`a ${upstream.endpoint}`], global: ["maxconn 100"] });
    const orders = ["set maxconn frontend fe 7; set maxconn global 50", "disable frontend fe"];
    await crash(await start(), orders, /frontend fe paused=1 maxconn=7 /);
    const second = await start();
    expect(await served(port)).toBe("ECONNREFUSED");
    expect(second.stderr).toContain("frontend fe stays disabled (use 'enable frontend').");
    const row = async (program: Program) => (await program.stat()).find(({ svname }) => svname === "FRONTEND");
    expect(await row(second)).toMatchObject({ slim: "7" });
    expect((await second.info()).Maxconn).toBe("50");
    await second.runtime("enable frontend fe");
    expect(await served(port)).toBe("served");
    await crash(second, ["disable frontend fe"], /frontend fe paused=1 maxconn=7 /);

    const other = createServer();
    await new Promise<void>((resolve) => other.listen({ host: FRONTEND_ADDRESS, port }, resolve));
    const third = await start({ frontend: ["maxconn 9"] });
    expect(third.stderr).toMatch(/cannot bind socket .* It is disabled: reload when the port is free/);
    expect(await row(third)).toMatchObject({ slim: "9" });
    await new Promise((resolve) => other.close(resolve));
    await third.runtime("reload");
    await third.runtime("enable frontend fe");
    expect(await served(port)).toBe("served");
    await crash(third, [], /^(?!.*fe paused).*process maxconn=50/s);
    await start();
    expect(await served(port)).toBe("served");
  });

  it("one that was shut down stays so over a crash, and is open again after an orderly restart", async () => {
    const upstream = opened(await Upstream.start(echo));
    const { start, crash, port } = await stage({ servers: [`a ${upstream.endpoint}`] });
    await crash(await start(), ["shutdown frontend fe"], /frontend fe shut-at=/);
    const second = await start();
    expect(await served(port)).toBe("ECONNREFUSED");
    expect(second.stderr).toContain("frontend fe stays shut, as before the crash. A restart opens it.");
    second.signal("SIGTERM");
    await second.waitForExit();
    await start();
    expect(await served(port)).toBe("served");
  });
});

describe("evictions of sessions", () => {
  it("one that was under way is listed with its receipt, as ended by the restart", async () => {
    const upstream = opened(await Upstream.start(echo));
    const { start, crash, port } = await stage({ servers: [`a ${upstream.endpoint}`] });
    const first = await start();
    const clients = (await openClients(3, { host: FRONTEND_ADDRESS, port })).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("x")));
    await first.runtime("evict server be/a dry-run");
    const conversation = opened(await first.runtimeInteractive());
    void conversation.send("evict sessions backend be and idle 0 drain 1h deadline 2h").catch(() => {});
    await waitFor(async () => (await first.runtime("show evictions")).includes("running"), "it to run");
    clients[0]!.close();
    await crash(first, [], /# headgate sessions 1 .* left=2 /);

    const second = await start();
    const receipt = JSON.parse(await second.runtime("show evictions 1 json"));
    expect(receipt).toMatchObject({
      id: 1,
      filter: "backend be and idle 0",
      outcome: "restarted",
      reason: "its sessions ended with the process that had them",
      verified: false,
      matched: 3,
      endedThemselves: 1,
      endedWithProcess: 2,
      survivors: 0,
      asked: { drainMs: 3_600_000, deadlineMs: 7_200_000 },
    });
    const text = await second.runtime("show evictions 1");
    expect(text).toMatch(/^Eviction 1 of sessions backend be and idle 0: restarted \(its sessions ended with/);
    expect(text).toContain("0 cut at the deadline, 2 ended with the process\n");
    expect(second.stderr).toContain(
      "eviction 1 of sessions backend be and idle 0 is over: they ended with the process",
    );
    // Its number is not given out again, whatever became of it.
    await crash(second, [], /last-eviction id=1\n# headgate end/);
    const third = await start();
    expect(await third.runtime("evict server be/a json")).toContain('"id":2');
  });
});
