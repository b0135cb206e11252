// `headgate plan` and `plan` on the Runtime API against a running program with sessions: what they say, how the command ends, and that
// nothing is changed by them.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { runHeadgate } from "../harness/command.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { simpleConfig } from "./simple-config.ts";

const opened = closeAfterEach();

/** The command as typed into a shell, in that directory. */
const plan = (cwd: string, ...words: string[]) => runHeadgate(["plan", ...words], opened, cwd);

it("says what a reload would do, with sessions and operators' changes, and changes nothing", async () => {
  const upstream = opened(await Upstream.start(echo));
  const [port, other] = [await freePort(), await freePort()];
  const config = simpleConfig({
    port,
    servers: [
      `a ${upstream.endpoint} on-removed drain 1m`,
      "b 127.0.0.1:1 disabled",
      "c 127.0.0.1:2 weight 5 disabled",
    ],
  });
  const program = opened(await Program.start({ config }));
  const clients = (await openClients(3, { host: FRONTEND_ADDRESS, port })).map(opened);
  for (const client of clients) await client.roundTrip("hello");
  await program.runtime("set server be/c weight 7; set server be/b state ready");

  const same = await plan(program.directory, "haproxy.cfg");
  expect(same).toMatchObject({ code: 0, stderr: "" });
  expect(same.stdout.split("\n")).toEqual([
    "No changes, the files say what is loaded.",
    "= be/b: state ready, set at runtime, stays (the file says maint, as before)",
    "= be/c: weight 7, set at runtime, stays (the file says 5, as before)",
    "",
  ]);

  const text = readFileSync(program.configPath, "utf8");
  const next = text
    .replace(/ +server a .*\n/, "")
    .replace("weight 5", "weight 6")
    .replace(`:${port}`, `:${other}`);
  mkdirSync(join(program.directory, "next"));
  writeFileSync(join(program.directory, "next", "new lb.cfg"), `${next}    server d 127.0.0.1:4\n`);
  const changed = await plan(join(program.directory, "next"), "new lb.cfg");
  expect(changed).toMatchObject({ code: 2, stderr: "" });
  expect(changed.stdout.replaceAll(/ \(\/.*?\)$/gm, "").split("\n")).toEqual([
    "1 server added, 1 server changed, 1 server leaving with 3 sessions, 1 listener opened, 1 listener closed, 1 runtime value overruled.",
    `+ listener ${FRONTEND_ADDRESS}:${other} of fe`,
    `- listener ${FRONTEND_ADDRESS}:${port} of fe is closed`,
    "+ server be/d 127.0.0.1:4",
    "~ server be/c: weight 5 -> 6",
    `- server be/a ${upstream.endpoint} leaves with 3 sessions: ended after 1m at the latest (on-removed drain 1m)`,
    "! be/c: weight 7, set at runtime, is lost: the file now says 6",
    "= be/b: state ready, set at runtime, stays (the file says maint, as before)",
    "",
  ]);

  writeFileSync(program.configPath, `${text}    server d 127.0.0.1:4\n`);
  expect(await program.runtime("plan")).toContain("1 server added.\n+ server be/d 127.0.0.1:4");
  const json = await plan(program.directory, "--json", "-s", program.socketPath);
  expect(json.code).toBe(2);
  expect(JSON.parse(json.stdout)).toMatchObject({ valid: true, plan: { servers: { added: [{ server: "d" }] } } });

  for (const client of clients) await client.roundTrip("still there");
  expect((await program.serversState()).map(({ srv_name }) => srv_name)).toEqual(["a", "b", "c"]);
});

it("ends with 1 for files that are not valid, as the process sees them, and with 3 where nobody answers", async () => {
  const program = opened(
    await Program.start({ config: simpleConfig({ port: await freePort(), servers: ["a 127.0.0.1:1"] }) }),
  );
  const wrong = join(program.directory, "wrong.cfg");
  writeFileSync(wrong, "global\n    maxcon 5\n");
  const refused = await plan(program.directory, "wrong.cfg", "--socket", program.socketPath);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain(`${wrong}:2:5: error: unknown word 'maxcon'`);
  program.signal("SIGKILL");
  await program.waitForExit();
  expect(await plan(program.directory, "haproxy.cfg")).toMatchObject({ code: 3, stdout: "" });
});
