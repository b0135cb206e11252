// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are HAProxy's, with its way of naming variables.
// Headgate and HAProxy look at the same configurations: both accept or both refuse, but for the differences that are meant and listed.
// Runs where haproxy (2.6 or newer) is installed. Configurations that would make it resolve names or write files are not among them.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfigText } from "../../src/config/load.ts";
import { CHECK_LINES } from "./config-check-lines.ts";
import { LOG_FILES_ELSEWHERE, LOG_LINES, LOG_LINES_DIFFERENT } from "./config-log-lines.ts";
import { NAME_FILES_ELSEWHERE, NAME_LINES } from "./config-name-lines.ts";

const GOLDEN = join(import.meta.dirname, "../golden/config");
const ENV = { HG_PORT: "8080", HG_WORDS: "two words", HG_HOST: "127.0.0.1", PATH: process.env.PATH };
const HAPROXY = process.env.HAPROXY ?? "haproxy";

function haproxyVersion(): string {
  try {
    return /version ([0-9.]+)/.exec(execFileSync(HAPROXY, ["-v"], { encoding: "utf8" }))?.[1] ?? "";
  } catch {
    return "";
  }
}

const version = haproxyVersion();
const title =
  version === "" ? "config verdicts (skipped: haproxy is not installed)" : `config verdicts as haproxy ${version}`;

type Verdict = "accept" | "refuse";

const PLAIN = `defaults
  timeout client 1m
  timeout server 1m
  timeout connect 5s
frontend f
  bind 127.0.0.1:28001
  default_backend b
  @F
backend b
  server s1 127.0.0.1:28101 @S
  @B
`;

