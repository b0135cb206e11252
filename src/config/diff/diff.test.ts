import { describe, expect, it } from "vitest";
import { loadConfigText } from "../load.ts";
import type { Config } from "../model.ts";
import { diffConfigs } from "./diff.ts";
import type { ConfigDiff, SettingChange } from "./model.ts";

const DEFAULTS = "defaults\n  timeout client 1m\n  timeout server 1m\n  timeout connect 5s\n";

function load(text: string): Config {
  const { config, diagnostics } = loadConfigText(text, "test.cfg", {}, () => undefined);
  if (config === undefined) throw new Error(diagnostics.map((d) => d.message).join("; "));
  return config;
}

const diff = (old: string, now: string): ConfigDiff => diffConfigs(load(DEFAULTS + old), load(DEFAULTS + now));

const shown = (changes: readonly SettingChange[]): string[] =>
  changes.map(({ name, old, new: now }) => `${name}: ${old ?? "-"} > ${now ?? "-"}`);

const names = (items: readonly { readonly name: string }[]): string[] => items.map(({ name }) => name);

/** The one section kept, as text: changes of its own and of its servers. */
function inBackend(old: string, now: string): { own: string[]; servers: Record<string, string[]> } {
  const found = diff(`backend b\n${old}`, `backend b\n${now}`).proxies.kept[0];
  if (found === undefined) throw new Error("backend b is not kept");
  const changed = found.servers.kept.filter(({ changes }) => changes.length > 0);
  return {
    own: shown(found.changes),
    servers: Object.fromEntries(changed.map((server) => [server.new.name, shown(server.changes)])),
  };
}

const A = "  server a 127.0.0.1:1\n";
const B = "  server b 127.0.0.1:2\n";

