// `cut-guard`: checks do not end sessions when too many servers are down at once, or when there is nowhere to go; they do as soon as
// that has changed.

import { describe, expect, it } from "vitest";
import type { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { HealthSwitch } from "./health-switch.ts";
import { PolicyStage } from "./policy-stage.ts";

const opened = closeAfterEach();

/** Servers "a", "b" ... each with one session. */
async function stageOf(threads: number, count: number, lines: readonly string[], words: readonly string[] = []) {
  const upstreams: Upstream[] = [];
  for (let i = 0; i < count; i++) upstreams.push(opened(await Upstream.start(echo)));
  const servers = upstreams.map(
    ({ endpoint }, i) => `server ${"abcd"[i]} ${endpoint} on-marked-down shutdown-sessions ${words[i] ?? ""}`,
  );
  const log = opened(await LogReceiver.start());
  const stage = opened(await PolicyStage.start({ threads, log, backend: [...lines, ...servers] }));
  const clients: Client[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(opened(await stage.open()));
    await clients[i]!.roundTrip("hello");
  }
  return { stage, clients };
}

describe.each([1, 2])("cut-guard, %i thread(s)", (threads) => {
  it("keeps sessions while no other server is up, and says so; ends them when one is", async () => {
    const healthA = opened(await HealthSwitch.start());
    const healthB = opened(await HealthSwitch.start());
    const { stage, clients } = await stageOf(
      threads,
      2,
      ["option httpchk"],
      [`${healthA.words("rise 1 fall 1")} cut-guard 100`, healthB.words("rise 1 fall 1")],
    );
    healthB.state = "down";
    await clients[1]!.waitForEnd();
    healthA.state = "down";
    await stage.waitForLog(/^<132>.* Server be\/a: cut-guard keeps its 1 sessions, because no other server is up\.\n$/);
    await stage.waitForRow("a", { status: "DOWN", last_chk: /sessions kept by cut-guard: no other server is up$/ });
    await clients[0]!.roundTrip("kept");
    healthB.state = "up";
    await stage.waitForLog(/Server be\/a: cut-guard lets its sessions end\.\n$/);
    await clients[0]!.waitForEnd();
    expect((await stage.log.waitForSession(clients[0]!.local)).termination).toBe("DC");
    expect((await stage.row("a")).last_chk).not.toContain("cut-guard");
  });

  it("keeps those of the server that goes beyond the share of the backend", async () => {
    const { stage, clients } = await stageOf(threads, 3, ["cut-guard 40"]);
    await stage.health("a", "down");
    await clients[0]!.waitForEnd();
    await stage.health("b", "down");
    await stage.waitForLog(/Server be\/b: cut-guard keeps its 1 sessions, because 2 of 3 servers are down\.\n$/);
    await clients[1]!.roundTrip("kept");
    await stage.health("a", "up");
    await clients[1]!.waitForEnd();
    await clients[2]!.roundTrip("untouched");
  });

  it("a server that comes back keeps what the guard kept", async () => {
    const { stage, clients } = await stageOf(threads, 1, ["cut-guard 50"]);
    await stage.health("a", "down");
    await stage.waitForLog(/cut-guard keeps its 1 sessions/);
    await stage.health("a", "up");
    await stage.waitForLog(/Server be\/a: it is back: its 1 sessions stay\.\n$/);
    await clients[0]!.roundTrip("kept");
  });

  it("does not question the operator's word, nor a server of its own without guard", async () => {
    const { stage, clients } = await stageOf(threads, 2, ["cut-guard 10"], ["", "cut-guard 0"]);
    expect(await stage.program.runtime("disable server be/a")).toBe("\n");
    await clients[0]!.waitForEnd();
    await stage.health("b", "down");
    await clients[1]!.waitForEnd();
  });
});
