// Servers found by DNS, with a real nameserver whose answers change: states, sessions, log lines and commands.

import { describe, expect, it } from "vitest";
import { Client, openClients } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { DnsServer } from "../harness/dns-server.ts";
import { socketsHeldTo, survivingConnections } from "../harness/kernel-sockets.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { type Row, statRow } from "../harness/show.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";

const opened = closeAfterEach();
/** Upstreams of one port, as addresses of one name must be. */
const [FIRST, SECOND, THIRD] = [loopbackAddress(11), loopbackAddress(12), loopbackAddress(13)];

interface Setup {
  readonly dns: DnsServer;
  readonly servers: readonly string[];
  /** Instead of one over UDP. */
  readonly nameservers?: readonly string[];
  readonly section?: readonly string[];
  readonly threads?: number;
}

interface Running {
  readonly program: Program;
  readonly port: number;
  readonly log: LogReceiver;
}

async function start({ dns, servers, nameservers, section = [], threads = 1 }: Setup): Promise<Running> {
  const log = opened(await LogReceiver.start());
  const port = await freePort();
  const config = `
    nbthread ${threads}
resolvers dns
    ${(nameservers ?? [dns.endpoint]).map((address, i) => `nameserver ns${i + 1} ${address}`).join("\n    ")}
    timeout resolve 100ms
    timeout retry 200ms
    hold nx 0
    hold timeout 0
    hold refused 0
    hold other 0
    ${section.join("\n    ")}
defaults
    mode tcp
    log ${log.endpoint} local0
    option tcplog
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    default-server resolvers dns resolve-prefer ipv4 init-addr none
frontend fe
    bind ${FRONTEND_ADDRESS}:${port}
    default_backend be
backend be
    ${servers.join("\n    ")}
`;
  return { program: opened(await Program.start({ config })), port, log };
}

async function startUpstreams(...addresses: string[]): Promise<Upstream[]> {
  const first = opened(await Upstream.start(echo, { address: addresses[0] }));
  const others = addresses.slice(1).map((address) => Upstream.start(echo, { address, port: first.port }));
  return [first, ...(await Promise.all(others)).map(opened)];
}

const stateOf = async (program: Program, name: string): Promise<Row> =>
  (await program.serversState()).find((row) => row.srv_name === name)!;

/** Addresses of the backend's servers as shown: "-" for one without. */
const addresses = async (program: Program): Promise<string[]> =>
  (await program.serversState()).map((row) => row.srv_addr!);

const waitForAddresses = (program: Program, ...wanted: string[]): Promise<unknown> =>
  waitFor(
    async () => JSON.stringify(await addresses(program)) === JSON.stringify(wanted),
    () => `servers at ${wanted}`,
  );

const hasLogged = (log: LogReceiver, text: string): Promise<unknown> =>
  waitFor(
    () => log.messages.some((message) => message.includes(text)),
    () => `"${text}" in\n${log.messages.join("")}`,
  );

/** Changes are carried out one after the other: at the answer of any, the one before it is done. */
async function afterAllChanges(program: Program): Promise<void> {
  expect(await program.runtime("set server be/s weight 1")).toBe("\n");
}

