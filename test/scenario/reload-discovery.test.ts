// Servers found by DNS over reloads: what was resolved keeps its address and its sessions, whatever becomes of nameservers and templates.

import { expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { DnsServer } from "../harness/dns-server.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";
import { ReloadStage } from "./reload-stage.ts";

const opened = closeAfterEach();
const [FIRST, SECOND, THIRD] = [loopbackAddress(14), loopbackAddress(15), loopbackAddress(16)];

interface Words {
  readonly nameservers: readonly DnsServer[];
  readonly template: number;
  readonly retries?: number;
}

it("a resolved server keeps its address and sessions; nameservers and templates change under it", async () => {
  const [one, two] = [opened(await DnsServer.start()), opened(await DnsServer.start())];
  const named = opened(await Upstream.start(echo, { address: FIRST }));
  const moved = opened(await Upstream.start(echo, { address: SECOND, port: named.port }));
  const services = [
    opened(await Upstream.start(echo, { address: SECOND })),
    opened(await Upstream.start(echo, { address: THIRD })),
  ];
  const places = services.map(({ port }, i) => ({
    target: `n${i}.test`,
    port,
    weight: 256,
    address: [SECOND, THIRD][i]!,
  }));
  for (const dns of [one, two]) {
    dns.setAddresses("db.test", FIRST);
    dns.set("_db._tcp.test", "SRV", { places });
  }
  const [ofName, ofService] = [await freePort(), await freePort()];
  const config = ({ nameservers, template, retries = 3 }: Words): string => `
resolvers dns
    ${nameservers.map((dns) => `nameserver ns${[one, two].indexOf(dns) + 1} ${dns.endpoint}`).join("\n    ")}
    timeout resolve 100ms
    timeout retry 200ms
    hold nx 0
defaults
    mode tcp
    retries ${retries}
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    default-server resolvers dns resolve-prefer ipv4 init-addr none
frontend named
    bind ${FRONTEND_ADDRESS}:${ofName}
    default_backend name
frontend served
    bind ${FRONTEND_ADDRESS}:${ofService}
    default_backend service
backend name
    server s db.test:${named.port}
backend service
    server-template t ${template} _db._tcp.test
`;
  const stage = opened(await ReloadStage.start(config({ nameservers: [one, two], template: 2 })));
  const addresses = async (): Promise<string[]> =>
    (await stage.program.serversState()).map((row) => `${row.srv_name} ${row.srv_addr}:${row.srv_port}`);
  const waitForAddresses = async (...wanted: string[]): Promise<void> => {
    await waitFor(
      async () => JSON.stringify(await addresses()) === JSON.stringify(wanted),
      () => `servers at ${wanted}`,
    );
    // Changes are carried out one after the other: at the answer of any, the one before it is done.
    expect(await stage.program.runtime("set server name/s weight 1")).toBe("\n");
  };
  const s = `s ${FIRST}:${named.port}`;
  const [t1, t2] = [`t1 ${SECOND}:${services[0]!.port}`, `t2 ${THIRD}:${services[1]!.port}`];
  await waitForAddresses(s, t1, t2);
  const clients = [...(await stage.clients(1, ofName)), ...(await stage.clients(2, ofService))].map(opened);
  const stay = async (): Promise<void> => {
    for (const client of clients) await client.roundTrip("still here");
  };

  // Nobody answers: what is known is all there is.
  for (const dns of [one, two]) {
    dns.setAll("db.test", "silent");
    dns.set("_db._tcp.test", "SRV", "silent");
  }
  const kept = await stage.mustReload(config({ nameservers: [one, two], template: 2, retries: 2 }));
  expect(kept.servers).toMatchObject({ kept: 3, added: [], removed: [], leaving: [] });
  expect(await addresses()).toEqual([s, t1, t2]);
  await stay();

  // The nameserver that is left says something new.
  await stage.mustReload(config({ nameservers: [two], template: 2 }));
  expect(await stage.program.runtime("show resolvers dns")).not.toContain("ns1");
  expect(await addresses()).toEqual([s, t1, t2]);
  two.setAddresses("db.test", SECOND);
  two.set("_db._tcp.test", "SRV", { places });
  await waitForAddresses(`s ${SECOND}:${named.port}`, t1, t2);
  await stay();
  opened((await stage.clients(1, ofName))[0]!);
  expect([named.connections.length, moved.connections.length]).toEqual([1, 1]);

  // More places, then fewer: what goes leaves with its session, what stays is as it was.
  const more = await stage.mustReload(config({ nameservers: [two], template: 3 }));
  expect(more.servers).toMatchObject({ added: ["service/t3"], kept: 3, leaving: [] });
  expect((await addresses()).slice(0, 3)).toEqual([`s ${SECOND}:${named.port}`, t1, t2]);
  const fewer = await stage.mustReload(config({ nameservers: [two], template: 1 }));
  expect(fewer.servers).toMatchObject({ kept: 2, removed: ["service/t3"] });
  expect(fewer.servers.leaving).toEqual([{ name: "service/t2", sessions: 1, policy: "keep" }]);
  expect((await stage.servers()).get("service/t2")).toMatchObject({ srv_addr: THIRD });
  await stay();
  for (const client of await stage.clients(2, ofService)) opened(client);
  expect(
    services.map(({ connections }) => connections.length),
    "new sessions go to what is left",
  ).toEqual([3, 1]);
});
