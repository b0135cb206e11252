// Endpoints of the configuration to bytes for the kernel: names are looked up here, once, at start or when a server is
// added. Control thread.

import { lookup } from "node:dns/promises";
import { ipSockaddr, isIpAddress, unixSockaddr } from "../base/address.ts";
import { AppError } from "../base/errors.ts";
import type { Endpoint, ServerConfig } from "../config/model.ts";
import { isServiceName, type ResolversConfig } from "../config/resolvers-model.ts";
import type { ResolvedAddress } from "./change.ts";

/** Looks a server's endpoint up. Throws AppError "cannot-resolve" if its name has no address. */
export async function resolveServerAddress(endpoint: Endpoint): Promise<ResolvedAddress> {
  if (endpoint.kind !== "inet") return unixAddress(endpoint);
  const host = isIpAddress(endpoint.host) ? endpoint.host : await lookUp(endpoint.host, endpoint.family);
  return { endpoint, sockaddr: ipSockaddr(host, Math.max(0, endpoint.port)), host, port: endpoint.port };
}

/** Looks names up once each, whoever asks. */
export class NameLookup {
  private readonly found = new Map<string, Promise<string>>();

  /** Throws AppError "cannot-resolve". */
  lookUp(host: string, family: "any" | "ipv4" | "ipv6"): Promise<string> {
    const key = `${family} ${host}`;
    const found = this.found.get(key) ?? lookUp(host, family);
    this.found.set(key, found);
    return found;
  }
}

/**
 * A server's first address: by the methods of `init-addr`, in turn. Undefined: none yet, it waits for its name to resolve, which
 * `onDisabled` hears if a lookup was tried. `last`: the IP address that it had before the start. Throws AppError
 * "cannot-resolve" if no method is left.
 */
export async function initialServerAddress(
  config: Pick<ServerConfig, "endpoint" | "resolution">,
  names: NameLookup,
  onDisabled: (host: string) => void = () => {},
  last?: string,
): Promise<ResolvedAddress | undefined> {
  const { endpoint, resolution } = config;
  if (endpoint.kind !== "inet" || isIpAddress(endpoint.host)) return resolveServerAddress(endpoint);
  const port = Math.max(0, endpoint.port);
  const at = (host: string): ResolvedAddress => ({
    endpoint,
    sockaddr: ipSockaddr(host, port),
    host,
    port: endpoint.port,
  });
  let failure: unknown;
  for (const method of resolution?.initAddr ?? ["libc"]) {
    if (method === "none") {
      if (failure !== undefined) onDisabled(endpoint.host);
      return undefined;
    }
    if (method === "libc" && !isServiceName(endpoint.host)) {
      try {
        return at(await names.lookUp(endpoint.host, endpoint.family));
      } catch (error) {
        failure = error;
      }
    } else if (method === "last" && last !== undefined) return at(last);
    else if (isIpAddress(method)) return at(method);
  }
  throw failure ?? new AppError("cannot-resolve", `no method found to resolve address '${endpoint.host}'`);
}

/** Nameservers that were given by name, by address. Throws AppError "cannot-resolve". */
export async function resolveNameservers(sections: readonly ResolversConfig[]): Promise<readonly ResolversConfig[]> {
  const names = new NameLookup();
  return Promise.all(
    sections.map(async (section) => ({
      ...section,
      nameservers: await Promise.all(
        section.nameservers.map(async (nameserver) =>
          isIpAddress(nameserver.host)
            ? nameserver
            : { ...nameserver, host: await names.lookUp(nameserver.host, "any") },
        ),
      ),
    })),
  );
}

/** The address to listen on: "*" is every IPv4 address, "::" every address. */
export async function resolveBindAddress(endpoint: Endpoint): Promise<ResolvedAddress> {
  if (endpoint.kind !== "inet") return unixAddress(endpoint);
  const wildcard = endpoint.family === "ipv6" ? "::" : "0.0.0.0";
  const named = endpoint.host === "*" || endpoint.host === "" ? wildcard : endpoint.host;
  const host = isIpAddress(named) ? named : await lookUp(named, endpoint.family);
  return { endpoint, sockaddr: ipSockaddr(host, endpoint.port), host, port: endpoint.port };
}

function unixAddress(endpoint: Exclude<Endpoint, { kind: "inet" }>): ResolvedAddress {
  const name = endpoint.kind === "unix" ? endpoint.path : endpoint.name;
  return { endpoint, sockaddr: unixSockaddr(name, endpoint.kind === "abns"), host: name, port: 0 };
}

async function lookUp(host: string, family: "any" | "ipv4" | "ipv6"): Promise<string> {
  try {
    const found = await lookup(host, { family: family === "ipv4" ? 4 : family === "ipv6" ? 6 : 0 });
    return found.address;
  } catch (error) {
    throw new AppError("cannot-resolve", `could not resolve address '${host}' (${(error as Error).message})`);
  }
}