describe("a server with a name", () => {
  it("waits in maintenance for an address, serves with it, and waits again when the name is gone", async () => {
    const dns = opened(await DnsServer.start());
    const [upstream] = await startUpstreams(FIRST);
    const { program, port, log } = await start({ dns, servers: [`server s db.test:${upstream!.port}`] });
    expect(statRow(await program.stat(), "be", "s")).toMatchObject({ status: "MAINT (resolution)", addr: "" });
    expect(await stateOf(program, "s")).toMatchObject({ srv_addr: "-", srv_admin_state: "32", srv_fqdn: "db.test" });

    dns.setAddresses("db.test", FIRST);
    await waitForAddresses(program, FIRST);
    await waitFor(
      async () => statRow(await program.stat(), "be", "s").status === "no check",
      () => "the server to be in use",
    );
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
    await hasLogged(log, `be/s changed its IP from (none) to ${FIRST} by dns/ns1.`);
    await hasLogged(log, "Server be/s ('db.test') is UP/READY (resolves again).");
    await hasLogged(log, "Server be/s administratively READY thanks to valid DNS answer.");

    dns.setAll("db.test", "nx");
    await waitForAddresses(program, "-");
    await hasLogged(
      log,
      "Server be/s is going DOWN for maintenance (DNS NX status). 0 active and 0 backup servers left.",
    );
    await client.roundTrip("still there");
    const late = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await late.waitForEnd();
    expect((await log.waitForSession(late.local)).server).toBe("<NOSRV>");
  });

  it("keeps its address while DNS fails, for as long as `hold` says", async () => {
    const dns = opened(await DnsServer.start());
    dns.setAddresses("db.test", FIRST);
    const section = ["hold nx 1h", "hold timeout 1h", "hold refused 1h", "hold other 1h", "resolve_retries 1"];
    const { program } = await start({ dns, section, servers: ["server s db.test:80"] });
    await waitForAddresses(program, FIRST);
    for (const zone of ["nx", "refused", "servfail", "empty", "garbage", "silent"] as const) {
      dns.setAll("db.test", zone);
      await dns.waitForQuestions("db.test", 6);
      expect(await addresses(program), zone).toEqual([FIRST]);
    }
    const shown = await program.runtime("show resolvers dns");
    for (const counter of ["nx", "refused", "other", "any_err", "invalid"]) {
      expect(shown).toMatch(new RegExp(`^  ${counter}: +[1-9]`, "m"));
    }
  });

  it("is reached through aliases, over TCP, and by whichever nameserver answers", async () => {
    const dns = opened(await DnsServer.start());
    const dead = `${FRONTEND_ADDRESS}:${await freePort()}`;
    dns.set("db.test", "A", { cname: "real.test", addresses: [FIRST] });
    const nameservers = [dead, `tcp@${dead}`, `tcp@${dns.endpoint}`];
    const { program, log } = await start({ dns, nameservers, servers: ["server s db.test:80"] });
    await waitForAddresses(program, FIRST);
    await hasLogged(log, "by dns/ns3.");
    expect(new Set(dns.questions.map(({ transport }) => transport))).toEqual(new Set(["tcp"]));
  });

  it("asks again over TCP when an answer was cut off", async () => {
    const dns = opened(await DnsServer.start());
    dns.truncates = true;
    dns.setAddresses("db.test", FIRST);
    const { program } = await start({ dns, servers: ["server s db.test:80"] });
    await waitForAddresses(program, FIRST);
    expect(await program.runtime("show resolvers dns")).toMatch(/^ {2}truncated: +[1-9]/m);
  });

  it("is given another one by `set server fqdn`, and keeps its address until that resolves", async () => {
    const dns = opened(await DnsServer.start());
    dns.setAddresses("db.test", FIRST);
    dns.setAddresses("other.test", "");
    dns.setAll("other.test", "silent");
    const { program } = await start({ dns, section: ["hold timeout 1h"], servers: ["server s db.test:80"] });
    await waitForAddresses(program, FIRST);
    expect(await program.runtime("set server be/s fqdn other.test")).toBe(
      "be/s changed its FQDN from db.test to other.test by 'stats socket command'\n\n",
    );
    expect(await stateOf(program, "s")).toMatchObject({ srv_addr: FIRST, srv_fqdn: "other.test" });
    await dns.waitForQuestions("other.test", 2);
    const before = dns.asked("db.test");
    dns.setAddresses("other.test", SECOND);
    await waitForAddresses(program, SECOND);
    expect(dns.asked("db.test")).toBe(before);
  });

  it("is asked for no more once it is deleted", async () => {
    const dns = opened(await DnsServer.start());
    dns.setAddresses("db.test", FIRST);
    dns.setAddresses("other.test", SECOND);
    const { program } = await start({ dns, servers: ["server s db.test:80", "server o other.test:80"] });
    await waitForAddresses(program, FIRST, SECOND);
    expect(await program.runtime("disable server be/s; del server be/s")).toContain("Server deleted.");
    const before = dns.asked("db.test");
    await dns.waitForQuestions("other.test", 4);
    expect(dns.asked("db.test")).toBeLessThanOrEqual(before + 1);
  });
});

