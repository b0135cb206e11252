// Words that configure health checks: read, checked for form and kept. Control thread.
// The checks themselves come later; until then each word is named in the file's notice.

import type { GlobalDraft, ProxyDraft, ServerDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword, ProxyKeyword } from "./keyword.ts";

type ReadServer = (words: WordReader, server: ServerDraft) => void;

function keepServerWord(words: WordReader, server: ServerDraft): void {
  const token = words.line.tokens[words.position - 1];
  if (token !== undefined) server.context.keep(`server ... ${words.keyword}`, words.spanOf(token));
}

/** A check word: `read` takes its arguments; the word is named in the notice. */
function serverWord(
  name: string,
  args: string,
  doc: string,
  read: ReadServer,
  byDefault?: string,
): Keyword<ServerDraft> {
  const keepThenRead: ReadServer = (words, server) => {
    keepServerWord(words, server);
    read(words, server);
  };
  return { name, args, doc, ...(byDefault === undefined ? {} : { byDefault }), status: "kept", read: keepThenRead };
}

/** A check word kept as written, with as many arguments as `args` has. */
function rawServerWord(name: string, args: string, doc: string): Keyword<ServerDraft> {
  return serverWord(name, args, doc, (words, server) => {
    const written = [name];
    if (args !== "") {
      const value = words.word(args);
      if (value === undefined) return;
      written.push(value.text);
    }
    server.check.others.push(written);
  });
}

export const CHECK_SERVER_KEYWORDS: readonly Keyword<ServerDraft>[] = [
  serverWord("check", "", "Checks the server's health.", (_, server) => {
    server.check.enabled = true;
  }),
  serverWord("no-check", "", "Takes back a `check` of `default-server`.", (_, server) => {
    server.check.enabled = false;
  }),
  serverWord(
    "inter",
    "<time>",
    "Time between two checks.",
    (words, server) => {
      server.check.interMs = words.time(1) ?? server.check.interMs;
    },
    "2s",
  ),
  serverWord(
    "fastinter",
    "<time>",
    "Time between two checks while the state is changing.",
    (words, server) => {
      server.check.fastInterMs = words.time(1) ?? server.check.fastInterMs;
    },
    "`inter`",
  ),
  serverWord(
    "downinter",
    "<time>",
    "Time between two checks while the server is down.",
    (words, server) => {
      server.check.downInterMs = words.time(1) ?? server.check.downInterMs;
    },
    "`inter`",
  ),
  serverWord(
    "rise",
    "<count>",
    "Checks in a row that must succeed before the server is up.",
    (words, server) => {
      server.check.rise = words.integer("<count>", 1, 2_147_483_647) ?? server.check.rise;
    },
    "2",
  ),
  serverWord(
    "fall",
    "<count>",
    "Checks in a row that must fail before the server is down.",
    (words, server) => {
      server.check.fall = words.integer("<count>", 1, 2_147_483_647) ?? server.check.fall;
    },
    "3",
  ),
  serverWord(
    "port",
    "<port>",
    "Port that is checked.",
    (words, server) => {
      server.check.port = words.integer("<port>", 1, 65_535) ?? server.check.port;
    },
    "the server's",
  ),
  serverWord(
    "addr",
    "<address>",
    "Address that is checked.",
    (words, server) => {
      server.check.addr = words.word("<address>")?.text ?? server.check.addr;
    },
    "the server's",
  ),
  serverWord(
    "on-marked-down",
    "shutdown-sessions",
    "What happens to its sessions when the server goes down.",
    (words, server) => {
      server.check.onMarkedDown = words.choice(["shutdown-sessions"]) ?? server.check.onMarkedDown;
    },
  ),
  serverWord(
    "on-marked-up",
    "shutdown-backup-sessions",
    "What happens to the backup servers' sessions when the server comes up.",
    (words, server) => {
      server.check.onMarkedUp = words.choice(["shutdown-backup-sessions"]) ?? server.check.onMarkedUp;
    },
  ),
  rawServerWord("observe", "<layer4|layer7>", "Watches live traffic for errors."),
  rawServerWord("error-limit", "<count>", "Errors in a row that make `observe` act."),
  rawServerWord("on-error", "<action>", "What `observe` does at its limit."),
  rawServerWord("slowstart", "<time>", "Ramp of weight and maxconn after the server came up."),
  rawServerWord("track", "<[backend/]server>", "Takes the state of another server."),
  rawServerWord("init-state", "<state>", "State at the start, before the first check."),
  rawServerWord("agent-check", "", "Asks an agent for the server's state."),
  rawServerWord("no-agent-check", "", "Takes back an `agent-check` of `default-server`."),
  rawServerWord("agent-addr", "<address>", "Address of the agent."),
  rawServerWord("agent-port", "<port>", "Port of the agent."),
  rawServerWord("agent-inter", "<time>", "Time between two questions to the agent."),
  rawServerWord("agent-send", "<text>", "Text sent to the agent."),
  rawServerWord("check-ssl", "", "Checks over TLS."),
  rawServerWord("no-check-ssl", "", "Takes back a `check-ssl` of `default-server`."),
  rawServerWord("check-sni", "<name>", "Name sent in the TLS handshake of a check."),
  rawServerWord("check-alpn", "<protocols>", "Protocols offered in the TLS handshake of a check."),
  rawServerWord("verify", "<none|required>", "Whether a check over TLS verifies the server's certificate."),
  rawServerWord("verifyhost", "<name>", "The name that a check over TLS expects in the server's certificate."),
  rawServerWord("ca-file", "<file>", "The authorities that a check over TLS trusts."),
  rawServerWord("check-proto", "<name>", "Protocol of a check's connection."),
  rawServerWord("check-send-proxy", "", "Sends a PROXY header with a check."),
  rawServerWord("no-check-send-proxy", "", "Takes back a `check-send-proxy` of `default-server`."),
];

