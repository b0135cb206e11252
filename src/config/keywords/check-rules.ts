// Words of proxy sections that say how servers are checked: the check options, their rules, the log of checks. Control thread.
// A backend has one check: the option given last.

import { readHttpCheck, readTcpCheck } from "../checks/rule-line.ts";
import { addHttpOption, type CheckOption, ownRules } from "../checks/rules.ts";
import { readHttpOption } from "../checks/send-rule.ts";
import type { ProxyDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import type { ProxyKeyword } from "./keyword.ts";

function backendWord(
  name: string,
  args: string,
  doc: string,
  read: (words: WordReader, proxy: ProxyDraft) => void,
): ProxyKeyword<ProxyDraft> {
  return { name, args, doc, status: "supported", side: "backend", inDefaults: true, read };
}

/** An option that is the section's check; `read` takes its arguments and reports what is wrong. */
function checkOption(
  name: string,
  args: string,
  doc: string,
  read: (words: WordReader) => CheckOption | undefined,
): ProxyKeyword<ProxyDraft> {
  return backendWord(`option ${name}`, args, doc, (words, proxy) => {
    const option = read(words);
    if (option !== undefined && words.end()) proxy.checks = { ...proxy.checks, option };
  });
}

function readHttpchk(words: WordReader, proxy: ProxyDraft): void {
  const request = readHttpOption(words);
  if (request === undefined) return;
  const rules = addHttpOption(ownRules(proxy.checks.http), request);
  proxy.checks = { ...proxy.checks, option: { kind: "http" }, http: { own: true, rules } };
}

function readTcpCheckOption(words: WordReader, proxy: ProxyDraft): void {
  if (!words.end()) return;
  const rules = ownRules(proxy.checks.tcp);
  proxy.checks = { ...proxy.checks, option: { kind: "tcp-check" }, tcp: { own: true, rules } };
}

/** `user <name>`; undefined after an error. */
function readUser(words: WordReader): string | undefined {
  return words.choice(["user"]) === undefined ? undefined : words.word("user <name>")?.text;
}

function readMysql(words: WordReader): CheckOption | undefined {
  if (words.atEnd) return { kind: "mysql", post41: true };
  const user = readUser(words);
  if (user === undefined) return undefined;
  if (words.peek()?.text === "post-80") {
    const message = "'option mysql-check user ... post-80' is known to HAProxy but not supported by Headgate";
    words.error("unsupported", message, words.take());
    return undefined;
  }
  const version = words.atEnd ? "post-41" : words.choice(["post-41", "pre-41"]);
  return version === undefined ? undefined : { kind: "mysql", user, post41: version === "post-41" };
}

/** What is no greeting means the usual one to HAProxy. */
function readSmtp(words: WordReader): CheckOption {
  const [first, second] = [words.take(), words.take()];
  if ((first?.text === "HELO" || first?.text === "EHLO") && second !== undefined) {
    return { kind: "smtp", hello: first.text, domain: second.text };
  }
  if (first !== undefined) {
    words.warning("ignored", "'option smtpchk' expects HELO or EHLO and a domain: 'HELO localhost' is sent", first);
  }
  return { kind: "smtp", hello: "HELO", domain: "localhost" };
}

function readExternal(words: WordReader, proxy: ProxyDraft): void {
  const what = words.choice(["command", "path"]);
  const token = what === undefined ? undefined : words.word(`<${what}>`);
  if (token === undefined || !words.end()) return;
  const field = what === "command" ? "externalCommand" : "externalPath";
  proxy.checks = { ...proxy.checks, [field]: token.text };
}

export const CHECK_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  backendWord(
    "option httpchk",
    "[<method>] [<uri>] [<version>] [<host>]",
    "Checks by HTTP requests: this one (`OPTIONS / HTTP/1.0` where nothing is said), completed by `http-check`.",
    readHttpchk,
  ),
  backendWord(
    "option tcp-check",
    "",
    "Checks by the `tcp-check` rules; without any by a connection.",
    readTcpCheckOption,
  ),
  checkOption(
    "pgsql-check",
    "user <name>",
    "Checks a PostgreSQL server: a start-up message, and an answer to it.",
    (words) => {
      const user = readUser(words);
      return user === undefined ? undefined : { kind: "pgsql", user };
    },
  ),
  checkOption(
    "mysql-check",
    "[user <name> [post-41|pre-41]]",
    "Checks a MySQL server: its greeting, and with a user a login without password.",
    readMysql,
  ),
  checkOption("redis-check", "", "Checks a Redis server: PING.", () => ({ kind: "redis" })),
  checkOption(
    "smtpchk",
    "[HELO|EHLO <domain>]",
    "Checks an SMTP server: its greeting, and its answer to ours.",
    readSmtp,
  ),
  checkOption("ldap-check", "", "Checks an LDAP server: an anonymous bind.", () => ({ kind: "ldap" })),
  checkOption("ssl-hello-chk", "", "Checks by an SSLv3 hello.", () => ({ kind: "ssl-hello" })),
  checkOption("external-check", "", "Checks by a program. Needs `external-check` in the global section.", () => ({
    kind: "external",
  })),
  {
    ...backendWord("option log-health-checks", "", "Logs every change of a check's result.", (words, proxy) => {
      if (words.end()) proxy.logHealthChecks = true;
    }),
    negate(proxy) {
      proxy.logHealthChecks = false;
    },
  },
  backendWord(
    "http-check",
    "connect|send|expect|comment|set-var(<name>)|disable-on-404 ...",
    "One step of an HTTP check: `connect [default] [port <n>] [addr <a>] [send-proxy] [ssl [sni <s>] [alpn <a>]] [linger]`; " +
      "`send [meth <m>] [uri|uri-lf <u>] [ver <v>] [hdr <name> <value>]* [body|body-lf <b>]`; " +
      "`expect [!] status <ranges>|rstatus <regex>|string|string-lf <text>|rstring <regex>`, with `min-recv <n>`, `ok-status`, " +
      "`error-status`, `tout-status <status>`, `on-success`, `on-error <text>`; each with `comment <text>`. The section's own rules replace " +
      "those of the defaults. Texts with `%` may hold constants only: `%[str(..)]`, `%[int(..)]`, `%[var(check..)]`. " +
      "`disable-on-404` is no step: a server that answers 404 keeps its sessions and gets no new one, unless it is down.",
    readHttpCheck,
  ),
  backendWord(
    "tcp-check",
    "connect|send|send-lf|send-binary|send-binary-lf|expect|comment|set-var(<name>) ...",
    "One step of a TCP check: `connect` as in `http-check`; `send <text>`, `send-binary <hex>`; " +
      "`expect [!] string|string-lf <text>|rstring <regex>|binary|binary-lf <hex>|rbinary <regex>` with the words of `http-check expect`.",
    readTcpCheck,
  ),
  backendWord(
    "external-check",
    "command <program> | path <path>",
    "The program of `option external-check`, and its PATH.",
    readExternal,
  ),
];
