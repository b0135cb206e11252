// The words of defaults, frontend, backend and listen sections. Control thread.
// Options are in options.ts, timeouts in timeouts.ts, health checks in check-rules.ts, what mode http keeps in http-words.ts.

import { RANDOM_DRAWS_MAX } from "../../base/limits.ts";
import { readBindLine } from "../bind-line.ts";
import type { ProxyDraft } from "../drafts.ts";
import type { Balance } from "../model.ts";
import { readDefaultServer, readServerLine } from "../server-line.ts";
import { readServerTemplate } from "../server-template.ts";
import type { WordReader } from "../word-reader.ts";
import { CHECK_PROXY_KEYWORDS } from "./check-rules.ts";
import { INERT_PROXY_KEYWORDS } from "./inert.ts";
import { indexKeywords, type ProxyKeyword } from "./keyword.ts";
import { readLogTarget } from "./log.ts";
import { LOG_PROXY_KEYWORDS } from "./log-lines.ts";
import { REMOVAL_PROXY_KEYWORDS } from "./on-removed.ts";
import { OPTION_KEYWORDS } from "./options.ts";
import { POLICY_PROXY_KEYWORDS } from "./policies.ts";
import { RESTART_PROXY_KEYWORDS } from "./restart.ts";
import { SESSION_POLICY_PROXY_KEYWORDS } from "./session-policies.ts";
import { TIMEOUT_KEYWORDS } from "./timeouts.ts";

const MAX_COUNT = 2_147_483_647;

/** Known to HAProxy, for another job than TCP. */
const UNSUPPORTED_ALGORITHMS = /^(static-rr|uri|url_param|hdr|hash|rdp-cookie|log-hash|sticky)(\(.*)?$/;

/** A word with one number that a section holds. */
function countOf(words: WordReader, min = 0): number | undefined {
  const value = words.integer("<number>", min, MAX_COUNT);
  return value !== undefined && words.end() ? value : undefined;
}

function readBalance(words: WordReader): Balance | undefined {
  const token = words.word("<algorithm>");
  if (token === undefined) return undefined;
  const name = token.text;
  if (name === "roundrobin" || name === "leastconn" || name === "source" || name === "first" || name === "random") {
    return words.end() ? { algorithm: name, draws: 2, explicit: true } : undefined;
  }
  const random = /^random\((.*)\)$/.exec(name);
  if (random !== null) {
    const draws = random[1] === "" ? 2 : /^[0-9]+$/.test(random[1] ?? "") ? Number(random[1]) : Number.NaN;
    if (draws >= 1 && draws <= RANDOM_DRAWS_MAX)
      return words.end() ? { algorithm: "random", draws, explicit: true } : undefined;
    words.error(
      "out-of-range",
      `'random' expects a number of draws from 1 to ${RANDOM_DRAWS_MAX}, not '${random[1]}'`,
      token,
    );
    return undefined;
  }
  if (UNSUPPORTED_ALGORITHMS.test(name)) {
    words.error("unsupported", `'balance ${name}' is known to HAProxy but not supported by Headgate`, token);
    return undefined;
  }
  const known = "roundrobin, leastconn, source, first, random";
  words.error("unknown-value", `unknown algorithm '${name}'`, token, `known are ${known}`);
  return undefined;
}

const SECTION_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "mode",
    args: "<tcp|http>",
    doc: "What passes through: `tcp` is relayed; `http` only for sections that serve `stats`, which are kept for later.",
    byDefault: "tcp",
    status: "supported",
    side: "both",
    inDefaults: true,
    inStats: true,
    read(words) {
      // Which mode holds was settled when the section began: the last line wins, and it decides how all lines are read.
      const token = words.peek();
      if (token !== undefined && ["health", "log", "syslog", "spop", "haterm"].includes(token.text)) {
        words.take();
        words.error("unsupported", `'mode ${token.text}' is known to HAProxy but not supported by Headgate`, token);
      } else if (words.choice(["tcp", "http"]) !== undefined) words.end();
    },
  },
  {
    name: "id",
    args: "<number>",
    doc: "The section's number (`iid`) in statistics.",
    byDefault: "the next free one, from 2",
    status: "supported",
    side: "both",
    inDefaults: false,
    inStats: true,
    read(words, proxy) {
      const token = words.peek();
      const id = countOf(words, 1);
      if (id !== undefined && token !== undefined) proxy.forcedId = { id, span: words.spanOf(token) };
    },
  },
  {
    name: "disabled",
    args: "",
    doc: "The section is read and checked, but not started.",
    status: "supported",
    side: "both",
    inDefaults: true,
    inStats: true,
    read(words, proxy) {
      if (words.end()) proxy.disabled = true;
    },
  },
  {
    name: "enabled",
    args: "",
    doc: "Takes back a `disabled` of the defaults.",
    status: "supported",
    side: "both",
    inDefaults: true,
    inStats: true,
    read(words, proxy) {
      if (words.end()) proxy.disabled = false;
    },
  },
  {
    name: "description",
    args: "<text>",
    doc: "A text for the statistics page.",
    status: "kept",
    side: "both",
    inDefaults: false,
    inStats: true,
    read(words, proxy) {
      const first = words.line.tokens[0];
      if (words.word("<text>") === undefined || first === undefined) return;
      words.rest();
      proxy.context.keep("description", words.spanOf(first));
      proxy.description = words.line.tokens
        .slice(1)
        .map((token) => token.text)
        .join(" ");
    },
  },
  {
    name: "log",
    args: "global | <target> [len <n>] [format <format>] <facility> [<max level> [<min level>]]",
    doc: "Where the section's traffic log goes; `global` takes the global targets. `no log` forgets all targets so far.",
    status: "supported",
    side: "both",
    inDefaults: true,
    inStats: true,
    negate(proxy) {
      proxy.logs = [];
    },
    read(words, proxy) {
      if (words.peek()?.text === "global" && words.peek(1) === undefined) {
        words.take();
        if (!proxy.logs.includes("global")) proxy.logs.push("global");
        return;
      }
      const target = readLogTarget(words, proxy.context);
      if (target !== undefined) proxy.logs.push(target);
    },
  },
];

