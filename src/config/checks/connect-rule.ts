// `tcp-check connect` and `http-check connect`: one line to a rule. Control thread.

import { parseAddress } from "../address.ts";
import type { LoadContext } from "../drafts.ts";
import type { Token } from "../tokenize.ts";
import type { WordReader } from "../word-reader.ts";
import type { ConnectRule } from "./rules.ts";

const UNSUPPORTED: ReadonlySet<string> = new Set(["proto", "via-socks4"]);

/** `<host>[:<port>]` of a check, without the brackets of an IPv6 address; port 0: none. Reports what is wrong. */
export function readCheckAddress(
  words: WordReader,
  context: LoadContext,
): { readonly host: string; readonly port: number } | undefined {
  const token = words.word("<address>[:<port>]");
  if (token === undefined) return undefined;
  const result = parseAddress(token.text, { port: "optional" }, context.env);
  if (!result.ok) {
    words.error(result.code, `'${words.keyword}': ${result.message}`, token);
    return undefined;
  }
  const { endpoint } = result.address;
  if (endpoint.kind !== "inet") {
    words.error(
      "unsupported",
      `'${words.keyword}' needs an IP address or a host name: unix sockets are not supported here`,
      token,
    );
    return undefined;
  }
  return { host: endpoint.host, port: endpoint.port };
}

/** A list of ALPN names; HTTP/2 is refused, because a server that chose it would not understand the check. */
export function readAlpn(words: WordReader): readonly string[] | undefined {
  const token = words.word("<protocols>");
  if (token === undefined) return undefined;
  const names = token.text.split(",");
  if (names.some((name) => name === "" || Buffer.byteLength(name) > 255)) {
    words.error(
      "bad-alpn",
      `'${words.keyword}' expects names of 1 to 255 bytes with commas between, not '${token.text}'`,
      token,
    );
    return undefined;
  }
  if (names.some((name) => name === "h2" || name === "h3")) {
    words.error(
      "unsupported",
      `'${words.keyword} ${token.text}': checks over HTTP/2 are not supported by Headgate`,
      token,
    );
    return undefined;
  }
  return names;
}

type Parts = { -readonly [K in keyof ConnectRule]?: ConnectRule[K] };

/** Reads what follows `connect`; undefined after an error. */
export function readConnect(words: WordReader, context: LoadContext): ConnectRule | undefined {
  const parts: Parts = {};
  const line = words.keyword;
  let isValid = true;
  for (let token = words.take(); token !== undefined && isValid; token = words.take()) {
    words.keyword = token.text;
    isValid = readPart(words, token, parts, context, line);
  }
  words.keyword = line;
  if (!isValid) return undefined;
  return {
    kind: "connect",
    sendProxy: false,
    linger: false,
    isDefault: false,
    ssl: false,
    alpn: [],
    ...parts,
    place: words.place(),
  };
}

function readPart(words: WordReader, token: Token, parts: Parts, context: LoadContext, line: string): boolean {
  switch (token.text) {
    case "default":
      parts.isDefault = true;
      return true;
    case "send-proxy":
      parts.sendProxy = true;
      return true;
    case "linger":
      parts.linger = true;
      return true;
    case "ssl":
      parts.ssl = true;
      return true;
    case "addr": {
      const address = readCheckAddress(words, context);
      if (address === undefined) return false;
      parts.addr = address.host;
      if (address.port !== 0) parts.port ??= address.port;
      return true;
    }
    case "port": {
      const port = words.integer("<port>", 1, 65_535);
      if (port !== undefined) parts.port = port;
      return port !== undefined;
    }
    case "sni": {
      const sni = words.word("<name>");
      if (sni !== undefined) parts.sni = sni.text;
      return sni !== undefined;
    }
    case "alpn": {
      const alpn = readAlpn(words);
      if (alpn !== undefined) parts.alpn = alpn;
      return alpn !== undefined;
    }
    case "comment": {
      const comment = words.word("<text>");
      if (comment !== undefined) parts.comment = comment.text;
      return comment !== undefined;
    }
    default:
      refuseRuleWord(words, token, line, UNSUPPORTED);
      return false;
  }
}

/** Refuses a word of a rule: known to HAProxy, or to nobody. */
export function refuseRuleWord(words: WordReader, token: Token, line: string, unsupported: ReadonlySet<string>): void {
  words.rest();
  if (unsupported.has(token.text)) {
    words.error("unsupported", `'${line} ... ${token.text}' is known to HAProxy but not supported by Headgate`, token);
  } else words.error("unexpected-word", `'${line}' does not expect '${token.text}' here`, token);
}
