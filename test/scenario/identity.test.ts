// Whom the process becomes: `pidfile`, and `chroot`, `group`, `user` once its addresses are bound, on every thread.

import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "headgate-identity-"));
  opened({ close: () => rmSync(path, { recursive: true, force: true }) });
  return path;
}

async function start(global: readonly string[], waitUntilReady = true) {
  const upstream = opened(await Upstream.start(echo));
  const port = await freePort();
  const config = simpleConfig({ port, threads: 2, servers: [`a ${upstream.endpoint}`], global });
  return { port, program: opened(await Program.start({ config, waitUntilReady })) };
}

/** The four ids (real, effective, saved, file system) of each thread, as one line each. */
function idsOfThreads(pid: number, what: "Uid" | "Gid" | "Groups"): string[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const pattern = new RegExp(`^${what}:(.*)$`, "m");
  return threads.map((thread) => {
    const line = pattern.exec(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"))?.[1] ?? "?";
    return line.trim().split(/\s+/).join(" ");
  });
}

it("pidfile: written when it runs, removed at the end", async () => {
  const file = join(directory(), "headgate.pid");
  const { program } = await start([`pidfile ${file}`]);
  expect(readFileSync(file, "utf8")).toBe(`${program.pid}\n`);
  program.signal("SIGTERM");
  await program.waitForExit();
  expect(() => readFileSync(file)).toThrow("ENOENT");
});

if (isRoot) {
  it("becomes another user in another root directory, on every thread, and serves", async () => {
    const root = directory();
    chmodSync(root, 0o755);
    const { program, port } = await start([`uid ${NOBODY}`, `gid ${NOBODY}`, `chroot ${root}`]);
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
    const all = `${NOBODY} ${NOBODY} ${NOBODY} ${NOBODY}`;
    const users = idsOfThreads(program.pid, "Uid");
    expect(users.length).toBeGreaterThan(2);
    expect(new Set(users)).toEqual(new Set([all]));
    expect(new Set(idsOfThreads(program.pid, "Gid"))).toEqual(new Set([all]));
    expect(new Set(idsOfThreads(program.pid, "Groups"))).toEqual(new Set([""]));
    expect(readlinkSync(`/proc/${program.pid}/root`)).toBe(root);
    expect(await program.runtime("disable server be/a; shutdown sessions server be/a; del server be/a")).toBe(
      "\n\nServer deleted.\n\n",
    );
    await client.waitForEnd();
    program.signal("SIGTERM");
    expect(await program.waitForExit()).toBe(143);
  });
} else {
  it.each([
    ["uid 1", "Cannot set uid 1"],
    ["gid 1", "Cannot set gid 1"],
    ["chroot /", "Cannot chroot(/)"],
  ])("not as root, %s: refused with the reason, and nothing is served", async (line, message) => {
    const { program } = await start([line], false);
    expect(await program.waitForExit()).toBe(1);
    expect(program.stderr).toContain(message);
  });
}
