// How a server comes back (`slowstart`), is taken for finished (`http-check disable-on-404`), and what takes over when all are gone
// (`option allbackups`).

import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { HealthSwitch } from "./health-switch.ts";
import { PolicyStage } from "./policy-stage.ts";

const opened = closeAfterEach();

async function stageOf(threads: number, backend: readonly string[]): Promise<PolicyStage> {
  const log = opened(await LogReceiver.start());
  return opened(await PolicyStage.start({ threads, log, backend }));
}

/** Opens so many clients one after the other, each served. */
async function open(stage: PolicyStage, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await opened(await stage.open()).roundTrip("hello");
}

describe.each([1, 2])("slowstart, %i thread(s)", (threads) => {
  it("gives a server that comes up a sixteenth of its share and one session at first", async () => {
    const a = opened(await Upstream.start(echo));
    const b = opened(await Upstream.start(echo));
    const stage = await stageOf(threads, [
      `server a ${a.endpoint} weight 16 maxconn 50 slowstart 1h`,
      `server b ${b.endpoint} weight 1`,
    ]);
    expect(await stage.row("a"), "not at the start").toMatchObject({ weight: "16", throttle: "", slim: "50" });
    await stage.health("a", "down");
    await stage.health("a", "up");
    expect(await stage.row("a")).toMatchObject({ weight: "1", uweight: "16", throttle: "6", slim: "50", act: "1" });
    expect(await stage.row("BACKEND")).toMatchObject({ weight: "2", uweight: "17" });
    expect((await stage.program.serversState())[0]).toMatchObject({ srv_op_state: "1", srv_uweight: "16" });
    await open(stage, 4);
    expect([a.connections.length, b.connections.length]).toEqual([1, 3]);
    // What the operator says holds in proportion, and maintenance begins anew.
    await stage.program.runtime("set server be/a weight 160");
    expect(await stage.row("a")).toMatchObject({ weight: "10", uweight: "160", throttle: "6" });
    await stage.program.runtime("disable server be/a; enable server be/a");
    expect(await stage.row("a")).toMatchObject({ weight: "10", throttle: "6" });
  });

  it("goes up by itself to the full share, and lets waiting sessions in", async () => {
    const a = opened(await Upstream.start(echo));
    const stage = await stageOf(threads, [`server a ${a.endpoint} weight 16 maxconn 3 slowstart 1s`]);
    await stage.health("a", "down");
    await stage.health("a", "up");
    const clients = [await stage.open(), await stage.open(), await stage.open()].map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("all three in the end")));
    await stage.waitForRow("a", { weight: "16", throttle: "", slim: "3" });
    expect((await stage.program.serversState())[0]).toMatchObject({ srv_op_state: "2" });
  });
});

describe("http-check disable-on-404", () => {
  it("a server that answers 404 keeps its sessions and gets no new one, unless it is down", async () => {
    const a = opened(await Upstream.start(echo));
    const b = opened(await Upstream.start(echo));
    const health = opened(await HealthSwitch.start());
    const stage = await stageOf(1, [
      "option httpchk",
      "http-check disable-on-404",
      `server a ${a.endpoint} ${health.words()} on-marked-down shutdown-sessions`,
      `server b ${b.endpoint} backup`,
    ]);
    const client = opened(await stage.open());
    await client.roundTrip("hello");
    health.state = "missing";
    await stage.waitForRow("a", { status: "NOLB", check_status: "L7OKC", check_code: "404" });
    await stage.waitForLog(/Server be\/a is stopping, reason: Layer7 check conditionally passed, code: 404/);
    await client.roundTrip("kept");
    await open(stage, 2);
    expect([a.connections.length, b.connections.length]).toEqual([1, 2]);
    health.state = "down";
    await stage.waitForRow("a", { status: "DOWN" });
    await client.waitForEnd();
    health.state = "missing";
    const asked = health.asked;
    await stage.waitForRow("a", { check_status: "L7STS", check_code: "404", status: "DOWN" });
    expect(health.asked).toBeGreaterThan(asked);
    health.state = "up";
    await stage.waitForRow("a", { status: "UP" });
  });
});

describe("option allbackups", () => {
  it("all backups share the sessions, but only while no other server is up", async () => {
    const [a, b, c] = [
      opened(await Upstream.start(echo)),
      opened(await Upstream.start(echo)),
      opened(await Upstream.start(echo)),
    ];
    const stage = await stageOf(1, [
      "option allbackups",
      `server a ${a.endpoint}`,
      `server b ${b.endpoint} backup`,
      `server c ${c.endpoint} backup`,
    ]);
    await open(stage, 2);
    await stage.health("a", "down");
    await open(stage, 4);
    expect([a, b, c].map((upstream) => upstream.connections.length)).toEqual([2, 2, 2]);
    expect(await stage.row("BACKEND")).toMatchObject({ weight: "2", bck: "2", status: "UP" });
    await stage.health("a", "up");
    await open(stage, 2);
    expect(a.connections).toHaveLength(4);
  });
});