describe("diffConfigs", () => {
  it("finds nothing between a text and the same one with comments, other places and other spaces", () => {
    const text = `global\n  maxconn 100\n  stats socket /tmp/s\n  log 127.0.0.1:514 local0\nlisten l\n  bind :80\n  log global\n${A}`;
    const found = diff(text, `# one\n\n${text.replaceAll("  ", "\t ")}`);
    expect(found.hasChanges).toBe(false);
    expect(found.proxies.kept.map(({ new: { place } }) => place.line)).toEqual([11]);
  });

  it("knows sections by kind and name", () => {
    const found = diff("backend a\nbackend b\nbackend c\n", "listen b\n  bind :80\nbackend c\nbackend d\n");
    expect(names(found.proxies.added)).toEqual(["b", "d"]);
    expect(found.proxies.kept.map((proxy) => proxy.new.name)).toEqual(["c"]);
    expect(names(found.proxies.removed)).toEqual(["a", "b"]);
    expect(found.hasChanges).toBe(true);
  });

  it("knows servers by name and endpoint: another address is another server", () => {
    const old =
      "backend b\n  server a 127.0.0.1:1\n  server b 127.0.0.1:2\n  server c 127.0.0.1:3\n  server d unix@/d\n";
    const now =
      "backend b\n  server e 127.0.0.1:1\n  server b 127.0.0.1:2\n  server c 127.0.0.1:+3\n  server d unix@/D\n";
    const servers = diff(old, now).proxies.kept[0]?.servers;
    expect(names(servers?.added ?? [])).toEqual(["e"]);
    expect(names(servers?.removed ?? [])).toEqual(["a"]);
    expect(servers?.kept.map((server) => server.new.name)).toEqual(["b"]);
    expect(servers?.readdressed.map((server) => server.new.name)).toEqual(["c", "d"]);
  });

  it("names what changed in a server as the file does, with the place of the new line", () => {
    expect(
      inBackend(
        "  server s 127.0.0.1:1 weight 5 check inter 1s rise 3 on-marked-down shutdown-sessions\n",
        "  server s 127.0.0.1:1 maxconn 7 backup check inter 500ms rise 3 on-marked-down shutdown-sessions after 2s over 1m\n",
      ).servers,
    ).toEqual({
      s: [
        "weight: 5 > 1",
        "maxconn: 0 > 7",
        "backup: - > on",
        "inter: 1s > 500ms",
        "fastinter: 1s > 500ms",
        "downinter: 1s > 500ms",
        "on-marked-down: shutdown-sessions > shutdown-sessions after 2s over 1m",
      ],
    });
    const server = diff(`backend b\n${A}`, `backend b\n\n  server a 127.0.0.1:1 weight 2\n`).proxies.kept[0]?.servers
      .kept[0];
    expect(server?.changes[0]?.place).toEqual({ file: "test.cfg", line: 7, column: 3 });
  });

  it("says once that a server gets or loses its check, its agent, its TLS", () => {
    const plain = "  server a 127.0.0.1:1\n  server b 127.0.0.1:2\n  server c 127.0.0.1:3 check\n";
    const checked =
      "  server a 127.0.0.1:1 check inter 9s\n  server b 127.0.0.1:2 agent-check agent-port 7\n  server c 127.0.0.1:3 check check-ssl verify none\n";
    const expected = { a: ["check: - > on"], b: ["agent-check: - > on"], c: ["check-ssl: - > on"] };
    expect(inBackend(plain, checked).servers).toEqual(expected);
    expect(inBackend(checked, plain).servers.a).toEqual(["check: on > -"]);
  });

  it("says what a section changes for all its servers there, and not for each of them", () => {
    const old = `  option httpchk\n  timeout check 1s\n  cut-guard 20\n  server a 127.0.0.1:1 check\n  server b 127.0.0.1:2 check cut-guard 20\n`;
    const now = `  option httpchk GET /up\n  timeout check 2s\n  cut-guard 30\n  server a 127.0.0.1:1 check\n  server b 127.0.0.1:2 check cut-guard 40\n`;
    const found = inBackend(old, now);
    expect(found.own.map((change) => change.split(":")[0])).toEqual(["timeout check", "check rules", "cut-guard"]);
    expect(found.own[1]).toMatch(/OPTIONS.*>.*GET.*\/up/);
    expect(found.servers).toEqual({ b: ["cut-guard: 20 > 40"] });
  });

  it("says of `on-removed` where it is said", () => {
    const found = inBackend(
      `  on-removed keep\n${A}  server b 127.0.0.1:2 on-removed drain 5s\n`,
      `  on-removed drain 1m\n${A}  server b 127.0.0.1:2 on-removed shutdown-sessions\n`,
    );
    expect(found).toEqual({
      own: ["on-removed: - > drain 1m"],
      servers: { b: ["on-removed: drain 5s > shutdown-sessions"] },
    });
  });

  it("sees a change of one rule of a check, of its bytes and of its pattern", () => {
    const rules = (expected: string): string =>
      `  option tcp-check\n  tcp-check send-binary 00ff\n  tcp-check expect ${expected}\n${A}`;
    expect(inBackend(rules("rstring ^x"), rules("rstring ^x")).own).toEqual([]);
    expect(inBackend(rules("rstring ^x"), rules("rstring ^y")).own).toHaveLength(1);
    expect(inBackend(rules("binary 00ff"), rules("binary 00fe")).own).toHaveLength(1);
  });

  it("sees that a server's own words change the connections of the section's rules", () => {
    const section = "  option tcp-check\n  tcp-check connect default ssl\n";
    const server = "  server a 127.0.0.1:1 check verify none";
    const found = inBackend(`${section}${server}\n`, `${section}${server} check-sni x.example\n`);
    expect(found.own).toEqual([]);
    expect(found.servers.a?.map((change) => change.split(":")[0])).toEqual(["check rules"]);
  });

  it("names the settings of a section", () => {
    expect(
      inBackend(
        "  balance roundrobin\n  retries 3\n  option redispatch\n",
        "  balance random(4)\n  retries 1\n  timeout server 2m\n  timeout tunnel 1h\n  option fence\n  fullconn 9\n",
      ).own,
    ).toEqual([
      "balance: roundrobin > random(4)",
      "retries: 3 > 1",
      "option redispatch: -1 > -",
      "fullconn: - > 9",
      "timeout server: 1m > 2m",
      "timeout tunnel: - > 1h",
      "option fence: - > on",
    ]);
    expect(inBackend("", "  balance roundrobin\n").own).toEqual([]);
  });

  it("tells default-server apart from the servers that it changes", () => {
    const found = inBackend(`  default-server weight 2\n${A}`, `  default-server weight 3\n${A}`);
    expect(found).toEqual({ own: ["default-server: weight 2 > weight 3"], servers: { a: ["weight: 2 > 3"] } });
  });

  it("leaves numbers that are given out by position alone, and reports those that are forced", () => {
    expect(diff(`backend b\n${A}`, `backend x\nbackend b\n${B}${A}`).proxies.kept[0]?.servers.kept[0]?.changes).toEqual(
      [],
    );
    expect(inBackend(A, "  server a 127.0.0.1:1 id 9\n").servers).toEqual({ a: ["id: 1 > 9"] });
    expect(inBackend("", "  id 9\n").own).toEqual(["id: 2 > 9"]);
  });

  it("sees another order of the servers that stay", () => {
    expect(inBackend(`  server x 127.0.0.1:9\n${A}${B}`, `${A}${B}`).own).toEqual([]);
    expect(inBackend(`${A}${B}`, `${B}${A}`).own).toEqual(["order of servers: a, b > b, a"]);
  });

  it("keeps a section that says `log global` apart from the targets of global", () => {
    const text = (port: number): string =>
      `global\n  log 127.0.0.1:${port} local0\nlisten l\n  bind :80\n  log global\n`;
    const found = diff(text(1), text(2));
    expect(found.proxies.kept[0]?.changes).toEqual([]);
    expect([found.logTargets.added.length, found.logTargets.removed.length]).toEqual([1, 1]);
    const own = diff(text(1), text(1).replace("log global", "log 127.0.0.1:9 local1"));
    expect(own.proxies.kept[0]?.changes.map(({ name, old }) => [name, old])).toEqual([["log", "global"]]);
  });
});

