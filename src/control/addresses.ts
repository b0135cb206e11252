// Endpoints of the configuration to bytes for the kernel: names are looked up here, once, at start or when a server is
// added. Control thread.

import { lookup } from "node:dns/promises";
import { ipSockaddr, isIpAddress, unixSockaddr } from "../base/address.ts";
import { AppError } from "../base/errors.ts";
import type { Endpoint } from "../config/model.ts";
import type { ResolvedAddress } from "./change.ts";

/** Looks a server's endpoint up. Throws AppError "cannot-resolve" if its name has no address. */
export async function resolveServerAddress(endpoint: Endpoint): Promise<ResolvedAddress> {
  if (endpoint.kind !== "inet") return unixAddress(endpoint);
  const host = isIpAddress(endpoint.host) ? endpoint.host : await lookUp(endpoint.host, endpoint.family);
  return { endpoint, sockaddr: ipSockaddr(host, Math.max(0, endpoint.port)), host, port: endpoint.port };
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