/** Lines put into a plain configuration: in the frontend (F), in the backend (B), after a server (S). Both must judge alike. */
const SAME: readonly string[] = [
  "F maxconn 100",
  "B timeout tunnel 1h",
  "B timeout tunnel",
  "F option tcp-smart-accept",
  "B no option tcp-smart-connect",
  "F backlog 100",
  "F maxconn",
  "F maxconn 1 2",
  "F bind 127.0.0.1:28002-28004",
  "F bind 127.0.0.1:28004-28002",
  "F bind 127.0.0.1",
  "F bind 127.0.0.1:0",
  "F bind 127.0.0.1:65536",
  "F bind 127.0.0.1:28002,127.0.0.1:28003 name a",
  "F bind 127.0.0.1:28002 nme a",
  "F bind",
  "F bind [::1]:28002 v6only",
  "F bind [::]:28002 v4v6",
  "F bind ipv4@127.0.0.1:28002",
  "F bind ipv6@127.0.0.1:28002",
  "F bind unix@/tmp/headgate-verdict.sock mode 600",
  "F bind unix@/tmp/headgate-verdict.sock mode 9",
  "F bind 127.0.0.1:28002 maxconn 5 backlog 6 id 9",
  "F bind 127.0.0.1:28001",
  "F default_backend nowhere",
  "F default_backend",
  "F option tcplog",
  "F option tcplog x",
  "F no option tcplog",
  "F option dontlognull",
  "F no option dontlognull",
  "F option clitcpka",
  "F option tcpka",
  "F option foo",
  "F option",
  "F timeout client 10s",
  "F timeout client",
  "F timeout client abc",
  "F timeout client 25d",
  "F timeout client 1s 2s",
  "F timeout foo 1s",
  "F timeout server 1s",
  "F retries 3",
  "F server s 127.0.0.1:1",
  "F id 7",
  "F id 0",
  "F id -1",
  "F id abc",
  "F disabled",
  "F enabled",
  "F log global",
  "F log 127.0.0.1 local0",
  "F log 127.0.0.1:514 len 2048 format rfc5424 local0 info warning",
  "F log 127.0.0.1 local9",
  "F log 127.0.0.1 local0 foo",
  "F log 127.0.0.1",
  "F log stdout format raw local0",
  "F no log",
  "F no log x",
  "F no maxconn",
  "F description a b",
  "F foo bar",
  'F maxconn "',
  "F maxconn '",
  "F maxconn \\x4",
  'F maxconn "${FOO"',
  'F maxconn "${FOO-3}"',
  'F bind "127.0.0.1:$HG_PORT"',
  "F bind 127.0.0.1:${HG_PORT}",
  "B balance roundrobin",
  "B balance leastconn",
  "B balance source",
  "B balance first",
  "B balance random",
  "B balance random(3)",
  "B balance random(0)",
  "B balance foo",
  "B retries 5",
  "B retries",
  "B fullconn 10",
  "B option redispatch",
  "B option redispatch 3",
  "B no option redispatch",
  "B option srvtcpka",
  "B option splice-auto",
  "B no option splice-response",
  "B option httpchk GET /",
  "B option pgsql-check user x",
  "B option mysql-check",
  "B option redis-check",
  "B option smtpchk",
  "B option ldap-check",
  "B option log-health-checks",
  "B timeout queue 1s",
  "B timeout server-fin 1s",
  "B timeout check 1s",
  "B bind 127.0.0.1:28002",
  "B maxconn 3",
  "B server s1 127.0.0.1:1",
  "B server s2",
  "B server s/2 127.0.0.1:1",
  "B server s2 127.0.0.1",
  "B server s2 127.0.0.1:+5",
  "B server s2 127.0.0.1:99999",
  "B server s2 unix@/tmp/headgate-verdict.sock",
  "B server s2 127.0.0.1:1 id 1 backup",
  "B default-server weight 3",
  "B default-server foo",
  "S weight 0",
  "S weight 256",
  "S weight 257",
  "S weight -1",
  "S maxconn 10",
  "S id 3",
  "S id 0",
  "S backup disabled",
  "S check inter 1s rise 2 fall 3 port 80",
  "S check inter 0",
  "S check rise 0",
  "S check addr 127.0.0.2 port 80 check-send-proxy",
  "S check addr ::1 port 80",
  "S check addr [::1] port 80",
  "S agent-check agent-port 80 agent-addr ::1",
  "S check rise 3000000000",
  "S check verify foo",
  "S check check-ssl",
  "S check check-ssl verify none check-sni a.example.org check-alpn http/1.1",
  "S no-check-ssl check-ssl",
  "S agent-check",
  "S agent-check agent-port 80",
  "S agent-check port 80",
  "S agent-check addr 127.0.0.1:80",
  "S agent-check agent-port 80 agent-addr 127.0.0.1 agent-inter 1s agent-send a",
  "S agent-addr foo/bar",
  "S track b/s1",
  "S track s1",
  "S track nowhere/s2",
  "B server s2 127.0.0.1:1 track s1",
  "B server s2 127.0.0.1:1 check track s1",
  "B server s2 127.0.0.1:1 agent-check agent-port 1\n  server s3 127.0.0.1:1 track b/s2",
  "B server s2 127.0.0.1:1 track s3\n  server s3 127.0.0.1:1 check",
  "B server s2 127.0.0.1:1 track s3\n  server s3 127.0.0.1:1 track s2",
  "B server s2 127.0.0.1:1 track s3\n  server s3 127.0.0.1:1 track s4\n  server s4 127.0.0.1:1 check",
  "B default-server check\n  server s2 127.0.0.1:1 track s3\n  server s3 127.0.0.1:1",
  "B server s2 127.0.0.1 check",
  "B server s2 127.0.0.1 check port 80",
  "B server s2 127.0.0.1 check addr 127.0.0.1:80",
  "B server s2 127.0.0.1:+5 check",
  "B option httpchk GET / HTTP/1.1",
  "B option httpchk",
  "B option pgsql-check",
  "B option pgsql-check user",
  "B option pgsql-check foo bar",
  "B option mysql-check user",
  "B option mysql-check user x pre-41",
  "B option mysql-check user x post-41",
  "B option mysql-check user x foo",
  "B option mysql-check foo",
  "B option redis-check x",
  "B option ldap-check x",
  "B option ssl-hello-chk",
  "B option smtpchk HELO a",
  "B option smtpchk EHLO a b",
  "B option smtpchk EHLO",
  "B no option httpchk",
  "B no option log-health-checks",
  "B option external-check",
  "B option external-check\n  external-check command /bin/true",
  "B external-check command",
  "B external-check foo /bin/true",
  "B external-check path /bin /bin",
  "B timeout check",
  "F option httpchk",
  "S on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions",
  "S on-marked-down foo",
  "S slowstart 10s",
  "S slowstart fast",
  "S check observe layer4 error-limit 3 on-error mark-down",
  "S observe layer5",
  "S on-error panic",
  "B option allbackups",
  "S weigth 3",
  ...NAME_LINES,
  ...CHECK_LINES,
  ...LOG_LINES,
];

