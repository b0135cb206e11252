// The words of a `resolvers` section. Control thread.

import { parseAddress } from "../address.ts";
import type { ResolversDraft } from "../drafts.ts";
import { invalidNameCharacter } from "../names.ts";
import { parseResolvConf } from "../resolv-conf.ts";
import type { WordReader } from "../word-reader.ts";
import { warnOfBareTime } from "./bare-time.ts";
import { indexKeywords, type Keyword } from "./keyword.ts";

/** A header's bytes, and the largest message there is. */
const PAYLOAD_MIN = 12;
const PAYLOAD_MAX = 65_535;
const RETRIES_MAX = 65_535;

function timeArgument(words: WordReader, min: 0 | 1): number | undefined {
  const token = words.peek();
  const timeMs = words.time(min);
  if (timeMs === undefined || !words.end()) return undefined;
  if (token !== undefined) warnOfBareTime(words, "small-interval", words.keyword, token, timeMs);
  return timeMs;
}

function timeout(name: string, field: "resolveTimeoutMs" | "retryTimeoutMs", doc: string): Keyword<ResolversDraft> {
  return {
    name: `timeout ${name}`,
    args: "<time>",
    doc,
    byDefault: "1s",
    status: "supported",
    read(words, section) {
      section[field] = timeArgument(words, 1) ?? section[field];
    },
  };
}

const HOLD_EVENTS = ["valid", "nx", "refused", "timeout", "other", "obsolete"] as const;

function readNameserver(words: WordReader, section: ResolversDraft): void {
  const id = words.word("<id> <address>:<port>");
  const address = id === undefined ? undefined : words.word("<address>:<port>");
  if (id === undefined || address === undefined || !words.end()) return;
  const bad = invalidNameCharacter(id.text);
  if (bad !== undefined) {
    words.error("bad-name", `'${bad}' is not allowed in the name of a nameserver`, id);
    return;
  }
  if (section.nameservers.some((other) => other.id === id.text)) {
    words.error("duplicate-name", `resolvers '${section.name}' already has a nameserver '${id.text}'`, id);
    return;
  }
  const isTcp = /^tcp[46]?@/.test(address.text);
  const text = address.text.replace(/^udp([46]?)@/, (_, family: string) => (family === "" ? "" : `ipv${family}@`));
  const result = parseAddress(text, { port: "range" }, section.context.env);
  if (!result.ok) {
    words.error(result.code, `nameserver '${id.text}': ${result.message}`, address);
    return;
  }
  const { endpoint, lastPort } = result.address;
  if (endpoint.kind !== "inet" || lastPort !== endpoint.port) {
    words.error("bad-address", `nameserver '${id.text}': '${address.text}' is not one address with a port`, address);
    return;
  }
  const { host, port } = endpoint;
  section.nameservers.push({ id: id.text, transport: isTcp ? "tcp" : "udp", host, port });
}

function readParseResolvConf(words: WordReader, section: ResolversDraft): void {
  if (!words.end()) return;
  const text = section.context.resolvConf();
  if (text === undefined) {
    words.error("no-resolv-conf", "/etc/resolv.conf cannot be read");
    return;
  }
  const { nameservers, problems } = parseResolvConf(text);
  for (const problem of problems) words.warning("resolv-conf", `${problem}: left out`);
  for (const nameserver of nameservers) {
    if (section.nameservers.some(({ id }) => id === nameserver.id)) {
      words.warning(
        "resolv-conf",
        `there is a nameserver '${nameserver.id}' already: that of /etc/resolv.conf is left out`,
      );
    } else section.nameservers.push(nameserver);
  }
}

export const RESOLVERS_KEYWORDS: readonly Keyword<ResolversDraft>[] = [
  {
    name: "nameserver",
    args: "<id> [udp@|tcp@]<address>:<port>",
    doc: "A nameserver. All of a section are asked at once; the first useful answer counts.",
    status: "supported",
    read: readNameserver,
  },
  {
    name: "parse-resolv-conf",
    args: "",
    doc: "Adds the nameservers of /etc/resolv.conf, each under its address.",
    status: "supported",
    read: readParseResolvConf,
  },
  {
    name: "hold",
    args: "<valid|nx|refused|timeout|other|obsolete> <time>",
    doc:
      "How long a server keeps its address, from the last good answer on, while answers say that the name does not exist (`nx`), are refused, " +
      "do not come (`timeout`) or are of no use (`other`). `obsolete`: how long a record counts that answers no longer have.",
    byDefault: "30s; obsolete 0, valid 10s",
    status: "supported",
    read(words, section) {
      const event = words.choice(HOLD_EVENTS);
      if (event === undefined) return;
      section.hold[event] = timeArgument(words, 0) ?? section.hold[event];
    },
  },
  {
    name: "resolve_retries",
    args: "<1..65535>",
    doc: "Questions that are asked before a round is given up.",
    byDefault: "3",
    status: "supported",
    read(words, section) {
      const value = words.integer("<number>", 1, RETRIES_MAX);
      if (value !== undefined && words.end()) section.retries = value;
    },
  },
  timeout("resolve", "resolveTimeoutMs", "Pause between two rounds of questions for a name."),
  timeout("retry", "retryTimeoutMs", "Time from an unanswered question to the next one."),
  {
    name: "accepted_payload_size",
    args: "<12..65535>",
    doc: "Largest answer that is taken, in bytes; nameservers are told.",
    byDefault: "512",
    status: "supported",
    read(words, section) {
      const value = words.integer("<bytes>", PAYLOAD_MIN, PAYLOAD_MAX);
      if (value !== undefined && words.end()) section.payloadBytes = value;
    },
  },
];

export const RESOLVERS_TABLE: ReadonlyMap<string, Keyword<ResolversDraft>> = indexKeywords(RESOLVERS_KEYWORDS);