describe("server-template", () => {
  it("gives each server an address of its own, and a lost one's place to a new one", async () => {
    const dns = opened(await DnsServer.start());
    dns.setAddresses("db.test", FIRST, SECOND);
    const { program } = await start({ dns, servers: ["server-template s 3 db.test:80"] });
    await waitForAddresses(program, FIRST, SECOND, "-");
    dns.setAddresses("db.test", SECOND, THIRD);
    await waitForAddresses(program, THIRD, SECOND, "-");
    dns.setAddresses("db.test", FIRST, SECOND, THIRD);
    await waitForAddresses(program, THIRD, SECOND, FIRST);
    dns.setAddresses("db.test", THIRD);
    await waitForAddresses(program, THIRD, "-", "-");
  });

  it("for a service takes addresses, ports and weights from its records", async () => {
    const dns = opened(await DnsServer.start());
    const upstream = opened(await Upstream.start(echo, { address: FIRST }));
    const other = opened(await Upstream.start(echo, { address: SECOND }));
    dns.setAddresses("n2.test", SECOND);
    const [n1, n2] = [
      { target: "n1.test", port: upstream.port, weight: 256 * 7, address: FIRST },
      { target: "n2.test", port: other.port, weight: 65_535 },
    ];
    dns.set("_db._tcp.test", "SRV", { places: [n1, n2] });
    const { program, port, log } = await start({ dns, servers: ["server-template s 3 _db._tcp.test"] });
    await waitForAddresses(program, FIRST, SECOND, "-");
    const rows = await program.serversState();
    expect(rows.map((row) => [row.srv_port, row.srv_uweight, row.srv_fqdn, row.srvrecord])).toEqual([
      [`${upstream.port}`, "7", "n1.test", "_db._tcp.test"],
      [`${other.port}`, "256", "n2.test", "_db._tcp.test"],
      ["0", "1", "-", "_db._tcp.test"],
    ]);
    await hasLogged(log, "be/s1 changed its FQDN from (null) to n1.test by 'SRV record'");
    await hasLogged(log, `be/s1 changed its IP from (none) to ${FIRST} by DNS additional record.`);
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");

    dns.set("_db._tcp.test", "SRV", { places: [{ ...n2, weight: 0 }] });
    await waitForAddresses(program, "-", SECOND, "-");
    await hasLogged(log, "Server be/s1 is going DOWN for maintenance (entry removed from SRV record).");
    await waitFor(
      async () => (await stateOf(program, "s2")).srv_uweight === "0",
      () => "a weight of 0",
    );
    expect(await program.runtime("set server be/s2 fqdn x.test")).toBe(
      "set server <b>/<s> fqdn failed because SRV resolution is configured.\n\n",
    );
  });
});

