// Which of a name's addresses a server gets: the family asked for first, then the networks asked for, then one that no other server
// of the backend has, then the one it has. Pure.

import ipaddr from "ipaddr.js";
import type { AddressType, DnsRecord } from "./message.ts";
import type { KnownRecord } from "./resolution.ts";

/** `resolve-prefer`, `resolve-net` and `resolve-opts` of a server. */
export interface AddressPreference {
  readonly prefer: "ipv4" | "ipv6";
  /** CIDR; empty: any. */
  readonly networks: readonly string[];
  /** An address may be given to several servers of a backend. */
  readonly allowDuplicates: boolean;
}

export interface AddressQuestion {
  readonly records: readonly KnownRecord[];
  readonly preference: AddressPreference;
  /** Addresses that other servers of the backend have from this name. */
  readonly taken: ReadonlySet<string>;
  /** The address that the server has now, if it has one. */
  readonly current: string | undefined;
}

const FAMILY_SCORE = 8;
const NETWORK_SCORE = 4;
const FREE_SCORE = 2;
const CURRENT_SCORE = 1;

/** The best address, the first among equals; undefined where there is none left. */
export function chooseAddress({ records, preference, taken, current }: AddressQuestion): string | undefined {
  let best: string | undefined;
  let bestScore = -1;
  for (const { record } of records) {
    if (record.kind !== "address") continue;
    const { address } = record;
    const isTaken = taken.has(address);
    if (isTaken && !preference.allowDuplicates) continue;
    const score =
      (familyOf(record) === preference.prefer ? FAMILY_SCORE : 0) +
      (isInNetworks(address, preference.networks) ? NETWORK_SCORE : 0) +
      (isTaken ? 0 : FREE_SCORE) +
      (address === current ? CURRENT_SCORE : 0);
    if (score <= bestScore) continue;
    best = address;
    bestScore = score;
  }
  return best;
}

const FAMILIES: Readonly<Record<AddressType, "ipv4" | "ipv6">> = { A: "ipv4", AAAA: "ipv6" };
const familyOf = (record: Extract<DnsRecord, { kind: "address" }>): "ipv4" | "ipv6" => FAMILIES[record.type];

function isInNetworks(text: string, networks: readonly string[]): boolean {
  const address = ipaddr.parse(text);
  return networks.some((network) => {
    const [base, bits] = ipaddr.parseCIDR(network);
    return base.kind() === address.kind() && address.match(base, bits);
  });
}