const FRONTEND_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "bind",
    args: "<address>:<port>[-<last>][,...] [<bind words>]",
    doc: "Where clients connect: IPv4, IPv6, `*` or nothing for all addresses, `unix@<path>`, `abns@<name>`.",
    status: "supported",
    side: "frontend",
    inDefaults: false,
    inStats: true,
    read(words, proxy) {
      proxy.bindLines++;
      proxy.binds.push(...readBindLine(words, proxy.context));
    },
  },
  {
    name: "maxconn",
    args: "<number>",
    doc: "Sessions that the section may have at once; further clients wait in the kernel.",
    byDefault: "the process's",
    status: "supported",
    side: "frontend",
    inDefaults: true,
    inStats: true,
    read(words, proxy) {
      const count = countOf(words);
      if (count !== undefined) proxy.maxconn = count === 0 ? undefined : count;
    },
  },
  {
    name: "backlog",
    args: "<number>",
    doc: "Connections that may wait in the kernel.",
    byDefault: "`maxconn`",
    status: "supported",
    side: "frontend",
    inDefaults: true,
    inStats: true,
    read(words, proxy) {
      const count = countOf(words);
      if (count !== undefined) proxy.backlog = count === 0 ? undefined : count;
    },
  },
  {
    name: "default_backend",
    args: "<name>",
    doc: "The backend or listen section that takes the sessions.",
    status: "supported",
    side: "frontend",
    inDefaults: true,
    read(words, proxy) {
      const token = words.word("<name>");
      if (token !== undefined && words.end()) proxy.defaultBackend = { name: token.text, span: words.spanOf(token) };
    },
  },
];

const BACKEND_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "server",
    args: "<name> <address>[:<port>] [<server words>]",
    doc: "A server. Without a port, or with `+n` or `-n`, the port that the client connected to is used, plus the offset.",
    status: "supported",
    side: "backend",
    inDefaults: false,
    read(words, proxy) {
      const server = readServerLine(words, proxy.defaultServer, proxy.context, proxy.servers.at(-1)?.settings);
      if (server !== undefined) proxy.servers.push(server);
    },
  },
  {
    name: "server-template",
    args: "<prefix> <number|range> <name>[:<port>] [<server words>]",
    doc: "Servers <prefix>1 to <prefix><number>, or those of a range, that differ by nothing else: with `resolvers` each gets an address of the name.",
    status: "supported",
    side: "backend",
    inDefaults: false,
    read(words, proxy) {
      proxy.servers.push(...readServerTemplate(words, proxy.defaultServer, proxy.context));
    },
  },
  {
    name: "default-server",
    args: "<server words>",
    doc: "What holds for the servers that follow.",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      if (words.peek() === undefined) words.word("at least one server word");
      else proxy.defaultServer = readDefaultServer(words, proxy.defaultServer, proxy.context);
    },
  },
  {
    name: "balance",
    args: "<roundrobin|leastconn|source|first|random[(<draws>)]>",
    doc: "How a server is chosen.",
    byDefault: "roundrobin",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      proxy.balance = readBalance(words) ?? proxy.balance;
    },
  },
  {
    name: "retries",
    args: "<number>",
    doc: "How often a failed connection is tried again.",
    byDefault: "3",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      proxy.retries = countOf(words) ?? proxy.retries;
    },
  },
  {
    name: "fullconn",
    args: "<number>",
    doc: "The sessions at which a backend counts as full; shown as its limit in statistics.",
    byDefault: "a tenth of the frontends' maxconn",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      const count = countOf(words);
      if (count !== undefined) proxy.fullconn = count === 0 ? undefined : count;
    },
  },
];

/** In the order of the reference. */
export const PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  ...SECTION_KEYWORDS,
  ...FRONTEND_KEYWORDS,
  ...BACKEND_KEYWORDS,
  ...LOG_PROXY_KEYWORDS,
  ...OPTION_KEYWORDS,
  ...TIMEOUT_KEYWORDS,
];

export const PROXY_TABLE: ReadonlyMap<string, ProxyKeyword<ProxyDraft>> = indexKeywords(
  PROXY_KEYWORDS,
  CHECK_PROXY_KEYWORDS,
  POLICY_PROXY_KEYWORDS,
  SESSION_POLICY_PROXY_KEYWORDS,
  REMOVAL_PROXY_KEYWORDS,
  RESTART_PROXY_KEYWORDS,
  INERT_PROXY_KEYWORDS,
);
