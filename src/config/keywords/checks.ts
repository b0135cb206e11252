// Words of servers and of the global section that configure health checks and agents. Control thread.
// They only note what is said; `checks/resolve-health.ts` makes a check of it.

import { isIPv6 } from "node:net";
import { readAlpn, readCheckAddress } from "../checks/connect-rule.ts";
import { bytesOf } from "../checks/rule-text.ts";
import type { GlobalDraft, ServerDraft } from "../drafts.ts";
import { warnOfBareTime } from "./bare-time.ts";
import type { Keyword } from "./keyword.ts";
import { REMOVAL_SERVER_WORDS } from "./on-removed.ts";
import { POLICY_SERVER_WORDS } from "./policies.ts";
import { flag, type ReadWord, serverWord } from "./server-word.ts";
import { SESSION_POLICY_SERVER_WORDS } from "./session-policies.ts";

type TimeField = "interMs" | "fastInterMs" | "downInterMs" | "agentInterMs";

function interval(name: string, field: TimeField, doc: string, byDefault: string): Keyword<ServerDraft> {
  return serverWord(
    name,
    "<time>",
    doc,
    (words, health) => {
      const token = words.peek();
      const timeMs = words.time(1);
      if (timeMs === undefined || token === undefined) return;
      health[field] = timeMs;
      warnOfBareTime(words, "small-interval", name, token, timeMs);
    },
    byDefault,
  );
}

type NumberField = "rise" | "fall" | "port" | "agentPort";

function count(
  name: string,
  field: NumberField,
  what: string,
  max: number,
  doc: string,
  byDefault?: string,
): Keyword<ServerDraft> {
  const read: ReadWord = (words, health) => {
    const value = words.integer(what, 1, max);
    if (value !== undefined) health[field] = value;
  };
  return serverWord(name, what, doc, read, byDefault);
}

type TextField = "verifyHost" | "caFile" | "crtFile" | "sni";

function text(name: string, field: TextField, what: string, doc: string, byDefault?: string): Keyword<ServerDraft> {
  const read: ReadWord = (words, health) => {
    const token = words.word(what);
    if (token !== undefined) health[field] = token.text;
  };
  return serverWord(name, what, doc, read, byDefault);
}

const MAX_COUNT = 2_147_483_647;

const CHECK_WORDS: readonly Keyword<ServerDraft>[] = [
  flag(
    "check",
    "Checks the server's health, as the section's check option says; without one, by a connection.",
    (health) => {
      health.check = true;
    },
  ),
  flag("no-check", "Takes back a `check` of `default-server`.", (health) => {
    health.check = false;
  }),
  interval("inter", "interMs", "Time between two checks.", "2s"),
  interval("fastinter", "fastInterMs", "Time between two checks while the state is changing.", "`inter`"),
  interval("downinter", "downInterMs", "Time between two checks while the server is down.", "`inter`"),
  count("rise", "rise", "<count>", MAX_COUNT, "Checks in a row that must succeed before the server is up.", "2"),
  count("fall", "fall", "<count>", MAX_COUNT, "Checks in a row that must fail before the server is down.", "3"),
  count("port", "port", "<port>", 65_535, "Port that is checked.", "the server's"),
  serverWord(
    "addr",
    "<address>[:<port>]",
    "Address that is checked, and where `agent-addr` is not given that of the agent.",
    (words, health, server) => {
      const address = readCheckAddress(words, server.context);
      if (address !== undefined) health.addr = address;
    },
    "the server's",
  ),
  serverWord(
    "init-state",
    "<fully-up|up|down|fully-down|none>",
    "State at the start: `up` and `down` change with the first check, the others after `fall` or `rise`.",
    (words, health) => {
      const state = words.choice(["fully-up", "up", "down", "fully-down", "none"]);
      if (state !== undefined) health.initState = state;
    },
    "up, one failed check from being down",
  ),
  serverWord(
    "track",
    "[<backend>/]<server>",
    "Takes the state of another server, which is checked, asks an agent or tracks itself; not together with `check`.",
    (words, health) => {
      const token = words.word("[<backend>/]<server>");
      if (token === undefined) return;
      const { line, column } = words.spanOf(token);
      const place = { file: line.file, line: line.number, column };
      const slash = token.text.lastIndexOf("/");
      const server = token.text.slice(slash + 1);
      health.track = slash < 0 ? { server, place } : { backend: token.text.slice(0, slash), server, place };
    },
  ),
  flag("check-send-proxy", "Sends a PROXY header, of version 1, with a check.", (health) => {
    health.sendProxy = true;
  }),
  flag("no-check-send-proxy", "Takes back a `check-send-proxy` of `default-server`.", (health) => {
    health.sendProxy = false;
  }),
];

