// Servers that operators added or deleted at run time as lines of Headgate's own state file. Pure.

import { createHash } from "node:crypto";
import { formatEndpoint } from "../../config/address.ts";
import type { ServerConfig } from "../../config/model.ts";
import type { ProxyEntry } from "../registry.ts";
import { decodeTexts, encodeTexts, numberOf, ownLine, type Words } from "./own-lines.ts";

/** A server that `add server` made. */
export interface AddedServer {
  readonly backend: string;
  readonly server: string;
  readonly id: number;
  /** Address and words, as the command had them. */
  readonly words: readonly string[];
}

/** A server of the configuration that `del server` took away, and what its line said. */
export interface DeletedServer extends SaidOfServer {
  readonly backend: string;
  readonly server: string;
}

/** What a configuration says of a server, to see whether it has changed since. */
export interface SaidOfServer {
  readonly address: string;
  /** Of all that it says, and all defaults, as the named version of the program understands it. */
  readonly digest: string;
  readonly version: string;
}

/** One line for each server of the backend that is not the configuration's, and for each of the configuration that is missing. */
export function* changedServerLines(backend: ProxyEntry, version: string): Generator<string> {
  const there = new Set<string>();
  for (const { leaving, addedAs, config, id } of backend.servers) {
    if (leaving !== undefined) continue;
    if (addedAs === undefined) there.add(config.name);
    else yield ownLine("added", [backend.name, config.name], { id, words: encodeTexts(addedAs) });
  }
  if (there.size === backend.config.servers.length) return;
  for (const config of backend.config.servers) {
    if (there.has(config.name)) continue;
    const said = saidOf(config, version);
    yield ownLine("deleted", [backend.name, config.name], { ...said, address: encodeTexts([said.address]) });
  }
}

export const saidOf = (config: ServerConfig, version: string): SaidOfServer => ({
  address: formatEndpoint(config.endpoint),
  digest: digestOf(config),
  version,
});

/** Another version of the program may word the same line in another way: then its address has to do. */
export function saysTheSame(before: SaidOfServer, config: ServerConfig, version: string): boolean {
  const now = saidOf(config, version);
  return before.version === version ? before.digest === now.digest : before.address === now.address;
}

const DIGEST_LETTERS = 16;

/** Apart from places in files, and from numbers that are given out by position. */
function digestOf({ id, ...rest }: ServerConfig): string {
  const text = JSON.stringify(rest.idForced ? { ...rest, id } : rest, (key, value: unknown) => {
    if (key === "place") return undefined;
    if (value instanceof RegExp) return String(value);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return createHash("sha256").update(text).digest("hex").slice(0, DIGEST_LETTERS);
}

/** Undefined where the line is not of `changedServerLines`. */
export function readAdded([backend = "", server = ""]: readonly string[], words: Words): AddedServer | undefined {
  const id = numberOf(words, "id");
  const list = decodeTexts(words.get("words"));
  if (server === "" || Number.isNaN(id) || list === undefined || list.length === 0) return undefined;
  return { backend, server, id, words: list };
}

/** The same. */
export function readDeleted([backend = "", server = ""]: readonly string[], words: Words): DeletedServer | undefined {
  const [address] = decodeTexts(words.get("address")) ?? [];
  const { digest, version } = { digest: words.get("digest"), version: words.get("version") };
  if (server === "" || address === undefined || digest === undefined || version === undefined) return undefined;
  return { backend, server, address, digest, version };
}
