// Addresses as haproxy.cfg writes them: `host:port`, `[v6]:port`, `*:port`, `:port`, `unix@`, `abns@`, ports ranges and offsets.
// Pure; control thread. Host names stay names; what Headgate cannot listen on or connect to is refused by its prefix.

import { isIPv4, isIPv6 } from "node:net";
import type { Endpoint } from "./model.ts";

export interface AddressRules {
  /** "none": no port may be given; "optional"; "range": required, and `a-b` is allowed; "offset": optional, `+n`/`-n` allowed. */
  readonly port: "optional" | "range" | "offset";
}

export interface ParsedAddress {
  /** Lowest port where a range is given; 0 where none is. */
  readonly endpoint: Endpoint;
  readonly lastPort: number;
  /** No port or an offset: the port follows the client's. */
  readonly followsClient: boolean;
}

export type AddressResult =
  | { readonly ok: true; readonly address: ParsedAddress }
  | { readonly ok: false; readonly code: string; readonly message: string };

const FAMILIES: Readonly<Record<string, "any" | "ipv4" | "ipv6">> = {
  "ip@": "any",
  "tcp@": "any",
  "ipv4@": "ipv4",
  "tcp4@": "ipv4",
  "ipv6@": "ipv6",
  "tcp6@": "ipv6",
};

const UNSUPPORTED_PREFIX =
  /^(?:stream\+|dgram\+|quic\+|quic[46]@|udp[46]?@|mptcp[46]?@|uxdg@|abnsz@|fd@|sockpair@|rhttp@)/;

/** sun_path holds 108 bytes; HAProxy keeps 10 for the suffix of its temporary name, and so do we for ours. */
const MAX_UNIX_PATH_BYTES = 97;
const MAX_ABNS_BYTES = 107;

function refuse(message: string, code = "bad-address"): AddressResult {
  return { ok: false, code, message };
}

/** Reads one address (a comma list is the caller's to split). Variables in it are expanded first, as HAProxy does even unquoted. */
export function parseAddress(
  written: string,
  rules: AddressRules,
  env: Readonly<Record<string, string | undefined>>,
): AddressResult {
  const text = written.includes("$") ? expandVariables(written, env) : written;
  if (text === "") return refuse(`'${written}' is an empty address`);
  if (!text.includes("@") && !text.includes("+") && !text.includes("/")) return inetAddress(text, "any", rules);
  const unsupported = UNSUPPORTED_PREFIX.exec(text);
  if (unsupported !== null) {
    return refuse(
      `addresses of kind '${unsupported[0]}' are known to HAProxy but not supported by Headgate`,
      "unsupported",
    );
  }
  if (text.startsWith("unix@") || text.startsWith("uxst@")) return unixAddress(text.slice(5));
  // HAProxy takes only absolute paths without a prefix; "./" and "../" cannot be anything else either.
  if (/^\.{0,2}\//.test(text)) return unixAddress(text);
  if (text.startsWith("abns@")) return abnsAddress(text.slice(5));
  const prefix = Object.keys(FAMILIES).find((p) => text.startsWith(p)) ?? "";
  return inetAddress(text.slice(prefix.length), FAMILIES[prefix] ?? "any", rules);
}

function unixAddress(path: string): AddressResult {
  if (path === "") return refuse("the path of the unix socket is empty");
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_UNIX_PATH_BYTES) {
    return refuse(`the socket path has ${bytes} bytes; the longest is ${MAX_UNIX_PATH_BYTES}`);
  }
  return { ok: true, address: { endpoint: { kind: "unix", path }, lastPort: 0, followsClient: false } };
}

function abnsAddress(name: string): AddressResult {
  if (name === "") return refuse("the name of the abstract socket is empty");
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_ABNS_BYTES) return refuse(`the socket name has ${bytes} bytes; the longest is ${MAX_ABNS_BYTES}`);
  return { ok: true, address: { endpoint: { kind: "abns", name }, lastPort: 0, followsClient: false } };
}