/** What Headgate decides otherwise, and why. */
const DIFFERENT: readonly (readonly [line: string, ours: Verdict, reason: string])[] = [
  ["F maxconn abc", "refuse", "HAProxy reads it as 0"],
  ["F maxconn -3", "refuse", "HAProxy stores a negative number"],
  ["F backlog 1e3", "refuse", "HAProxy reads it as 1"],
  ["S maxconn abc", "refuse", "HAProxy reads it as 0"],
  ["S maxconn 4294967296", "refuse", "HAProxy wraps it"],
  ["S weight abc", "refuse", "HAProxy reads it as 0"],
  ["S check port 70000", "refuse", "HAProxy wraps it"],
  ["S on-marked-down shutdown-sessions after 5s over 10s", "accept", "ours"],
  ["S cut-guard 50", "accept", "ours"],
  ["B option fence", "accept", "ours"],
  ["B on-removed drain 5s", "accept", "ours"],
  ["S init-addr", "refuse", "HAProxy reads it as no method"],
  ["S on-address-change shutdown-sessions", "accept", "the word is not HAProxy's"],
  ["S check check-proto none", "refuse", "known, not supported"],
  ["S check addr unix@/tmp/headgate-verdict.sock", "refuse", "checks over unix sockets are not supported"],
  ["S check check-alpn h2", "refuse", "checks over HTTP/2 are not supported"],
  ["B option httpchk\n  http-check send-state", "refuse", "known, not supported"],
  ["B option httpchk\n  http-check expect hdr name a", "refuse", "known, not supported"],
  ["B option httpchk\n  http-check expect string a ok-status L7OKC", "refuse", "known, not supported"],
  [
    "B option httpchk\n  http-check send uri-lf /%[srv_name]",
    "refuse",
    "only constants are supported in the texts of checks",
  ],
  ["B option httpchk\n  http-check send ver foo", "refuse", "HAProxy sends it as it is"],
  ["B option tcp-check\n  tcp-check send-lf %[date]", "refuse", "only constants are supported in the texts of checks"],
  ["B option tcp-check\n  tcp-check unset-var(check.x)", "refuse", "known, not supported"],
  ["B option httpchk\n  http-check expect rstring 'a(?i)b'", "refuse", "JavaScript has flags for the whole pattern"],
  ...LOG_LINES_DIFFERENT,
  ["B email-alert to a@example.org", "refuse", "known, not supported"],
  ["B retries -1", "refuse", "HAProxy stores a negative number"],
  ["B option redispatch x", "refuse", "HAProxy reads it as 0"],
  ["B balance static-rr", "refuse", "known, not supported"],
  ["B option nolinger", "refuse", "known, not supported"],
  ["B option abortonclose", "refuse", "known, not supported"],
  ["B mode http", "refuse", "HTTP is not relayed"],
  ["S send-proxy", "refuse", "known, not supported"],
  ["S minconn 3", "refuse", "known, not supported"],
  ["B server s2 0.0.0.0:1", "refuse", "transparent proxying is not supported"],
  ["F acl a src 127.0.0.1", "refuse", "known, not supported"],
  ["F tcp-request connection accept", "refuse", "known, not supported"],
  ["F bind 127.0.0.1:28002 accept-proxy", "refuse", "known, not supported"],
  ["F bind ./headgate-verdict.sock", "accept", "a relative path needs no unix@"],
];