/** A check line of a section, kept as written. */
function checkLine(name: string, args: string, doc: string): ProxyKeyword<ProxyDraft> {
  return {
    name,
    args,
    doc,
    status: "kept",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      const first = words.line.tokens[0];
      if (first !== undefined) proxy.context.keep(name, words.spanOf(first));
      words.rest();
      proxy.checkLines.push(words.line.tokens.map((token) => token.text));
    },
  };
}

/** A check option; `no option <name>` takes back what the defaults said. */
function checkOption(name: string, args: string, doc: string): ProxyKeyword<ProxyDraft> {
  return checkLine(`option ${name}`, args, doc);
}

export const CHECK_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  checkOption("httpchk", "[<method>] [<uri>] [<version>]", "Checks by an HTTP request."),
  checkOption("tcp-check", "", "Checks by the `tcp-check` lines."),
  checkOption("pgsql-check", "[user <name>]", "Checks a PostgreSQL server."),
  checkOption("mysql-check", "[user <name> [post-41|pre-41]]", "Checks a MySQL server."),
  checkOption("redis-check", "", "Checks a Redis server."),
  checkOption("smtpchk", "[HELO|EHLO <domain>]", "Checks an SMTP server."),
  checkOption("ldap-check", "", "Checks an LDAP server."),
  checkOption("ssl-hello-chk", "", "Checks by a TLS hello."),
  checkOption("external-check", "", "Checks by a program."),
  {
    ...checkOption("log-health-checks", "", "Logs every change of a check's result."),
    negate(proxy) {
      proxy.checkLines = proxy.checkLines.filter((line) => line[1] !== "log-health-checks");
    },
  },
  checkLine("http-check", "<rule>", "One step of an HTTP check."),
  checkLine("tcp-check", "<rule>", "One step of a TCP check."),
  checkLine("external-check", "<command|path> <value>", "The program of `option external-check`, and its PATH."),
  {
    name: "timeout check",
    args: "<time>",
    doc: "Longest time a check may take after it is connected.",
    status: "kept",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      const first = words.line.tokens[0];
      if (first !== undefined) proxy.context.keep("timeout check", words.spanOf(first));
      const timeMs = words.time();
      if (timeMs !== undefined && words.end()) proxy.timeouts.checkMs = timeMs;
    },
  },
];

export const CHECK_GLOBAL_KEYWORDS: readonly Keyword<GlobalDraft>[] = [
  {
    name: "spread-checks",
    args: "<0..50>",
    doc: "Percent by which the times of checks are spread.",
    byDefault: "0",
    status: "kept",
    read(words, global) {
      const first = words.line.tokens[0];
      if (first !== undefined) global.context.keep("spread-checks", words.spanOf(first));
      const percent = words.integer("<percent>", 0, 50);
      if (percent !== undefined && words.end()) global.spreadChecksPercent = percent;
    },
  },
];