function inetAddress(text: string, family: "any" | "ipv4" | "ipv6", rules: AddressRules): AddressResult {
  // The last colon is the port's unless a bracket closes after it: "::1:80" is ::1 port 80, as in HAProxy.
  const colon = text.lastIndexOf(":");
  const hasPort = colon > text.lastIndexOf("]");
  if (!hasPort && rules.port === "range") return refuse(`no port in '${text}': write <address>:<port>`);
  const host = hostOf(hasPort ? text.slice(0, colon) : text, family);
  if (typeof host === "string") return refuse(host);
  const port = parsePort(hasPort ? text.slice(colon + 1) : "", rules);
  if (typeof port === "string") return refuse(port, "bad-port");
  return {
    ok: true,
    address: {
      endpoint: { kind: "inet", host: host.host, family: host.family, port: port.first },
      lastPort: port.last,
      followsClient: rules.port === "offset" && (port.isOffset || port.first === 0),
    },
  };
}

function hostOf(
  written: string,
  family: "any" | "ipv4" | "ipv6",
): { host: string; family: "any" | "ipv4" | "ipv6" } | string {
  if (family !== "ipv6" && isIPv4(written)) return { host: written, family: "ipv4" };
  const isBracketed = written.startsWith("[") && written.endsWith("]");
  const host = isBracketed ? written.slice(1, -1) : written;
  if (host === "" || host === "*") {
    return family === "ipv6" ? { host: "::", family } : { host: "0.0.0.0", family: "ipv4" };
  }
  if (isIPv6(host)) return family === "ipv4" ? `'${host}' is not an IPv4 address` : { host, family: "ipv6" };
  if (isBracketed) return `'${host}' is not an IPv6 address`;
  if (isIPv4(host)) return family === "ipv6" ? `'${host}' is not an IPv6 address` : { host, family: "ipv4" };
  if (/^[0-9]+(\.[0-9]+){3}$/.test(host)) return `'${host}' is not an IPv4 address`;
  if (!/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host) || host.length > 253) {
    return `'${host}' is neither an address nor a host name`;
  }
  return { host, family };
}

function parsePort(text: string, rules: AddressRules): { first: number; last: number; isOffset: boolean } | string {
  if (text === "") {
    if (rules.port === "range") return "the port is missing: write <address>:<port>";
    return { first: 0, last: 0, isOffset: false };
  }
  if (text.startsWith("+") || text.startsWith("-")) {
    if (rules.port !== "offset") return `a port offset ('${text}') is not possible here`;
    const offset = /^[+-][0-9]+$/.test(text) ? Number(text) : Number.NaN;
    if (!(Math.abs(offset) <= 65_535)) return `invalid port offset '${text}': from -65535 to +65535`;
    return { first: offset, last: offset, isOffset: true };
  }
  const min = rules.port === "offset" ? 0 : 1;
  const dash = rules.port === "range" ? text.indexOf("-") : -1;
  const first = portNumber(dash < 0 ? text : text.slice(0, dash));
  const last = dash < 0 ? first : portNumber(text.slice(dash + 1));
  if (!(first >= min && first <= 65_535 && last >= min && last <= 65_535)) {
    return `invalid port '${text}': a port is a number from ${min} to 65535`;
  }
  if (last < first) return `invalid port range '${text}': it goes down`;
  return { first, last, isOffset: false };
}

const portNumber = (text: string): number => (/^[0-9]+$/.test(text) ? Number(text) : Number.NaN);

/** `$NAME` and `${NAME}` in an address; an unset one gives nothing. Defaults ("${NAME-x}") exist in weak quotes only. */
function expandVariables(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(
    /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g,
    (_, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare ?? "";
      return (Object.hasOwn(env, name) ? env[name] : undefined) ?? "";
    },
  );
}

/** As it is shown in messages: `127.0.0.1:80`, `[::1]:80`, `unix@/path`. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix@${endpoint.path}`;
  if (endpoint.kind === "abns") return `abns@${endpoint.name}`;
  return endpoint.host.includes(":") ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}
