// Names over time against Debian's HAProxy 2.6: both ask the same nameserver, whose answers change step by step, and must show the
// same servers, count the same kinds of answers, and write the same log lines. A step ends when both show what they shall and have
// asked again since.

import { beforeAll, describe, expect, it } from "vitest";
import { DnsServer } from "../harness/dns-server.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { statRow } from "../harness/show.ts";
import { whyNot } from "./haproxy-2.6.ts";

const config = (dns: DnsServer, log: LogReceiver, port: number): string => `
    maxconn 100
    nbthread 1
    log ${log.endpoint} local0
resolvers dns
    nameserver ns1 ${dns.endpoint}
    timeout resolve 150ms
    timeout retry 1s
    resolve_retries 1
    hold nx 0
    hold timeout 0
    hold refused 0
    hold other 0
defaults
    mode tcp
    log global
    timeout client 1h
    timeout server 1h
    timeout connect 30s
    default-server init-addr none resolvers dns resolve-prefer ipv4
frontend f
    bind ${FRONTEND_ADDRESS}:${port}
    default_backend one
backend one
    server s one.test:80
backend two
    server-template t 3 two.test:81
backend same
    server-template d 2 same.test:82 resolve-opts allow-dup-ip
backend six
    server v six.test:84 resolve-prefer ipv6
backend net
    server n net.test:85 resolve-net 127.0.2.0/24
backend service
    server-template p 2 _pg._tcp.test
backend heavy
    server h _h._tcp.test resolve-opts ignore-weight
backend fixed
    server x 127.0.0.1:86
`;

interface Step {
  readonly name: string;
  /** Changes the answers, or types commands. */
  readonly act: (dns: DnsServer, program: Program) => unknown;
  /** Names that must have been asked for again before the look. */
  readonly names: readonly string[];
  /** Why the lines differ, where they do. */
  readonly otherLines?: string;
}

const set = (name: string, ...addresses: string[]): Pick<Step, "act" | "names"> => ({
  act: (dns) => dns.setAddresses(name, ...addresses),
  names: [name],
});
const failing = (
  name: string,
  zone: "nx" | "refused" | "servfail" | "empty" | "garbage" | "silent",
): Pick<Step, "act" | "names"> => ({
  act: (dns) => dns.setAll(name, zone),
  names: [name],
});
const places = (
  name: string,
  ...list: { target: string; port: number; weight: number; address?: string }[]
): Pick<Step, "act" | "names"> => ({
  act: (dns) => dns.set(name, "SRV", { places: list }),
  names: [name],
});

const STEPS: readonly Step[] = [
  { name: "nothing resolves", act: () => {}, names: ["one.test", "_pg._tcp.test"] },
  { name: "an address", ...set("one.test", "127.0.1.1") },
  { name: "another address", ...set("one.test", "127.0.1.2") },
  { name: "NXDOMAIN", ...failing("one.test", "nx") },
  { name: "back after NXDOMAIN", ...set("one.test", "127.0.1.2") },
  { name: "REFUSED", ...failing("one.test", "refused") },
  { name: "back after REFUSED", ...set("one.test", "127.0.1.3") },
  { name: "SERVFAIL", ...failing("one.test", "servfail") },
  { name: "back after SERVFAIL", ...set("one.test", "127.0.1.3") },
  { name: "no address of any family", ...failing("one.test", "empty") },
  { name: "back after an empty answer", ...set("one.test", "127.0.1.3") },
  { name: "garbage", ...failing("one.test", "garbage") },
  { name: "back after garbage", ...set("one.test", "127.0.1.3") },
  { name: "silence", ...failing("one.test", "silent") },
  { name: "back after silence", ...set("one.test", "127.0.1.4") },
  { name: "only the other family", ...set("one.test", "2001:db8::1") },
  {
    name: "an alias",
    act: (dns) => dns.set("one.test", "A", { cname: "real.test", addresses: ["127.0.1.5"] }),
    names: ["one.test"],
  },
  { name: "both families, IPv6 preferred", ...set("six.test", "127.0.1.1", "2001:db8::6") },
  { name: "IPv4 only, IPv6 preferred", ...set("six.test", "127.0.1.1") },
  { name: "a preferred network", ...set("net.test", "127.0.1.1", "127.0.2.1", "127.0.3.1") },
  { name: "one address for three servers", ...set("two.test", "127.0.1.1") },
  { name: "two addresses for three servers", ...set("two.test", "127.0.1.1", "127.0.1.2") },
  { name: "one address less", ...set("two.test", "127.0.1.2") },
  { name: "an address for two servers", ...set("same.test", "127.0.1.9") },
  {
    name: "a service of one place",
    ...places("_pg._tcp.test", { target: "n1.test", port: 5001, weight: 256, address: "127.0.3.1" }),
  },
  {
    name: "its weight",
    ...places("_pg._tcp.test", { target: "n1.test", port: 5001, weight: 65_535, address: "127.0.3.1" }),
  },
  {
    name: "its address",
    otherLines: "HAProxy drops the old address first, and asks for the target's own until it has taken the new one",
    ...places("_pg._tcp.test", { target: "n1.test", port: 5001, weight: 65_535, address: "127.0.3.2" }),
  },
  {
    name: "its weight is 0",
    ...places("_pg._tcp.test", { target: "n1.test", port: 5001, weight: 0, address: "127.0.3.2" }),
  },
  {
    name: "the service is gone",
    ...failing("_pg._tcp.test", "nx"),
    act: (dns) => dns.set("_pg._tcp.test", "SRV", "nx"),
  },
  {
    name: "a place whose address is asked for",
    act: (dns) => {
      dns.setAddresses("n2.test", "127.0.3.3");
      dns.set("_h._tcp.test", "SRV", { places: [{ target: "n2.test", port: 5002, weight: 1000 }] });
    },
    names: ["_h._tcp.test", "n2.test"],
  },
  { name: "that address changes", ...set("n2.test", "127.0.3.4") },
  { name: "another name", act: (_, program) => program.runtime("set server one/s fqdn six.test"), names: ["six.test"] },
  {
    name: "an address by hand",
    act: (_, program) => program.runtime("set server one/s addr 127.0.9.9"),
    names: ["six.test"],
  },
  {
    name: "a name for a server without",
    act: (_, program) => program.runtime("set server fixed/x fqdn net.test"),
    names: ["net.test"],
  },
  {
    name: "maintenance while the name is gone",
    act: async (dns, program) => {
      await program.runtime("set server net/n state maint");
      dns.setAll("net.test", "nx");
    },
    names: ["net.test"],
  },
  { name: "back in maintenance", ...set("net.test", "127.0.2.7") },
  { name: "ready again", act: (_, program) => program.runtime("set server net/n state ready"), names: ["net.test"] },
];

