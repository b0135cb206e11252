// Words of servers about their names: who resolves them, which address is preferred, what happens when it changes. Control thread.

import ipaddr from "ipaddr.js";
import { canonicalAddress } from "../../base/address.ts";
import type { ServerDraft } from "../drafts.ts";
import { didYouMean } from "../nearest.ts";
import type { Token } from "../tokenize.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword } from "./keyword.ts";

/** HAProxy's limits. */
const NETWORKS_MAX = 5;
const INIT_ADDR_MAX = 4;

function listOf(
  words: WordReader,
  what: string,
): { readonly token: Token; readonly items: readonly string[] } | undefined {
  const token = words.word(what);
  return token === undefined ? undefined : { token, items: token.text.split(",").filter((item) => item !== "") };
}

/** "10.0.0.0/8", "10.0.0.0/255.0.0.0", "::1": as CIDR; undefined for what is no network. */
function networkOf(text: string): string | undefined {
  const [base = "", mask] = text.split("/");
  const address = canonicalAddress(base);
  if (address === undefined) return undefined;
  const longest = address.includes(":") ? 128 : 32;
  if (mask === undefined) return `${address}/${longest}`;
  const dotted = longest === 32 && ipaddr.IPv4.isValidFourPartDecimal(mask);
  const bits = dotted ? ipaddr.IPv4.parse(mask).prefixLengthFromSubnetMask() : /^\d+$/.test(mask) ? Number(mask) : null;
  return bits === null || bits > longest ? undefined : `${address}/${bits}`;
}

function readNetworks(words: WordReader, server: ServerDraft): void {
  const list = listOf(words, "<network>[,<network>]*");
  if (list === undefined) return;
  const networks: string[] = [];
  for (const item of list.items) {
    const network = networkOf(item);
    if (network === undefined) {
      words.error(
        "bad-address",
        `'resolve-net': '${item}' is no network`,
        list.token,
        "write 10.0.0.0/8 or 2001:db8::/32",
      );
      return;
    }
    networks.push(network);
  }
  if (networks.length > NETWORKS_MAX) {
    words.error("out-of-range", `'resolve-net' takes at most ${NETWORKS_MAX} networks`, list.token);
    return;
  }
  server.resolve.networks = networks;
}

const OPTIONS = ["allow-dup-ip", "prevent-dup-ip", "ignore-weight"];

function readOptions(words: WordReader, server: ServerDraft): void {
  const list = listOf(words, "<option>[,<option>]*");
  for (const item of list?.items ?? []) {
    if (item === "allow-dup-ip") server.resolve.allowDuplicates = true;
    else if (item === "prevent-dup-ip") server.resolve.allowDuplicates = false;
    else if (item === "ignore-weight") server.resolve.ignoreWeight = true;
    else {
      const message = `'resolve-opts' expects ${OPTIONS.join(", ")}, not '${item}'`;
      words.error("unknown-value", message, list?.token, didYouMean(item, OPTIONS));
    }
  }
}

function readInitAddr(words: WordReader, server: ServerDraft): void {
  const list = listOf(words, "<method>[,<method>]*");
  if (list === undefined) return;
  const methods: string[] = [];
  for (const item of list.items) {
    const address = canonicalAddress(item);
    if (address === undefined && !["last", "libc", "none"].includes(item)) {
      const message = `'init-addr' expects last, libc, none or an IP address, not '${item}'`;
      words.error("unknown-value", message, list.token, didYouMean(item, ["last", "libc", "none"]));
      return;
    }
    if (address !== undefined && methods.some((method) => canonicalAddress(method) !== undefined)) {
      words.error("given-twice", `'init-addr' has an address already: not '${item}' too`, list.token);
      return;
    }
    methods.push(address ?? item);
  }
  if (methods.length > INIT_ADDR_MAX) {
    words.error("out-of-range", `'init-addr' takes at most ${INIT_ADDR_MAX} methods`, list.token);
    return;
  }
  server.resolve.initAddr = methods;
}

export const RESOLUTION_SERVER_KEYWORDS: readonly Keyword<ServerDraft>[] = [
  {
    name: "resolvers",
    args: "<section>",
    doc: "Keeps the server's address up to date: its name is asked for again and again, by this `resolvers` section. Not for `add server`.",
    byDefault: "the name is looked up once, at start",
    status: "supported",
    read(words, server) {
      const token = words.word("<section>");
      if (token !== undefined) server.resolve.resolvers = token.text;
    },
  },
  {
    name: "resolve-prefer",
    args: "<ipv4|ipv6>",
    doc: "Family that is asked for first, and preferred where a name has both.",
    byDefault: "ipv6",
    status: "supported",
    read(words, server) {
      server.resolve.prefer = words.choice(["ipv4", "ipv6"]) ?? server.resolve.prefer;
    },
  },
  {
    name: "resolve-net",
    args: "<network>[,<network>]*",
    doc: "Networks whose addresses are preferred, at most 5.",
    status: "supported",
    read: readNetworks,
  },
  {
    name: "resolve-opts",
    args: "<option>[,<option>]*",
    doc:
      "`allow-dup-ip`: servers of a backend may have the same address; `prevent-dup-ip`: they may not; `ignore-weight`: weights of SRV records " +
      "do not count.",
    byDefault: "prevent-dup-ip",
    status: "supported",
    read: readOptions,
  },
  {
    name: "init-addr",
    args: "<last|libc|none|address>[,...]",
    doc:
      "Ways to the server's address at start, in turn: that of a server state file (`last`), the system's resolver (`libc`), an IP address, or " +
      "none: the server waits in maintenance until its name resolves.",
    byDefault: "last,libc; with `resolvers` last,libc,none",
    status: "supported",
    read: readInitAddr,
  },
  {
    name: "on-address-change",
    args: "shutdown-sessions",
    doc:
      "Ends the sessions of the old address when the server gets another one (from DNS or `set server ... addr`), or when DNS says that it " +
      "is gone. Not in HAProxy.",
    byDefault: "they stay until they end by themselves",
    status: "supported",
    read(words, server) {
      server.resolve.cutOnAddressChange = words.choice(["shutdown-sessions"]) !== undefined;
    },
  },
];