describe("listening addresses", () => {
  const binds = (old: string, now: string): Record<string, string[]> => {
    const { kept, moved, opened, closed } = diff(old, now).binds;
    const text = ({ bind, proxy }: (typeof opened)[number]): string =>
      `${proxy.name}:${bind.endpoint.kind === "inet" ? bind.endpoint.port : "unix"}`;
    const move = (bind: (typeof kept)[number]): string =>
      [`${text(bind.old)}>${text(bind.new)}`, ...shown(bind.changes)].join(" ");
    return { kept: kept.map(move), moved: moved.map(move), opened: opened.map(text), closed: closed.map(text) };
  };

  it("stay, move, open and close", () => {
    const old = "frontend f\n  bind :1,:2 maxconn 5\n  bind :3\nfrontend g\n  bind :4\n";
    const now = "frontend f\n  bind :1,:5 maxconn 6\nfrontend g\n  bind :4\n  bind :3\n";
    expect(binds(old, now)).toEqual({
      kept: ["f:1>f:1 maxconn: 5 > 6", "g:4>g:4"],
      moved: ["f:3>g:3"],
      opened: ["f:5"],
      closed: ["f:2"],
    });
  });

  it("are another address with another host, another family or v6only", () => {
    const found = binds(
      "frontend f\n  bind 127.0.0.1:1\n  bind [::]:2\n  bind unix@/a\n",
      "frontend f\n  bind *:1\n  bind [::]:2 v6only\n  bind unix@/b\n",
    );
    expect(found).toEqual({ kept: [], moved: [], opened: ["f:1", "f:2", "f:unix"], closed: ["f:1", "f:2", "f:unix"] });
  });

  it("follow a frontend that is renamed, or becomes a listen section", () => {
    expect(binds("frontend f\n  bind :1\n", "frontend g\n  bind :1\n").moved).toEqual(["f:1>g:1"]);
    expect(binds("frontend f\n  bind :1\n", "listen f\n  bind :1\n").moved).toEqual(["f:1>f:1"]);
  });

  it("close with a section that is disabled, and open again", () => {
    const text = "frontend f\n  bind :1\n";
    expect(binds(text, `${text}  disabled\n`).closed).toEqual(["f:1"]);
    expect(binds(`${text}  disabled\n`, text).opened).toEqual(["f:1"]);
  });

  it("keep their own twin where two sections have the same one", () => {
    const found = binds(
      "frontend f\n  bind :1\nfrontend g\n  bind :1\n",
      "frontend h\n  bind :1\nfrontend g\n  bind :1\n",
    );
    expect(found).toMatchObject({ kept: ["g:1>g:1"], moved: ["f:1>h:1"], opened: [], closed: [] });
  });
});

