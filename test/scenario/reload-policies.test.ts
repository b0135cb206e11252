// Other words about a server that is out of service already: a reload that brings them ends the sessions that they mean, and plan and
// receipt say so before and after.

import { expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { socketsHeldTo } from "../harness/kernel-sockets.ts";
import { freePort } from "../harness/ports.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { ReloadStage, sections } from "./reload-stage.ts";

const opened = closeAfterEach();

it("on-maint and on-drain that a reload brings hold for servers in maintenance and in drain", async () => {
  const [a, b, c] = [await Upstream.start(echo), await Upstream.start(echo), await Upstream.start(echo)].map(opened);
  const port = await freePort();
  const config = (ofA: string, ofB: string) =>
    sections({ port, servers: [`a ${a!.endpoint} ${ofA}`, `b ${b!.endpoint} ${ofB}`, `c ${c!.endpoint}`] });
  const stage = opened(await ReloadStage.start(config("", "")));
  const { program } = stage;
  const clients = (await stage.clients(6, port)).map(opened);
  await program.runtime("disable server be/a; set server be/b state drain");
  expect(await program.sessions(), "nobody said that they should end").toHaveLength(6);

  stage.write(config("on-maint shutdown-sessions", "on-drain over 300ms"));
  const told = [
    "! be/a is in maintenance: its 2 sessions are ended at once (on-maint shutdown-sessions)",
    "! be/b drains: its 2 sessions are ended within 300ms (on-drain over 300ms)",
  ];
  const linesOf = (text: string): string[] => text.split("\n").filter((line) => line.includes("sessions are ended"));
  expect(linesOf(await program.runtime("plan"))).toEqual(told);
  expect(await program.sessions()).toHaveLength(6);
  let held = -1;
  const receipt = await program.runtime("reload", {
    atAnswer: () => {
      held = socketsHeldTo(program.pid, a!.address, a!.port).length;
    },
  });
  expect(held, "connections to a at the answer").toBe(0);
  expect(linesOf(receipt)).toEqual(told);
  await waitFor(
    async () => (await program.sessions()).every(({ srv }) => srv === "c"),
    () => "the sessions of b to end",
  );
  for (const client of clients.filter((_, i) => i % 3 === 2)) await client.roundTrip("still here");
  expect(linesOf(await program.runtime("reload")), "once is enough").toEqual([]);
});