const BACKENDS = ["one", "two", "same", "six", "net", "service", "heavy", "fixed"];

/** HAProxy shows that a name was changed with the next change of state, we do at once. */
const FQDN_CHANGED = 0x40;

async function look(program: Program): Promise<string[]> {
  const stat = await program.stat();
  return (await program.serversState()).map((row) => {
    const { status, weight, addr } = statRow(stat, row.be_name!, row.srv_name!);
    const admin = Number(row.srv_admin_state) & ~FQDN_CHANGED;
    const shown = [row.srv_addr, row.srv_op_state, admin, row.srv_uweight, row.srv_fqdn, row.srv_port, row.srvrecord];
    return `${row.be_name}/${row.srv_name} ${shown.join(" ")} | ${status} ${weight} ${addr}`;
  });
}

/** Counters that do not depend on how often was asked, as "some" or "none". */
async function kinds(program: Program): Promise<string> {
  const table = await program.runtime("show stat domain resolvers");
  const columns = table.split("\n").map((line) => line.replaceAll(/\d+/g, "N"));
  const text = await program.runtime("show resolvers dns");
  const counted = text
    .split("\n")
    .filter((line) => !/ (?:outdated|sent|snd_error):/.test(line))
    .map((line) => line.replace(/[1-9]\d*$/, "some"));
  return [...counted, ...columns].join("\n");
}

interface Recording {
  readonly looks: readonly (readonly string[])[];
  readonly lines: readonly (readonly string[])[];
  readonly kinds: string;
}

/** Long enough for a round that fails with silence: it is then looked at twice in a row with the same result. */
async function settled(dns: DnsServer, program: Program, names: readonly string[]): Promise<string[]> {
  let before = "";
  for (;;) {
    await Promise.all(names.map((name) => dns.waitForQuestions(name, 3)));
    const seen = await look(program);
    if (seen.join() === before) return seen;
    before = seen.join();
  }
}

async function record(executable: string | undefined): Promise<Recording> {
  const dns = await DnsServer.start();
  const log = await LogReceiver.start(FRONTEND_ADDRESS);
  const program = await Program.start({
    config: config(dns, log, await freePort()),
    ...(executable === undefined ? {} : { executable }),
  });
  const looks: string[][] = [];
  const lines: string[][] = [];
  try {
    for (const { act, names } of STEPS) {
      await act(dns, program);
      looks.push(await settled(dns, program, names));
      const taken = log.messages.splice(0).filter((line) => BACKENDS.some((backend) => line.includes(`${backend}/`)));
      // Within one step HAProxy writes some lines in the order of its queues.
      lines.push(taken.map((line) => line.replace(/^(<\d+>).*?\]: /, "$1 ").trimEnd()).sort());
    }
    return { looks, lines, kinds: await kinds(program) };
  } finally {
    await program.stop();
    await dns.close();
    log.close();
  }
}

describe.skipIf(whyNot !== "")(`names over time against HAProxy 2.6${whyNot}`, () => {
  let ours: Recording;
  let theirs: Recording;

  beforeAll(async () => {
    [ours, theirs] = await Promise.all([record(undefined), record("haproxy")]);
  }, 180_000);

  it.each(STEPS.map(({ name }, index) => [name, index] as const))("%s: the same servers", (_, index) => {
    expect(ours.looks[index]).toEqual(theirs.looks[index]);
  });

  it.each(STEPS.map(({ name }, index) => [name, index] as const))("%s: the same lines", (_, index) => {
    if (STEPS[index]?.otherLines === undefined) expect(ours.lines[index]).toEqual(theirs.lines[index]);
    else expect(ours.lines[index]).not.toEqual(theirs.lines[index]);
  });

  it("counts the same kinds of answers", () => {
    expect(ours.kinds).toBe(theirs.kinds);
  });

  it("saw servers of every kind in use", () => {
    const used = new Set(
      ours.looks
        .flat()
        .filter((line) => line.includes("| no check"))
        .map((line) => line.split(" ")[0]),
    );
    expect([...used].sort()).toContain("heavy/h");
    expect(used.size).toBeGreaterThanOrEqual(10);
  });
});