/** Valid golden configurations that a haproxy on some machine refuses, for reasons that are not the language's. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["defaults-http.cfg", "opens the error file"],
  ["server-ca-file.cfg", "opens the certificate"],
  ["global-ssl-dh-param-file.cfg", "opens the file"],
  ["proxy-bind.cfg", "resolves a host name"],
  ["proxy-server.cfg", "resolves a host name"],
  ["server-crt.cfg", "opens the certificate"],
  ["server-verify.cfg", "opens the certificate"],
  ["server-verifyhost.cfg", "opens the certificate"],
  ["checks-httpchk-host.cfg", "the host of 'option httpchk' is newer than HAProxy 2.6"],
  ...NAME_FILES_ELSEWHERE,
  ...LOG_FILES_ELSEWHERE,
  ...["proxy-cut-guard.cfg", "server-cut-guard.cfg", "proxy-option-fence.cfg", "server-on-marked-down.cfg"].map(
    (name) => [name, "ours"] as const,
  ),
  ...["global-state-file.cfg", "proxy-on-removed.cfg", "server-on-removed.cfg"].map((name) => [name, "ours"] as const),
  ...["max-session-age", "max-session-idle", "on-drain", "on-maint"].flatMap((name) =>
    ["proxy", "server"].map((side) => [`${side}-${name}.cfg`, "ours"] as const),
  ),
  ["proxy-rebalance.cfg", "ours"],
  ["server-init-state.cfg", "the word is newer than HAProxy 3.0"],
]);

function place(line: string): string {
  const [where = "", ...rest] = line.split(" ");
  const text = rest.join(" ");
  return PLAIN.replace(`@${where}`, () => text).replace(/@[FBS]/g, "");
}

describe.skipIf(version === "")(title, () => {
  let directory = "";

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "headgate-verdict-"));
  });

  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  function haproxy(text: string): { readonly verdict: Verdict; readonly output: string } {
    const path = join(directory, "t.cfg");
    writeFileSync(path, text);
    const run = spawnSync(HAPROXY, ["-c", "-f", path], { encoding: "utf8", env: ENV, timeout: 20_000 });
    // 2: nothing wrong, but nothing listens.
    return { verdict: run.status === 0 || run.status === 2 ? "accept" : "refuse", output: run.stdout + run.stderr };
  }

  function ours(text: string): { readonly verdict: Verdict; readonly output: string } {
    const { config, diagnostics } = loadConfigText(text, "t.cfg", ENV);
    return {
      verdict: config === undefined ? "refuse" : "accept",
      output: diagnostics.map((d) => d.message).join("\n"),
    };
  }

  it.each(SAME)("both judge alike: %s", (line) => {
    const text = place(line);
    const theirs = haproxy(text);
    const own = ours(text);
    expect(own.verdict, `haproxy: ${theirs.output}\nours: ${own.output}`).toBe(theirs.verdict);
  });

  it.each(DIFFERENT)("meant to differ: %s (%s: %s)", (line, verdict) => {
    const text = place(line);
    expect(ours(text).verdict).toBe(verdict);
    expect(haproxy(text).verdict, "no difference any more: move the line to SAME").not.toBe(verdict);
  });

  const valid = readdirSync(GOLDEN).filter(
    (name) => name.endsWith(".cfg") && !name.startsWith("error-") && !ELSEWHERE.has(name),
  );

  it.each(valid)("haproxy accepts what we accept: %s", (name) => {
    const text = readFileSync(join(GOLDEN, name), "utf8");
    const theirs = haproxy(text);
    expect(theirs.verdict, theirs.output).toBe("accept");
  });
});
