// What a configuration says about name resolution: sections of nameservers, and how a server's name is kept up to date. Plain,
// immutable data.

import type { SourcePlace } from "./model.ts";

/** `nameserver <id> <address>`, or one from /etc/resolv.conf, whose id is its address. */
export interface NameserverConfig {
  readonly id: string;
  readonly transport: "udp" | "tcp";
  /** Address, or a name that is looked up once, at start. */
  readonly host: string;
  readonly port: number;
}

/** How long a server keeps its address, by how the last resolution ended. Times in ms. */
export interface HoldConfig {
  readonly valid: number;
  readonly nx: number;
  readonly refused: number;
  readonly timeout: number;
  readonly other: number;
  /** How long a record counts that answers no longer have. */
  readonly obsolete: number;
}

/** A `resolvers` section. Times in ms. */
export interface ResolversConfig {
  readonly name: string;
  readonly nameservers: readonly NameserverConfig[];
  readonly hold: HoldConfig;
  /** Questions asked before a round fails. */
  readonly retries: number;
  readonly resolveTimeoutMs: number;
  readonly retryTimeoutMs: number;
  /** Largest answer taken, in bytes. */
  readonly payloadBytes: number;
  /** undefined: the section `default`, made from /etc/resolv.conf. */
  readonly place?: SourcePlace;
}

/** How a server's address is found. Its name is the endpoint's host; one that begins with "_" names a service (SRV). */
export interface ServerResolution {
  /** The section that keeps it up to date; undefined: looked up once, at start. */
  readonly resolvers?: string;
  readonly prefer: "ipv4" | "ipv6";
  /** CIDR, preferred networks; empty: any. */
  readonly networks: readonly string[];
  readonly allowDuplicates: boolean;
  readonly ignoreWeight: boolean;
  /** Ways to the first address, in turn: "last", "libc", "none", or an IP address. */
  readonly initAddr: readonly string[];
}

/** True for the name of a service. */
export const isServiceName = (host: string): boolean => host.startsWith("_");
