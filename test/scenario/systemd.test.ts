// The program as a service of systemd's kind "notify": ready when it accepts, a status, signs of life, and its end.

import { describe, expect, it } from "vitest";
import { openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { NotifyReceiver } from "../harness/notify-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

async function start() {
  const manager = opened(new NotifyReceiver());
  const upstream = opened(await Upstream.start(echo));
  const port = await freePort();
  const program = opened(
    await Program.start({
      config: simpleConfig({ port, threads: 2, servers: [`a ${upstream.endpoint}`] }),
      shellBefore: `export NOTIFY_SOCKET=${manager.path} WATCHDOG_USEC=300000`,
      waitUntilReady: false,
    }),
  );
  await manager.waitForLine(/^READY=1$/);
  return { manager, program, port };
}

/** The last line that is no sign of life: those go on to the end. */
const lastWord = (manager: NotifyReceiver): string | undefined =>
  manager
    .lines()
    .filter((line) => line !== "WATCHDOG=1")
    .at(-1);

describe("under a service manager", () => {
  it("READY=1 means that it accepts; then come status and signs of life, and STOPPING=1 at SIGTERM", async () => {
    const { manager, program, port } = await start();
    const [client] = (await openClients(1, { host: FRONTEND_ADDRESS, port })).map(opened);
    await client!.roundTrip("hello");
    expect(manager.lines()).toContain(`MAINPID=${program.pid}`);
    await manager.waitForLine(/^STATUS=serving: \d+ sessions, 1 of 1 servers up$/);
    await waitFor(() => manager.lines().filter((line) => line === "WATCHDOG=1").length >= 3, "three signs of life");
    // A reload, however it was asked for, and well or not.
    for (const ask of [() => program.signal("SIGHUP"), () => void program.runtime("reload")]) {
      const before = manager.lines().length;
      ask();
      await waitFor(() => manager.lines().slice(before).includes("READY=1"), "it to be ready again");
      expect(
        manager
          .lines()
          .slice(before)
          .filter((line) => /^(RELOADING|READY)/.test(line)),
      ).toEqual(["RELOADING=1", "READY=1"]);
    }
    expect(manager.lines()).not.toContain("STOPPING=1");
    program.signal("SIGTERM");
    expect(await program.waitForExit()).toBe(143);
    expect(lastWord(manager)).toBe("STOPPING=1");
  });

  it("a soft stop goes on giving signs of life; STOPPING=1 comes with its last session's end", async () => {
    const { manager, program, port } = await start();
    const [client] = (await openClients(1, { host: FRONTEND_ADDRESS, port })).map(opened);
    await client!.roundTrip("hello");
    program.signal("SIGUSR1");
    await manager.waitForLine(/^STATUS=finishing: 1 sessions/);
    const signs = manager.lines().filter((line) => line === "WATCHDOG=1").length;
    await waitFor(() => manager.lines().filter((line) => line === "WATCHDOG=1").length > signs, "another sign of life");
    expect(manager.lines()).not.toContain("STOPPING=1");
    client!.close();
    expect(await program.waitForExit()).toBe(0);
    expect(lastWord(manager)).toBe("STOPPING=1");
  });
});
