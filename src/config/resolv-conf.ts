// The nameservers of /etc/resolv.conf, for `parse-resolv-conf` and the section `default`. Control thread; read when first asked for.

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { NameserverConfig } from "./resolvers-model.ts";

const PATH = "/etc/resolv.conf";
const DNS_PORT = 53;

/** The file's text; undefined if it cannot be read. */
export function readResolvConf(): string | undefined {
  try {
    return readFileSync(PATH, "utf8");
  } catch {
    return undefined;
  }
}

export interface ResolvConf {
  readonly nameservers: readonly NameserverConfig[];
  /** What was left out, one sentence each. */
  readonly problems: readonly string[];
}

/** `nameserver <address>` lines; everything else in the file is about the system's own resolver. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: NameserverConfig[] = [];
  const problems: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [word, address] = line.split(/[\s]+/);
    if (word !== "nameserver") continue;
    const where = `${PATH}:${index + 1}`;
    if (address === undefined || address === "") problems.push(`${where}: the address is missing`);
    else if (isIP(address) === 0) problems.push(`${where}: '${address}' is no address`);
    else if (nameservers.some(({ id }) => id === address)) problems.push(`${where}: '${address}' is there already`);
    else nameservers.push({ id: address, transport: "udp", host: address, port: DNS_PORT });
  }
  return { nameservers, problems };
}
