// `observe layer4`: connections of sessions that fail in a row, on all threads together, count against the server before its check
// notices.

import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { echo, refuser, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { HealthSwitch } from "./health-switch.ts";
import { PolicyStage } from "./policy-stage.ts";

const opened = closeAfterEach();

/** One server "a" that refuses sessions while its check, asked once an hour, passes. */
async function stageOf(threads: number, words: string, checkWords = "inter 1h rise 2 fall 3") {
  const victim = await refuser();
  const health = opened(await HealthSwitch.start());
  const log = opened(await LogReceiver.start());
  const backend = [
    "option httpchk",
    "option log-health-checks",
    "retries 0",
    `server a ${victim.endpoint} ${health.words(checkWords)} observe layer4 error-limit 3 ${words}`,
  ];
  const stage = opened(await PolicyStage.start({ threads, log, backend }));
  return { stage, health };
}

async function failToConnect(stage: PolicyStage, count: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: count }, () => stage.open()));
  await Promise.all(clients.map((client) => opened(client).waitForEnd()));
}

describe.each([1, 2])("observe layer4, %i thread(s)", (threads) => {
  it("on-error mark-down: the third failure in a row takes the server down", async () => {
    const { stage } = await stageOf(threads, "on-error mark-down");
    // A check that passes begins the count anew.
    await stage.waitForRow("a", { check_status: "L7OK", status: "UP" });
    await failToConnect(stage, 2);
    expect((await stage.row("a")).hanafail).toBe("0");
    await failToConnect(stage, 1);
    const last_chk = "Detected 3 consecutive errors, last one was: L4 unsuccessful connection";
    await stage.waitForRow("a", { status: "DOWN", check_status: "HANA", hanafail: "1", chkfail: "1", last_chk });
    await stage.waitForLog(
      /Health check for server be\/a failed, reason: Health analyze, info: "Detected 3 consecutive errors, last one was: L4 unsuccessful connection", status: 0\/2 DOWN\.\n$/,
    );
    await stage.waitForLog(/Server be\/a is DOWN\. 0 active/);
  });

  it("fail-check counts as one failed check, sudden-death as all but one", async () => {
    const { stage } = await stageOf(threads, "");
    await stage.waitForRow("a", { check_status: "L7OK", status: "UP" });
    await failToConnect(stage, 3);
    await stage.waitForRow("a", { status: "UP 2/3", hanafail: "1", check_health: "3" });
    const { stage: sudden } = await stageOf(threads, "on-error sudden-death");
    await sudden.waitForRow("a", { check_status: "L7OK", status: "UP" });
    await failToConnect(sudden, 3);
    await sudden.waitForRow("a", { status: "UP 1/3", hanafail: "1", check_health: "2" });
    await failToConnect(sudden, 3);
    await sudden.waitForRow("a", { status: "DOWN", hanafail: "2" });
  });

  it("on-error fastinter only brings the next check forward", async () => {
    const { stage, health } = await stageOf(threads, "on-error fastinter", "inter 1h fastinter 50ms rise 2 fall 3");
    await stage.waitForRow("a", { check_status: "L7OK", status: "UP" });
    const asked = health.asked;
    await failToConnect(stage, 3);
    await waitFor(() => health.asked > asked, "a check that did not wait for an hour");
    await stage.waitForRow("a", { status: "UP", hanafail: "1", check_status: "L7OK" });
  });
});

describe("observe", () => {
  it("a server added at runtime is observed, and successes begin the count anew", async () => {
    const health = opened(await HealthSwitch.start());
    const log = opened(await LogReceiver.start());
    const stage = opened(
      await PolicyStage.start({
        threads: 1,
        log,
        backend: ["option httpchk", "retries 0", "server x 127.0.0.1:1 disabled"],
      }),
    );
    const words = `${health.words("inter 1h")} observe layer4 error-limit 2 on-error mark-down`;
    let upstream = await Upstream.start(echo);
    const { port, endpoint } = upstream;
    expect(await stage.program.runtime(`add server be/a ${endpoint} ${words}`)).toBe("New server registered.\n\n");
    expect(await stage.program.runtime("enable server be/a; enable health be/a")).toBe("\n\n");
    for (let round = 0; round < 2; round++) {
      await opened(await stage.open()).roundTrip("a success");
      await upstream.close();
      await failToConnect(stage, 1);
      upstream = await Upstream.start(echo, { port });
    }
    opened(upstream);
    await opened(await stage.open()).roundTrip("a success");
    expect((await stage.row("a")).hanafail).toBe("0");
    await upstream.close();
    await failToConnect(stage, 2);
    await stage.waitForRow("a", { status: "DOWN", hanafail: "1" });
  });
});