describe.each([1, 2])("sessions of an address that changed, %i thread(s)", (threads) => {
  async function twoAddresses(words: string) {
    const dns = opened(await DnsServer.start());
    const [old, fresh] = await startUpstreams(FIRST, SECOND);
    dns.setAddresses("db.test", FIRST);
    const running = await start({ dns, threads, servers: [`server s db.test:${old!.port} ${words}`] });
    await waitForAddresses(running.program, FIRST);
    await afterAllChanges(running.program);
    const connect = () => openClients(6, { host: FRONTEND_ADDRESS, port: running.port });
    const clients = (await connect()).map(opened);
    await Promise.all(clients.map((client) => client.roundTrip("hello")));
    return { ...running, dns, old: old!, fresh: fresh!, clients, connect };
  }

  it("stay by default, and new ones go to the new address", async () => {
    const { program, dns, old, fresh, clients, connect } = await twoAddresses("");
    dns.setAddresses("db.test", SECOND);
    await waitForAddresses(program, SECOND);
    await afterAllChanges(program);
    const late = (await connect()).map(opened);
    await Promise.all([...clients, ...late].map((client) => client.roundTrip("again")));
    expect([old.openConnections.length, fresh.openConnections.length]).toEqual([6, 6]);
  });

  it("end with on-address-change shutdown-sessions, and none is left in the kernel", async () => {
    const { program, log, dns, old, fresh, clients, connect } = await twoAddresses(
      "on-address-change shutdown-sessions",
    );
    clients[0]?.pingPong(Buffer.alloc(1024, "busy "));
    dns.setAddresses("db.test", SECOND);
    await waitForAddresses(program, SECOND);
    await afterAllChanges(program);
    expect(survivingConnections(program.pid, old.address, old.port)).toEqual([]);
    expect(socketsHeldTo(program.pid, old.address, old.port)).toEqual([]);
    for (const client of clients) {
      await client.waitForEnd();
      expect((await log.waitForSession(client.local)).termination).toMatch(/^D/);
    }
    const late = (await connect()).map(opened);
    await Promise.all(late.map((client) => client.roundTrip("again")));
    expect(fresh.openConnections).toHaveLength(6);
  });

  it("end with it when DNS says that the address is gone, and not while it says nothing", async () => {
    const { program, dns, old, clients } = await twoAddresses("on-address-change shutdown-sessions");
    dns.setAll("db.test", "silent");
    await waitForAddresses(program, "-");
    await afterAllChanges(program);
    await Promise.all(clients.map((client) => client.roundTrip("still there")));
    dns.setAddresses("db.test", FIRST);
    await waitForAddresses(program, FIRST);
    await afterAllChanges(program);
    await Promise.all(clients.map((client) => client.roundTrip("the same address")));
    dns.setAll("db.test", "nx");
    await waitForAddresses(program, "-");
    await afterAllChanges(program);
    expect(survivingConnections(program.pid, old.address, old.port)).toEqual([]);
    for (const client of clients) await client.waitForEnd();
  });

  it("end with it when the operator moves the server, before the answer", async () => {
    const { program, old, clients } = await twoAddresses("on-address-change shutdown-sessions");
    expect(await program.runtime(`set server be/s addr ${SECOND}`)).toContain(
      `IP changed from '${FIRST}' to '${SECOND}'`,
    );
    expect(survivingConnections(program.pid, old.address, old.port)).toEqual([]);
    for (const client of clients) await client.waitForEnd();
  });
});

describe("show resolvers", () => {
  it("has a section by name, or says that there is none", async () => {
    const dns = opened(await DnsServer.start());
    dns.setAddresses("db.test", FIRST);
    const { program } = await start({ dns, servers: ["server s db.test:80"] });
    await waitForAddresses(program, FIRST);
    const shown = await program.runtime("show resolvers dns");
    expect(shown.replaceAll(/\d+\n/g, "N\n")).toBe(
      `Resolvers section dns\n nameserver ns1:\n${[
        "sent:        ",
        "snd_error:   ",
        "valid:       ",
        "update:      ",
        "cname:       ",
        "cname_error: ",
        "any_err:     ",
        "nx:          ",
        "timeout:     ",
        "refused:     ",
        "other:       ",
        "invalid:     ",
        "too_big:     ",
        "truncated:   ",
        "outdated:    ",
      ]
        .map((label) => `  ${label}N\n`)
        .join("")}\n`,
    );
    expect(await program.runtime("show resolvers nowhere")).toBe("Can't find that resolvers section\n\n");
  });
});