const TLS_WORDS: readonly Keyword<ServerDraft>[] = [
  flag("check-ssl", "Checks over TLS. Needs `ca-file`, or `verify none`.", (health) => {
    health.ssl = true;
  }),
  flag("no-check-ssl", "Takes back a `check-ssl` of `default-server`.", (health) => {
    health.ssl = false;
  }),
  serverWord(
    "verify",
    "<none|required>",
    "Whether a check over TLS verifies the server's certificate.",
    (words, health) => {
      const verify = words.choice(["none", "required"]);
      if (verify !== undefined) health.verify = verify;
    },
    "required",
  ),
  text(
    "verifyhost",
    "verifyHost",
    "<name>",
    "The name that a check over TLS expects in the server's certificate.",
    "the SNI, if any",
  ),
  text("ca-file", "caFile", "<file>", "The authorities that a check over TLS trusts."),
  text("crt", "crtFile", "<file>", "Certificate and key that a check over TLS presents."),
  text("check-sni", "sni", "<name>", "Name sent in the TLS handshake of a check."),
  serverWord(
    "check-alpn",
    "<protocols>",
    "Protocols offered in the TLS handshake of a check; HTTP/2 is not.",
    (words, health) => {
      const alpn = readAlpn(words);
      if (alpn !== undefined) health.alpn = alpn;
    },
  ),
];

const AGENT_WORDS: readonly Keyword<ServerDraft>[] = [
  flag("agent-check", "Asks an agent for the server's state and weight. Needs an `agent-port`.", (health) => {
    health.agent = true;
  }),
  flag("no-agent-check", "Takes back an `agent-check` of `default-server`.", (health) => {
    health.agent = false;
  }),
  serverWord(
    "agent-addr",
    "<address>",
    "Address of the agent.",
    (words, health, server) => {
      const token = words.peek();
      // HAProxy takes an IPv6 address here as it is, because no port can follow it.
      if (token !== undefined && isIPv6(token.text)) {
        words.take();
        health.agentAddr = token.text;
        return;
      }
      const address = readCheckAddress(words, server.context);
      if (address === undefined) return;
      if (address.port === 0) health.agentAddr = address.host;
      else
        words.error("bad-address", "'agent-addr' expects an address without a port", token, "the port is 'agent-port'");
    },
    "`addr`, else the server's",
  ),
  count("agent-port", "agentPort", "<port>", 65_535, "Port of the agent.", "`port`"),
  interval("agent-inter", "agentInterMs", "Time between two questions to the agent.", "`inter`"),
  serverWord("agent-send", "<text>", "Text sent to the agent, as it is.", (words, health) => {
    const token = words.word("<text>");
    if (token !== undefined) health.agentSend = Buffer.from(bytesOf(words.line, token)).toString("latin1");
  }),
];

export const CHECK_SERVER_KEYWORDS: readonly Keyword<ServerDraft>[] = [
  ...CHECK_WORDS,
  ...POLICY_SERVER_WORDS,
  ...SESSION_POLICY_SERVER_WORDS,
  ...REMOVAL_SERVER_WORDS,
  ...TLS_WORDS,
  ...AGENT_WORDS,
];

export const CHECK_GLOBAL_KEYWORDS: readonly Keyword<GlobalDraft>[] = [
  {
    name: "spread-checks",
    args: "<0..50>",
    doc: "Percent by which the times of checks are spread.",
    byDefault: "0",
    status: "supported",
    read(words, global) {
      const percent = words.integer("<percent>", 0, 50);
      if (percent !== undefined && words.end()) global.spreadChecksPercent = percent;
    },
  },
  {
    name: "external-check",
    args: "",
    doc: "Allows `option external-check` to start programs.",
    status: "supported",
    read(words, global) {
      const token = words.peek();
      if (token?.text === "preserve-env") {
        const message = "'external-check preserve-env' is known to HAProxy but not supported by Headgate";
        words.error("unsupported", message, token);
      } else if (words.end()) global.externalCheck = true;
    },
  },
];
