import { beforeEach, describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import { newCounters } from "../control/resolve/counters.ts";
import type { OperationContext } from "./operation.ts";
import { setServer } from "./set-server.ts";
import { showResolvers } from "./show-resolvers.ts";
import { showServersState } from "./show-servers.ts";
import { showStat } from "./show-stat.ts";

const CONFIG = `
resolvers dns
    nameserver ns1 127.0.0.1:53
defaults
    mode tcp
    timeout server 1m
    timeout connect 5s
    default-server init-addr none
backend be
    server s db.test:80 resolvers dns
    server-template p 1 _pg._tcp.test resolvers dns
    server plain 127.0.0.1:80
`;

let program: InMemoryProgram;
beforeEach(async () => {
  program = await InMemoryProgram.start(CONFIG);
});

const context = (): OperationContext => ({
  program,
  connection: {
    level: "admin",
    mode: "once",
    timedPrompt: false,
    severityOutput: "none",
    timeoutMs: 1000,
    closing: false,
  },
  signal: new AbortController().signal,
});

async function textOf(text: string | AsyncIterable<string>): Promise<string> {
  if (typeof text === "string") return text;
  let whole = "";
  for await (const part of text) whole += part;
  return whole;
}

const set = async (...words: string[]): Promise<string> => textOf((await setServer.run(context(), words)).text);

describe("set server fqdn", () => {
  it("names the server anew, and says from what to what", async () => {
    expect(await set("be/s", "fqdn", "other.test")).toBe(
      "be/s changed its FQDN from db.test to other.test by 'stats socket command'\n",
    );
    expect(program.told).toEqual(["s named other.test after db.test by stats socket command"]);
  });

  it.each([
    [["be/s", "fqdn"], "set server <b>/<s> fqdn requires a FQDN."],
    [["be/s", "fqdn", "db.test"], "no need to change the FDQN by 'stats socket command'"],
    [["be/s", "fqdn", "a/b"], "invalid fqdn 'a/b' by 'stats socket command'"],
    [["be/s", "fqdn", "a..b"], "invalid fqdn 'a..b' by 'stats socket command'"],
    [["be/plain", "fqdn", "db.test"], "set server <b>/<s> fqdn failed because no resolution is configured."],
    [["be/p1", "fqdn", "db.test"], "set server <b>/<s> fqdn failed because SRV resolution is configured."],
  ])("%s is refused", async (words, text) => {
    expect(await set(...words)).toBe(`${text}\n`);
    expect(program.changes).toEqual([]);
  });
});

describe("set server addr", () => {
  it("gives a server an address that waits for one, and takes it out of maintenance", async () => {
    expect(await set("be/s", "addr", "127.0.0.9")).toBe(
      "IP changed from '(none)' to '127.0.0.9' by 'stats socket command'\n",
    );
    expect(program.told).toEqual(["s changes state"]);
  });
});

describe("a server without an address", () => {
  it("is shown as one that waits for resolution", async () => {
    const states = await textOf((await showServersState.run(context(), [])).text);
    expect(
      states
        .split("\n")
        .slice(2, 4)
        .map((line) => line.split(" ").slice(3, 7).join(" ")),
    ).toEqual(["s - 0 32", "p1 - 0 32"]);
    expect(states).toContain(" db.test 80 - ");
    expect(states).toContain(" - 0 _pg._tcp.test ");
    const stat = await textOf((await showStat.run(context(), [])).text);
    expect(stat.match(/MAINT \(resolution\)/g)).toHaveLength(2);
  });
});

describe("show resolvers", () => {
  const show = async (...words: string[]): Promise<string> => textOf((await showResolvers.run(context(), words)).text);

  it("shows each nameserver's counters, of all sections or of one", async () => {
    program.sections = ["a", "b"].map((name) => ({
      name,
      nameservers: [{ id: "ns1", counters: { ...newCounters(), sent: 12, truncated: 3 } }],
    }));
    expect((await show()).match(/^Resolvers section .$/gm)).toEqual(["Resolvers section a", "Resolvers section b"]);
    const lines = (await show("b")).split("\n");
    expect(lines.slice(0, 3)).toEqual(["Resolvers section b", " nameserver ns1:", "  sent:        12"]);
    expect(lines).toContain("  truncated:   3");
  });

  it("is a table in `show stat domain resolvers`", async () => {
    program.sections = [{ name: "a", nameservers: [{ id: "ns1", counters: { ...newCounters(), snd_error: 7 } }] }];
    expect(await textOf((await showStat.run(context(), ["domain", "resolvers"])).text)).toBe(
      "# id,pid,sent,send_error,valid,update,cname,cname_error,any_err,nx,timeout,refused,other,invalid,too_big,truncated,outdated,\n" +
        "ns1,a,0,7,0,0,0,0,0,0,0,0,0,0,0,0,0,\n",
    );
  });

  it("says where there is nothing to show", async () => {
    expect(await show()).toBe("No resolvers found\n");
    expect(await show("x")).toBe("Can't find that resolvers section\n");
  });
});