describe("global", () => {
  it("says what a running process cannot take in", () => {
    const { global } = diff(
      "global\n  maxconn 10\n  nbthread 1\n  hard-stop-after 1s\n  pidfile /a\n",
      "global\n  maxconn 20\n  nbthread 2\n  uid 7\n  gid 8\n  chroot /x\n",
    );
    expect(global.map(({ name, effect }) => `${name} ${effect}`).sort()).toEqual([
      "chroot needs a restart",
      "group needs a restart",
      "hard-stop-after at once",
      "maxconn at once",
      "nbthread at once",
      "pidfile needs a restart",
      "user needs a restart",
    ]);
  });

  it("compares stats sockets by address, resolvers and stats sections by name", () => {
    const found = diff(
      "global\n  stats socket /a level user\n  stats socket /b\nresolvers r\n  nameserver n 127.0.0.1:53\nlisten s\n  mode http\n  bind :1\n  stats enable\n",
      "global\n  stats socket /a level admin\n  stats socket /c\nresolvers r\n  nameserver n 127.0.0.1:54\n  hold nx 9s\nlisten t\n  mode http\n  bind :1\n  stats enable\n",
    );
    expect(found.statsSockets.kept.map(({ changes }) => shown(changes))).toEqual([["level: user > admin"]]);
    expect([found.statsSockets.added.length, found.statsSockets.removed.length]).toEqual([1, 1]);
    expect(found.resolvers.kept[0]?.changes.map(({ name }) => name)).toEqual(["nameserver", "hold nx"]);
    expect([names(found.statsSections.added), names(found.statsSections.removed)]).toEqual([["t"], ["s"]]);
    expect(found.hasChanges).toBe(true);
  });
});

it("reports how long sessions live where it stands: at the section, or at the server", () => {
  const now = "  max-session-age 2h jitter 10\n  rebalance 5\n  on-maint drain 10s\n";
  const found = inBackend(
    `  max-session-age 1h\n${A}${B}`,
    `${now}${A}  server b 127.0.0.1:2 on-drain idle 1s on-maint keep\n`,
  );
  expect(found).toEqual({
    own: ["rebalance: - > 5", "max-session-age: 1h > 2h jitter 10", "on-maint: - > drain 10s"],
    servers: { b: ["on-maint: - > keep", "on-drain: - > idle 1s"] },
  });
});

it("compares servers by the thousand", () => {
  const section = (count: number, weight: number): string =>
    `backend b\n  default-server check weight ${weight}\n  server-template s ${count} 127.0.0.1:80\n`;
  const kept = diff(section(5_000, 1), section(4_000, 2)).proxies.kept[0]?.servers;
  expect(kept?.kept.filter(({ changes }) => changes.length === 1)).toHaveLength(4_000);
  expect(kept?.removed).toHaveLength(1_000);
});
